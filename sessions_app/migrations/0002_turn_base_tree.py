from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("sessions_app", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="turn",
            name="base_tree",
            field=models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
    ]
