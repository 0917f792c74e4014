from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("provisioning", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="credential",
            name="fingerprint",
            field=models.CharField(blank=True, db_index=True, default="", max_length=64),
            preserve_default=False,
        ),
    ]
