"""Powers over single resources: retry a leg that failed, retry a delete, give up what cannot be deleted."""

from __future__ import annotations

from typing import ClassVar

from django.urls import reverse

from provisioning import chips, clock, endings, ledger
from provisioning.models import Resource
from sessions_app import errors, jobs, services
from sessions_app.database import db
from sessions_app.models import Session
from staff.powers.base import Came, Order, State
from staff.powers.resources import OverResources
from staff.powers.subjects import session_page

Stage = Resource.State
_UNDER_WAY = {
    Stage.PLANNED: "waits for its turn",
    Stage.CREATING: "is being made",
    Stage.UNKNOWN: "is slow; looked for at its vendor",
}


class Retry(OverResources):
    """Retry the leg a failed resource belongs to; done when the whole leg is at rest."""

    name = "retry"
    title = "Retry"
    heading: ClassVar[str] = "What is made again"
    link_words = "session"

    async def act(self, order: Order, key: str) -> Came:  # noqa: ARG002 (the audit log has the order)
        return await db(_retry, int(key))

    def followed(self, key: str) -> Came:
        return leg(Resource.objects.get(pk=key))


def _retry(pk: int) -> Came:
    row = Resource.objects.select_related("session").get(pk=pk)
    link = session_page(row.session_id)
    rows = ledger.rows_of(row.session_id, row.provider)
    if not any(one.state == Stage.FAILED for one in rows):
        found = leg(row)  # of two rows of one leg, the first order took both up
        return found if found.state == State.WORKING else Came(State.NOTHING, "has not failed", link)
    try:
        services.leg_retry(row.session, row.provider)
    except errors.NotFound:  # somebody was quicker
        return leg(row)
    except errors.Closed:
        return Came(State.NOTHING, "its session has ended or is ending", link)
    jobs.converge_soon(row.session_id)
    return Came(State.WORKING, "asked for again", link)


def leg(row: Resource) -> Came:
    """How far the leg of a row is: all its steps count, as one that failed keeps the next from beginning."""
    link = session_page(row.session_id)
    chip = chips.fold(ledger.rows_of(row.session_id, row.provider))
    state = Stage(chip["state"])
    if state == Stage.READY:
        return Came(State.DONE, "is live", link)
    if state == Stage.FAILED:
        told = chip["error"] or {}
        return Came(State.FAILED, f"failed: {told.get('message', '')} {told.get('next', '')}".strip(), link)
    if state in _UNDER_WAY:
        wait = f", begins in {max(1, round(chip['starts_in_ms'] / 1000))} s" if chip["starts_in_ms"] else ""
        return Came(State.WORKING, _UNDER_WAY[state] + wait, link)
    return Came(State.NOTHING, "its session has ended or is ending", link)


class DeleteNow(OverResources):
    """Try again at once to delete what is being deleted or stuck; ends when it is proved gone, or that try failed."""

    name = "delete_now"
    permission = "retry"
    title = "Delete now"
    heading: ClassVar[str] = "What is tried once more"
    link_words = "session"
    warning = "Its session has ended, so it is to be deleted anyway; this does not wait for the next try."
    destroys = True

    async def act(self, order: Order, key: str) -> Came:  # noqa: ARG002 (the audit log has the order)
        return await db(_delete_now, int(key))

    def followed(self, key: str) -> Came:
        row = Resource.objects.select_related("session").get(pk=key)
        if row.state == Stage.GONE:
            given_up = row.verified_at is None
            words = "given up meanwhile, unproved" if given_up else "deleted, and not found when looked for again"
            return Came(State.DONE, words, reverse("receipt", args=[row.session.slug]))
        link = session_page(row.session_id)
        if row.next_at is None or row.next_at <= clock.now():
            return Came(State.WORKING, "is being tried", link)
        why = str((row.error or {}).get("message") or "its vendor is left alone until then").rstrip(".")
        return Came(State.FAILED, f"still there: {why}; tried again at {row.next_at:%H:%M:%S} UTC", link)


def _delete_now(pk: int) -> Came:
    row = Resource.objects.select_related("session").get(pk=pk)
    link = session_page(row.session_id)
    if endings.hasten(row):
        jobs.converge_soon(row.session_id, queue=jobs.DOWN)
        return Came(State.WORKING, "is being tried", link)
    row.refresh_from_db()
    if row.state == Stage.GONE:
        return Came(State.NOTHING, "is gone already", reverse("receipt", args=[row.session.slug]))
    return Came(State.FAILED, f"is {row.state}: only what is being deleted or stuck can be deleted now", link)


class Forget(OverResources):
    """Count as gone, without proof, what is being deleted or stuck; its session can then close."""

    name = "forget"
    title = "Forget"
    heading: ClassVar[str] = "What is given up"
    link_words = "receipt"
    warning = (
        "Nothing is deleted by this. What is listed may live on at its vendor, and cost, and mk0r does not look after "
        "it any more. Your reason stays on the receipt, which its visitor can read."
    )
    needs_reason = True
    destroys = True

    async def act(self, order: Order, key: str) -> Came:
        return await db(_forget, order, int(key))

    def followed(self, key: str) -> Came:
        row = Resource.objects.select_related("session").get(pk=key)
        link = reverse("receipt", args=[row.session.slug])
        if row.session.state == Session.State.CLOSED:
            return Came(State.DONE, "given up; its session has closed", link)
        left = row.session.resources.exclude(state=Stage.GONE).count()
        if left:
            return Came(State.DONE, f"given up; {left} more of its session still to be deleted", link)
        return Came(State.WORKING, "given up; its session is closing", link)


def _forget(order: Order, pk: int) -> Came:
    row = Resource.objects.select_related("session").get(pk=pk)
    if endings.forget(row, reason=order.reason[:500], by=order.by[:150]):
        jobs.converge_soon(row.session_id, queue=jobs.DOWN)
        return Came(State.WORKING, "given up", reverse("receipt", args=[row.session.slug]))
    row.refresh_from_db()
    if row.state == Stage.GONE:
        return Came(State.NOTHING, "is gone already", reverse("receipt", args=[row.session.slug]))
    words = f"is {row.state}: only what is being deleted or stuck can be forgotten"
    return Came(State.FAILED, words, session_page(row.session_id))
