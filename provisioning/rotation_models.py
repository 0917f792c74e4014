"""Credentials that are being replaced while their session goes on, each with who wanted it and how far it is."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Rotation(models.Model):
    """One replacement of a resource's credentials. The row is committed before the call that makes new ones leaves."""

    class State(models.TextChoices):
        ASKED = "asked"  # the vendor is to make new ones
        MADE = "made"  # they are stored; the old ones live on until `.env` holds them no more
        DONE = "done"  # the old ones are dead at the vendor
        GIVEN_UP = "given_up"  # the vendor made none, or the session or the lease ended meanwhile

    resource = models.ForeignKey("provisioning.Resource", on_delete=models.CASCADE, related_name="rotations")
    order = models.CharField(max_length=64, blank=True)  # what it was wished by: one wish rotates once
    by = models.CharField(max_length=150)
    where = models.CharField(max_length=64, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ASKED)
    attempt = models.PositiveIntegerField(default=0)  # fencing token: whoever was replaced cannot write
    calls = models.PositiveIntegerField(default=0)  # that left for the vendor to make new credentials
    words = models.CharField(max_length=500, blank=True)  # what the last try met
    asked_at = models.DateTimeField(default=timezone.now)
    made_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)  # not before

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["resource"], condition=models.Q(ended_at__isnull=True), name="rotation_one_at_a_time"
            ),
            models.UniqueConstraint(
                fields=["resource", "order"], condition=~models.Q(order=""), name="rotation_once_per_order"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["asked", "made"], ended_at__isnull=True)
                | models.Q(state__in=["done", "given_up"], ended_at__isnull=False),
                name="rotation_ended_when_it_says_so",
            ),
        ]

    def __str__(self) -> str:
        return f"rotation of {self.resource}"
