"""What the console keeps about how staff come in. Its tables are the app's, through `staff.models`."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class OneTime(models.Model):
    """The mark on an account whose password was handed out by somebody else, good for coming in once."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="one_time")
    given_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)  # when somebody came in with it

    class Meta:
        verbose_name = "one-time password"

    def __str__(self) -> str:
        return f"one-time password of {self.user}"
