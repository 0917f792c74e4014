from django.db import migrations, models


def _dismissal(model):
    return [
        migrations.AddField(model, "dismissed_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(model, "dismissed_by", models.CharField(blank=True, max_length=150)),
        migrations.AddField(model, "dismissed_reason", models.CharField(blank=True, max_length=500)),
        migrations.AddConstraint(
            model,
            models.CheckConstraint(
                condition=models.Q(
                    ("dismissed_at__isnull", True),
                    models.Q(
                        models.Q(("dismissed_reason", ""), _negated=True),
                        models.Q(("dismissed_by", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name=f"{model}_dismissed_for_a_reason",
            ),
        ),
    ]


class Migration(migrations.Migration):

    dependencies = [
        ("provisioning", "0007_staff_lists"),
    ]

    operations = [
        *_dismissal("sweeprun"),
        *_dismissal("stray"),
        *_dismissal("ghost"),
        migrations.AddField("stray", "provable", models.BooleanField(default=False)),
        migrations.AddField("vendor", "stopped_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("vendor", "stopped_by", models.CharField(blank=True, max_length=150)),
        migrations.AddField("vendor", "stopped_reason", models.CharField(blank=True, max_length=500)),
    ]
