"""The ledger: every resource a session owns out in the world, and the credentials that came with it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from provisioning import clock
from provisioning.rotation_models import Rotation
from provisioning.secrets import Lapsed, Secret, decrypt, encrypt, fingerprint
from provisioning.sweep_models import Ghost, Stray, SweepRun
from provisioning.token_models import RepositoryToken

__all__ = [
    "Alert",
    "Bucket",
    "Credential",
    "Ghost",
    "Provider",
    "RepositoryToken",
    "Resource",
    "Rotation",
    "Stray",
    "SweepRun",
    "Vendor",
]


class Provider(models.TextChoices):
    """The five services of a session, in the order every list shows them: shortest usual time first."""

    POSTHOG = "posthog", "PostHog"
    GITHUB = "github", "GitHub"
    RESEND = "resend", "Resend"
    E2B = "e2b", "E2B"
    NEON = "neon", "Neon"


class Resource(models.Model):
    """One thing at one vendor. The row is committed before the call that makes the thing leaves (I-1)."""

    class State(models.TextChoices):
        PLANNED = "planned"
        CREATING = "creating"
        READY = "ready"
        FAILED = "failed"
        UNKNOWN = "unknown"
        DELETING = "deleting"
        GONE = "gone"
        STUCK = "stuck"

    session = models.ForeignKey("sessions_app.Session", on_delete=models.PROTECT, related_name="resources")
    provider = models.CharField(max_length=10, choices=Provider.choices)
    kind = models.CharField(max_length=20)  # project, audience, api_key, repository, group, sandbox
    name = models.CharField(max_length=100)  # the deterministic name it carries at the vendor: mk0r-<slug>
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLANNED)
    attempt = models.PositiveIntegerField(default=0)  # fencing token: a late reply of an older attempt cannot write
    external_id = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=500, blank=True)
    meta = models.JSONField(default=dict, blank=True)  # what is not secret: host, port, database, role, domain
    error = models.JSONField(null=True, blank=True)  # {reason, message, retryable, next, reference}
    doubt_until = models.DateTimeField(null=True, blank=True)  # a request that left may still be acted upon until then
    delete_attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)  # when work on it began, or began again by a retry
    settled_at = models.DateTimeField(null=True, blank=True)
    # Its last failure, kept by a trigger over retries and teardown; the moment of `settled_at` until it settles anew.
    failed_at = models.DateTimeField(null=True, blank=True)
    failed_reason = models.CharField(max_length=20, blank=True)  # one of `words.REASONS`
    next_at = models.DateTimeField(null=True, blank=True)  # not before: back-off, or its place in a vendor's queue
    place_at = models.DateTimeField(null=True, blank=True)  # while planned: the place it has been given there
    queued_at = models.DateTimeField(null=True, blank=True)  # since when it has to wait for its vendor
    deleted_at = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)  # when a re-read proved it gone
    forgotten_at = models.DateTimeField(null=True, blank=True)  # when staff gave up proving that, and why
    forgotten_reason = models.CharField(max_length=500, blank=True)
    forgotten_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering: ClassVar = ["session", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["session", "provider", "kind"], name="resource_once_per_session"),
            models.CheckConstraint(
                condition=~models.Q(state="ready") | ~models.Q(external_id=""), name="resource_ready_has_id"
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["creating", "unknown"]) | models.Q(attempt__gte=1),
                name="resource_in_flight_was_claimed",  # I-2
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["failed", "stuck"]) | models.Q(error__isnull=False),
                name="resource_trouble_has_words",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="gone")
                | models.Q(verified_at__isnull=False)
                | models.Q(forgotten_at__isnull=False),
                name="resource_gone_is_proved_or_forgotten",  # I-7
            ),
            models.CheckConstraint(
                condition=models.Q(forgotten_at__isnull=True)
                | (~models.Q(forgotten_reason="") & ~models.Q(forgotten_by="")),
                name="resource_forgotten_for_a_reason",
            ),
            models.UniqueConstraint(
                fields=["provider", "kind", "external_id"],
                condition=~models.Q(external_id="") & ~models.Q(state="gone"),
                name="resource_owned_once",  # I-1
            ),
        ]
        indexes: ClassVar = [
            # What staff's lists are read and searched by.
            models.Index(fields=["state", "id"], name="resource_state_newest"),
            models.Index(fields=["settled_at"], name="resource_settled"),
            models.Index(fields=["id"], condition=models.Q(error__isnull=False), name="resource_in_trouble"),
            models.Index(fields=["name"], opclasses=["varchar_pattern_ops"], name="resource_by_name"),
            models.Index(
                fields=["external_id"],
                opclasses=["varchar_pattern_ops"],
                condition=~models.Q(external_id=""),
                name="resource_by_external_id",
            ),
            models.Index(
                fields=["state"],
                condition=models.Q(state__in=["planned", "creating", "unknown", "deleting", "stuck"]),
                name="resource_unsettled",
            ),
            models.Index(fields=["state", "-id"], condition=models.Q(provider="github"), name="resource_repositories"),
            # What staff's figures of a span of time are counted from, without a look at the rows themselves.
            models.Index(
                fields=["created_at"],
                include=["session", "provider", "started_at", "settled_at", "failed_at", "failed_reason"],
                name="resource_begun",
            ),
            models.Index(
                fields=["failed_at"], condition=models.Q(failed_at__isnull=False), name="resource_failed_once"
            ),
            models.Index(
                fields=["session"], condition=models.Q(provider="e2b", state="ready"), name="resource_sandbox_up"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind} {self.name}"


class Credential(models.Model):
    """One secret value of a resource, encrypted at rest, bound to its row (I-15, I-16). `name` is its `.env` name.

    While a value is being replaced, the one before is kept under its name and `.old`, for as long as somebody may still
    hold it: it has to be kept out of what is written, and where its vendor takes it still, so do we.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="credentials")
    name = models.CharField(max_length=40)
    ciphertext = models.TextField()
    fingerprint = models.CharField(max_length=64, blank=True, db_index=True)  # keyed hash: finds the row by its value
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["resource", "name"], name="credential_once"),
            models.CheckConstraint(
                condition=models.Q(revoked_at__isnull=True) | models.Q(ciphertext="", fingerprint=""),
                name="credential_revoked_is_wiped",  # I-13
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at", "id"], name="credential_newest"),
            models.Index(
                fields=["created_at", "id"], condition=models.Q(revoked_at__isnull=True), name="credential_held"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.resource}"

    @property
    def lapsed(self) -> bool:
        """Whether its lease is over: from then on nobody is given the value (I-14). Synchronous database code."""
        return self.revoked_at is not None or self.expires_at <= clock.now()

    @property
    def _identity(self) -> str:
        return f"{self._meta.db_table}|{self.pk}|ciphertext"

    def seal(self, value: Secret) -> None:
        """Encrypt `value` for this row; the caller saves."""
        self.ciphertext = encrypt(value, identity=self._identity)
        self.fingerprint = fingerprint(value)

    def reveal(self) -> Secret:
        """Decrypt the value.

        Raises:
            provisioning.secrets.Lapsed: its lease is over, whether or not it has been revoked yet (I-14).
            provisioning.secrets.Unreadable: the text was altered, belongs to another row, or its key is gone.
        """
        if self.lapsed:
            raise Lapsed("the lease of this credential is over")
        return self.reveal_to_redact()

    def reveal_to_redact(self) -> Secret:
        """Decrypt the value, lapsed or not, only to keep it out of what is written; raises `Unreadable`."""
        return decrypt(self.ciphertext, identity=self._identity)


class Alert(models.Model):
    """Something that a person has to look at, told once: open from when it is found until it is over."""

    kind = models.CharField(max_length=40)  # resource_stuck, key_refused, sweep_asks
    subject = models.CharField(max_length=200)  # what it is about; one open alert per kind and subject
    text = models.TextField()
    raised_at = models.DateTimeField(default=timezone.now)
    told_at = models.DateTimeField(null=True, blank=True)  # when MK0R_ALERT_URL took it
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-raised_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=models.Q(cleared_at__isnull=True), name="alert_open_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Vendor(models.Model):
    """How a vendor treats us just now, as every process sees it. No row: nothing is the matter."""

    provider = models.CharField(max_length=10, choices=Provider.choices, primary_key=True)
    paused_until = models.DateTimeField(null=True, blank=True)  # it asked to be left alone until then
    making_only = models.BooleanField(default=False)  # the pause keeps nobody from deleting there
    pauses = models.PositiveIntegerField(default=0)  # one after another; without a hint from it each is longer
    stumbles = models.PositiveIntegerField(default=0)  # 503s that name no time, one after another
    refusals = models.PositiveIntegerField(default=0)  # of our key, one after another
    probe_at = models.DateTimeField(null=True, blank=True)  # set while the breaker is open: when a call may find out
    probe_seconds = models.PositiveIntegerField(default=0)  # from the last probe to the next
    stopped = models.BooleanField(default=False)  # by staff: nothing is made there
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.CharField(max_length=150, blank=True)
    stopped_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(probe_at=None) | models.Q(refusals__gt=0), name="vendor_open_after_refusals"
            )
        ]

    def __str__(self) -> str:
        return self.provider


class Bucket(models.Model):
    """What is booked of one vendor's budget for one length of window; see `provisioning.budgets`."""

    provider = models.CharField(max_length=10, choices=Provider.choices)
    seconds = models.PositiveIntegerField()  # the length of the window
    booked_until = models.DateTimeField()  # when the next unit would be due if none ever came early

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "seconds"], name="bucket_once_per_window"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.seconds} s"
