"""Alerts: what a person has to look at, told once when it begins and closed when it is over.

Synchronous database code, part of the caller's transaction. An alert is a row for staff and an error in the log; where
`MK0R_ALERT_URL` is set, a job posts it there as JSON.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from procrastinate.contrib.django import app

from provisioning.models import Alert

log = logging.getLogger(__name__)

STUCK = "resource_stuck"
KEY_REFUSED = "key_refused"
SWEEP_ASKS = "sweep_asks"


def raise_alert(kind: str, subject: str, text: str) -> bool:
    """Open an alert; False when one of that kind and subject is open already, which then stays as it is."""
    if Alert.objects.filter(kind=kind, subject=subject, cleared_at=None).exists():
        return False
    try:
        with transaction.atomic():
            alert = Alert.objects.create(kind=kind, subject=subject[:200], text=text)
    except IntegrityError:  # somebody else was quicker
        return False
    log.error("alert.%s subject=%s %s", kind, subject, text)
    if settings.MK0R_ALERT_URL:
        app.configure_task("provisioning.tasks.tell_alert", queue="sweep").defer(alert_id=alert.pk)
    return True


def clear(kind: str, subject: str) -> None:
    """Close the open alert of that kind and subject, if there is one."""
    if Alert.objects.filter(kind=kind, subject=subject[:200], cleared_at=None).update(cleared_at=timezone.now()):
        log.info("alert_over.%s subject=%s", kind, subject)
