from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("sessions_app", "0004_staff_lists"),
    ]

    operations = [
        migrations.AddField("session", "kept_until", models.DateTimeField(blank=True, null=True)),
    ]
