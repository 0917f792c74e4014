from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("provisioning", "0010_repository_tokens"),
    ]

    operations = [
        migrations.RemoveIndex("resource", "resource_begun"),
        migrations.AddIndex(
            "resource",
            models.Index(
                fields=["created_at"],
                include=["session", "provider", "started_at", "settled_at", "failed_at", "failed_reason"],
                name="resource_begun",
            ),
        ),
    ]
