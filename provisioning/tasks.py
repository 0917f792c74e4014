"""Jobs of provisioning, run by the worker on Postgres."""

from __future__ import annotations

import logging

from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from provisioning import http, sweep
from provisioning.models import Alert

log = logging.getLogger(__name__)


class NotTold(Exception):
    """Whoever is to be alerted did not take it; the job tries again."""


@app.task(
    queue="sweep",
    name="provisioning.tasks.tell_alert",
    retry=RetryStrategy(max_attempts=8, exponential_wait=3, retry_exceptions=[NotTold]),
)
async def tell_alert(alert_id: int) -> None:
    """Post an alert to `MK0R_ALERT_URL`, once: a receiver that answered 2xx is not told again."""
    alert = await database_sync_to_async(Alert.objects.get)(pk=alert_id)
    if alert.told_at is not None or not settings.MK0R_ALERT_URL:
        return
    body = {"kind": alert.kind, "subject": alert.subject, "text": alert.text, "at": alert.raised_at.isoformat()}
    try:
        reply = await http.exchange("alerts", "POST", settings.MK0R_ALERT_URL, json=body, total=10.0)
    except http.WireError as error:
        raise NotTold(str(error)) from error
    if not 200 <= reply.status < 300:
        raise NotTold(f"status {reply.status}")
    await database_sync_to_async(Alert.objects.filter(pk=alert_id).update)(told_at=timezone.now())


# Looked at more often than it is done: how often it is done is a setting, and a missed tick delays it by one only.
_SWEEP_TICK = "* * * * *" if settings.MK0R_SWEEP_SECONDS >= 60 else "* * * * * */5"


@app.periodic(cron=_SWEEP_TICK)
@app.task(
    queue="sweep",
    name="provisioning.tasks.sweep_inventories",
    queueing_lock="sweep_inventories",
    lock="sweep_inventories",
)
async def sweep_inventories(timestamp: int) -> None:  # noqa: ARG001 (given by the scheduler)
    """Hold every vendor's inventory against the ledger when that is due."""
    await sweep.run_due()
