"""What the sweep remembers between its passes: when it looked, what it saw without an owner, what it missed."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.utils import timezone


class Dismissible(models.Model):
    """What staff may leave alone for a reason: it stays as it is and is not asked about again."""

    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.CharField(max_length=150, blank=True)
    dismissed_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        abstract = True
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(dismissed_at__isnull=True)
                | (~models.Q(dismissed_reason="") & ~models.Q(dismissed_by="")),
                name="%(class)s_dismissed_for_a_reason",
            ),
        ]

    def dismiss(self, at: datetime | None, *, by: str = "", reason: str = "") -> None:
        """Leave it alone from `at` on, or, None, no longer; the caller saves."""
        self.dismissed_at, self.dismissed_by, self.dismissed_reason = at, by[:150], reason[:500]


DISMISSAL = ["dismissed_at", "dismissed_by", "dismissed_reason"]  # its fields, for `update_fields`


class SweepRun(Dismissible):
    """One look at every vendor's inventory. Its time proves that this ledger was alive then: none is ever removed."""

    class State(models.TextChoices):
        RUNNING = "running"  # or cut short: a run that died stays so, and its time counts all the same
        DONE = "done"
        ASKING = "asking"

    started_at = models.DateTimeField(default=timezone.now, db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    by_hand = models.BooleanField(default=False)
    dry = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    reason = models.TextField(blank=True)  # what staff are asked, one line for each vendor
    report = models.JSONField(default=dict, blank=True)  # the figures, by vendor
    asked = models.JSONField(default=dict, blank=True)  # ids an approval of this run covers: {strays: […], ghosts: […]}
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=150, blank=True)

    class Meta(Dismissible.Meta):
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def answered(self) -> bool:
        """Whether staff have answered what it asked, either way."""
        return self.approved_at is not None or self.dismissed_at is not None


class Stray(Dismissible):
    """A thing at a vendor that bears a name of this installation and that no row owns."""

    provider = models.CharField(max_length=10)
    kind = models.CharField(max_length=20)
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=100)
    meta = models.JSONField(default=dict, blank=True)
    made_at = models.DateTimeField(null=True, blank=True)  # as the vendor says; None: it does not, or not readably
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    sightings = models.PositiveIntegerField(default=1)
    why = models.CharField(max_length=200, blank=True)  # why it is still there, or why it no longer concerns us
    provable = models.BooleanField(default=False)  # by its row this ledger can say how it came about, and needs it not
    approved_at = models.DateTimeField(null=True, blank=True)
    cleared_at = models.DateTimeField(null=True, blank=True)  # owned, or gone by itself
    deleted_at = models.DateTimeField(null=True, blank=True)  # by the sweep, proved by a re-read

    class Meta(Dismissible.Meta):
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            *Dismissible.Meta.constraints,
            models.UniqueConstraint(fields=["provider", "kind", "external_id"], name="stray_once"),
            models.CheckConstraint(condition=models.Q(sightings__gte=1), name="stray_was_seen"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind} {self.name}"


class Ghost(Dismissible):
    """A row that says ready while its vendor lists no such thing, and says so when asked for it by its id."""

    resource = models.OneToOneField("provisioning.Resource", on_delete=models.CASCADE, related_name="ghost")
    external_id = models.CharField(max_length=200)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta(Dismissible.Meta):
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"ghost of {self.resource}"
