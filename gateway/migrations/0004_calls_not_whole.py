from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("gateway", "0003_call_times"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="modelcall",
            index=models.Index(condition=models.Q(("complete", False)), fields=["id"], name="model_call_not_whole"),
        ),
    ]
