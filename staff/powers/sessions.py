"""Powers over sessions: end them, give them time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.urls import reverse

from provisioning import services as provisioning
from provisioning.exceptions import VendorError
from provisioning.models import Resource
from sessions_app import jobs, services
from sessions_app.database import db
from sessions_app.models import Session
from staff.powers.base import Came, Effect, Option, Order, Power, State
from staff.powers.subjects import effect_of, session_page, vendor
from staff.refusals import Refused

MOST_HOURS = 7 * 24


def uuids(keys: Sequence[str]) -> list[UUID]:
    """Those of the keys that are UUIDs."""
    found = []
    for key in keys:
        try:
            found.append(UUID(key))
        except ValueError:
            continue
    return found


class _OverSessions(Power):
    """What powers over sessions share: found by id, known by slug."""

    noun = ("session", "sessions")

    def find(self, keys: Sequence[str]) -> list[Model]:
        return list(Session.objects.filter(pk__in=uuids(keys)).order_by("-created_at"))

    def about(self, subject: Model) -> str:
        return str(subject.title or "no prompt yet") if isinstance(subject, Session) else ""

    def slug(self, subject: Model) -> str:
        return str(subject.slug) if isinstance(subject, Session) else ""


class Teardown(_OverSessions):
    """End sessions and destroy what they own; done with one when its receipt is complete."""

    name = "teardown"
    title = "End and destroy"
    heading = "What is destroyed"
    link_words = "receipt"
    warning = "This cannot be undone. What is listed is deleted at its vendor, with everything in it."
    destroys = True

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        keys = [one.pk for one in subjects]
        found: dict[str, list[Effect]] = {str(key): [] for key in keys}
        rows = Resource.objects.filter(session_id__in=keys).exclude(state=Resource.State.GONE).order_by("id")
        for row in rows:
            found[str(row.session_id)].append(effect_of(row))
        return found

    async def act(self, order: Order, key: str) -> Came:  # noqa: ARG002 (the audit log has the order)
        return await db(_end, UUID(key))

    def followed(self, key: str) -> Came:
        return self.followed_all([key])[key]

    def followed_all(self, keys: Sequence[str]) -> dict[str, Came]:
        rows = Resource.objects.filter(session_id__in=keys).exclude(state=Resource.State.GONE).order_by("id")
        left: dict[str, list[Resource]] = {key: [] for key in keys}
        for row in rows.only("session_id", "provider", "state"):
            left[str(row.session_id)].append(row)
        given_up = Resource.objects.filter(session_id__in=keys, forgotten_at__isnull=False)
        unproved = {str(pk) for pk in given_up.values_list("session_id", flat=True)}
        sessions = Session.objects.filter(pk__in=keys).only("pk", "slug", "state")
        return {str(one.pk): _how_far(one, left[str(one.pk)], str(one.pk) in unproved) for one in sessions}


def _how_far(session: Session, left: list[Resource], unproved: bool) -> Came:
    link = reverse("receipt", args=[session.slug])
    if session.state == Session.State.CLOSED:
        return Came(State.DONE, "ended; not all is proved gone" if unproved else "all gone, proved", link)
    stuck = next((row for row in left if row.state == Resource.State.STUCK), None)
    return Came(
        State.WORKING,
        f"{len(left)} left" + (f", {vendor(stuck.provider)} is stuck and tried hourly" if stuck else ""),
        link,
    )


def _end(session_id: UUID) -> Came:
    session = Session.objects.get(pk=session_id)
    link = reverse("receipt", args=[session.slug])
    if session.state == Session.State.CLOSED:
        return Came(State.NOTHING, "had ended before", link)
    services.session_end(session)
    jobs.converge_soon(session.pk, queue=jobs.DOWN)
    return Came(State.WORKING, "ending", link)


class Extend(_OverSessions):
    """Give sessions more time, counted from now: themselves, their credentials, and a sandbox that runs.

    One that nobody prompts does not count as abandoned in that time.
    """

    name = "extend"
    title = "Give more time"
    link_words = "session"
    options = (Option("hours", "Hours from now", least="0.5", most=str(MOST_HOURS), step="0.5", preset="24"),)

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            hours = float(options.get("hours", ""))
        except (TypeError, ValueError):
            raise Refused("Say how many hours.") from None
        if not 0 < hours <= MOST_HOURS:
            raise Refused(f"Say a number of hours above 0 and up to {MOST_HOURS}.")
        return {"hours": hours}

    async def act(self, order: Order, key: str) -> Came:
        session_id = UUID(key)
        until = await db(services.session_extend, session_id, timedelta(hours=float(order.options["hours"])))
        if until is None:
            return Came(State.NOTHING, "has ended or is ending", session_page(session_id))
        words = f"lives until {until:%Y-%m-%d %H:%M} UTC"
        try:
            runs = await provisioning.sandbox_prolong(session_id)
        except VendorError as error:
            asleep = "its sandbox may fall asleep before, and wakes when it is used"
            return Came(State.DONE, f"{words}; E2B did not do it ({error}): {asleep}", session_page(session_id))
        return Came(State.DONE, words + (", its sandbox too" if runs else ""), session_page(session_id))
