from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("sessions_app", "0005_session_kept_until"),
    ]

    operations = [
        migrations.AddField(
            "session", "network_hash", models.CharField(blank=True, db_default="", default="", max_length=64)
        ),
        migrations.AddIndex(
            "session",
            models.Index(
                condition=models.Q(("network_hash", ""), _negated=True),
                fields=["network_hash", "created_at"],
                name="session_network",
            ),
        ),
    ]
