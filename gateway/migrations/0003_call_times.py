from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gateway', '0002_model_hold'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='modelcall',
            index=models.Index(fields=['started_at'], include=['cost_usd'], name='model_call_started'),
        ),
    ]
