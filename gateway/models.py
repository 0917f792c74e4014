"""What went through the doors: each model call with its meter, and each send of mail with its recipients."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class ModelCall(models.Model):
    """One call to the model, metered by the upstream's own usage. Never deleted: bills are made of it."""

    session = models.ForeignKey("sessions_app.Session", on_delete=models.PROTECT, related_name="model_calls")
    turn = models.ForeignKey(
        "sessions_app.Turn", on_delete=models.PROTECT, null=True, blank=True, related_name="model_calls"
    )
    model = models.CharField(max_length=100)
    status = models.PositiveIntegerField()  # what the upstream answered; 0: nothing
    complete = models.BooleanField(default=False)  # False: cut off, so the output tokens are an estimate
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cache_write_tokens = models.PositiveIntegerField(default=0)
    cache_read_tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    started_at = models.DateTimeField(default=timezone.now)
    duration_ms = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=models.Q(complete=False), name="model_call_not_whole"),
            # What a day has cost, without a look at the rows themselves.
            models.Index(fields=["started_at"], include=["cost_usd"], name="model_call_started"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.status} of {self.session_id}"


class ModelHold(models.Model):
    """The most that a call under way may cost. It counts against the cap until the call is settled and this is gone.

    Written in the transaction that looks at the cap, so that calls at once, in however many processes, see each other.
    """

    id = models.UUIDField(primary_key=True)
    session = models.ForeignKey("sessions_app.Session", on_delete=models.PROTECT, related_name="model_holds")
    usd = models.DecimalField(max_digits=12, decimal_places=6)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"${self.usd} of {self.session_id}"


class MailSend(models.Model):
    """One send of mail. Written before it leaves, so that two at once cannot both take the last place."""

    session = models.ForeignKey("sessions_app.Session", on_delete=models.PROTECT, related_name="mail_sends")
    recipients = models.PositiveIntegerField()
    refused = models.BooleanField(default=False)  # the vendor did not take it: does not count
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.recipients} recipients of {self.session_id}"
