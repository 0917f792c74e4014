from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("provisioning", "0004_sweep"),
    ]

    operations = [
        migrations.AddField(
            model_name="vendor",
            name="making_only",
            field=models.BooleanField(default=False),
        ),
    ]
