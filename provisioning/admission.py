"""Whether an attempt to make something may begin, now or when its place comes; and what its call then met.

Asked before a row is claimed, so that what has to wait is `planned` and costs its vendor nothing. A place is reserved
once: the row keeps it, through a crash too, and only a place that a pause has overtaken or that nobody came for is
exchanged for another at the end of the queue.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from provisioning import budgets, standing
from provisioning.exceptions import NotAdmitted, VendorError
from provisioning.models import Resource
from provisioning.outcome import Hint, Outcome, Verb, Wire
from provisioning.providers.base import Step
from provisioning.standing import Standing

SHORT = 1.0  # seconds; a shorter wait is sat out and not worth telling


def ask(row: Resource, step: Step, now: Standing) -> float:
    """Seconds until the attempt may begin; 0: it may now. A place further off is the row's to keep.

    Raises:
        NotAdmitted: staff have stopped the vendor, it refuses our key, or the wait would be too long.
    """
    if now.stopped:
        raise NotAdmitted("stopped")
    if now.refusing and not now.probe_due:
        raise NotAdmitted("refused")
    wait = _wait(row, step, now)
    if now.refusing and wait <= SHORT and not standing.take_probe(step.provider):
        raise NotAdmitted("refused")
    return wait


def _wait(row: Resource, step: Step, now: Standing) -> float:
    held = row.place_at
    if held is not None and held >= (now.paused_until or now.now - timedelta(seconds=budgets.GRACE)):
        return max(0.0, (held - now.now).total_seconds())
    rates = budgets.rates_of(step) or (budgets.AFTER_A_PAUSE if now.paused_until else ())
    if not rates:
        return 0.0
    waited = max(0.0, (now.now - row.queued_at).total_seconds()) if row.queued_at else 0.0
    patience = max(0.0, settings.MK0R_QUEUE_SECONDS - waited)
    place = budgets.reserve(step, rates, not_before=now.paused_until, patience=patience)
    if not place.taken:
        raise NotAdmitted("queue", retry_in=place.wait)
    return place.wait


def reserve(step: Step, now: Standing, patience: float) -> float:
    """Seconds until the place that is booked for one more request comes; for what has no row to keep a place in.

    Raises:
        NotAdmitted: none comes within `patience` seconds, so none is booked; `retry_in` says when one would have.
    """
    if not (rates := budgets.rates_of(step)):
        return 0.0
    place = budgets.reserve(step, rates, not_before=now.paused_until, patience=patience)
    if not place.taken:
        raise NotAdmitted("queue", retry_in=place.wait)
    return place.wait


def throttles(error: VendorError) -> bool:
    """Whether an error asks everybody to leave the vendor alone; 423 speaks of one thing only."""
    if error.hint is Hint.QUOTA or error.status == 423 or stumbles(error):
        return False
    return error.outcome is Outcome.LATER or error.status in {429, 503}


def stumbles(error: VendorError) -> bool:
    """Whether an error is a 503 that names no time: one call met a vendor, or a machine of its, that was not there."""
    return error.status == 503 and error.retry_after is None


def heard(step: Step, before: Standing | None, error: VendorError | None) -> Standing:
    """Take to heart what a call met, None being success; returns how the vendor stands now.

    `before` is what was known when the call left. Nothing is written where nothing is, or was, the matter.
    """
    answered = error is None or (error.wire is Wire.REPLIED and error.status not in {0, 401, 403, 503})
    if error is not None and throttles(error):
        full = error.verb is Verb.CREATE and error.status == 429 and error.retry_after is None
        standing.pause(step, error.retry_after, making_only=full)
    elif error is not None and stumbles(error):
        standing.stumbled(step)
    if error is not None and error.outcome is Outcome.CONFIG:
        standing.refused(step.provider)
    elif answered and (before is None or before.troubled):
        standing.accepted(step.provider)
    return standing.of(step.provider)
