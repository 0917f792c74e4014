"""What the console keeps about how staff come in. Its tables are the app's, through `staff.models`."""

from __future__ import annotations

from typing import ClassVar

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


class Token(models.Model):
    """What speaks for a member of staff over the API. Its text is shown once, when it is made; only a hash is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=40)  # stands in the audit log beside the account's
    digest = models.CharField(max_length=64, unique=True)  # SHA-256: what is hashed is 256 random bits
    may_reveal = models.BooleanField(default=False)  # whether it carries the power to see values of credentials
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)  # to the minute
    last_used_from = models.CharField(max_length=64, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "name"], condition=models.Q(revoked_at=None), name="token_name_once_per_user"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class Misses(models.Model):
    """How often somebody at one address came with a token that does not exist, since when; see `staff.guessing`."""

    address = models.CharField(max_length=64, primary_key=True)
    since = models.DateTimeField(db_index=True)
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.count} from {self.address}"
