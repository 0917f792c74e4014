"""What the console keeps: the audit log, and what staff have had done to many things at once."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from staff import access_models  # noqa: F401 (importing makes them this app's)


class Entry(models.Model):
    """One line of the audit log: who did what to what, when, from where and why. Only ever added to, by a trigger.

    Names are copied, so that an entry says the same after an account is renamed or removed.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    who = models.CharField(max_length=150)  # the account's name, or the shell's user
    where = models.CharField(max_length=64)  # the address they came from, or "shell"
    action = models.CharField(max_length=40)  # a power's name, or sign_in, sign_in_refused, sign_out, …
    subject = models.CharField(max_length=200, blank=True)  # what it was done to, as a person reads it
    session = models.CharField(max_length=12, blank=True, db_index=True)  # slug of the session it concerns
    reason = models.CharField(max_length=500, blank=True)
    detail = models.JSONField(default=dict, blank=True)  # never a secret

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "audit log"

    def __str__(self) -> str:
        return f"{self.who} {self.action} {self.subject}"


class Undertaking(models.Model):
    """Something a member of staff has had done to one or many things. A job carries it out, errand by errand."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    power = models.CharField(max_length=20)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    by_name = models.CharField(max_length=150)
    where = models.CharField(max_length=64)
    reason = models.CharField(max_length=500, blank=True)
    options = models.JSONField(default=dict, blank=True)
    begun_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-begun_at"]
        # What staff may do. `staff.powers` has the code of each; groups hand them out.
        permissions: ClassVar = [
            ("teardown", "May end sessions and destroy what they own"),
            ("retry", "May retry failed legs"),
            ("extend", "May give a session more time"),
            ("end_turn", "May stop a running turn"),
            ("forget", "May give up what cannot be deleted"),
            ("revoke", "May revoke credentials"),
            ("rotate", "May have a vendor make new credentials"),
            ("reveal", "May see the value of a credential"),
            ("archive", "May archive repositories"),
            ("transfer", "May give repositories to another owner"),
            ("sweep", "May sweep the vendors' inventories"),
            ("approve", "May answer what a sweep asks: adopt, delete, repair, dismiss"),
            ("pause_vendor", "May stop and start the use of a vendor"),
        ]

    def __str__(self) -> str:
        return f"{self.power} by {self.by_name}"


class Errand(models.Model):
    """One thing of an undertaking, and what came of it."""

    class State(models.TextChoices):
        WAITING = "waiting"
        WORKING = "working"  # begun; somebody else sees it through, and it is looked at again
        DONE = "done"
        NOTHING = "nothing"  # there was nothing to do
        FAILED = "failed"

    undertaking = models.ForeignKey(Undertaking, on_delete=models.CASCADE, related_name="errands")
    number = models.PositiveIntegerField()
    key = models.CharField(max_length=64)  # of the subject
    label = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    words = models.CharField(max_length=500, blank=True)
    link = models.CharField(max_length=200, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["undertaking", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["undertaking", "number"], name="errand_number_once"),
            models.UniqueConstraint(fields=["undertaking", "key"], name="errand_once_per_thing"),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.state}"
