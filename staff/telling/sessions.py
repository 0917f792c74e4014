"""Sessions: a page of the list, and one with everything that is known of it.

Synchronous database code. The number of queries does not depend on how many sessions there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from provisioning import chips
from provisioning.models import Credential, Provider, Resource
from provisioning.names import has_shape
from sessions_app.models import Event, Session, Turn
from sessions_app.state import session_state
from sessions_app.turns import ACTIVE
from staff.models import Entry
from staff.refusals import NotFound, Refused
from staff.telling import audit, iso

MOST = 200  # sessions of one page
LAST_EVENTS = 30
LAST_ENTRIES = 30
_DOTS = "•••"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions: `stuck` has something that cannot be deleted, `failed` a leg that was not made. `before` is the
    slug the last page ended with.
    """

    state: str = ""
    stuck: bool = False
    failed: bool = False
    before: str = ""
    limit: int = 50


def page(wanted: Wanted) -> tuple[list[dict[str, Any]], str | None]:
    """These sessions, newest first, and the slug to go on before; None where that was all.

    Raises:
        Refused: there is no such state, or no session of that slug to go on before.
    """
    limit = max(1, min(wanted.limit, MOST))
    rows = list(_chosen(wanted)[: limit + 1])
    shown = rows[:limit]
    return _told(shown), shown[-1].slug if len(rows) > limit else None


def _chosen(wanted: Wanted) -> QuerySet[Session]:
    rows = Session.objects.order_by("-created_at", "-id")
    if wanted.state:
        if wanted.state not in Session.State.values:
            raise Refused(f"A session is {', '.join(Session.State.values)}; not {wanted.state[:40]}.")
        rows = rows.filter(state=wanted.state)
    for asked, state in ((wanted.stuck, Resource.State.STUCK), (wanted.failed, Resource.State.FAILED)):
        if asked:
            rows = rows.filter(pk__in=Resource.objects.filter(state=state).values("session_id"))
    if wanted.before:
        last = Session.objects.filter(slug=wanted.before).first() if has_shape(wanted.before) else None
        if last is None:
            raise Refused(f"There is no session {wanted.before[:40]} to go on before.")
        rows = rows.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, id__lt=last.pk))
    return rows


def _told(sessions: list[Session]) -> list[dict[str, Any]]:
    ids = [session.pk for session in sessions]
    legs: dict[UUID, dict[str, list[Resource]]] = {pk: {} for pk in ids}
    for row in Resource.objects.filter(session_id__in=ids).order_by("id"):
        legs[row.session_id].setdefault(row.provider, []).append(row)
    counted = Turn.objects.filter(session_id__in=ids).order_by().values("session_id")
    turns = {
        each["session_id"]: (each["taken"], each["running"])
        for each in counted.annotate(taken=Count("id"), running=Count("id", filter=Q(state__in=ACTIVE)))
    }
    return [_line(session, legs[session.pk], *turns.get(session.pk, (0, 0))) for session in sessions]


def _line(session: Session, legs: dict[str, list[Resource]], turns: int, running: int) -> dict[str, Any]:
    return {
        "slug": session.slug,
        "state": session.state,
        "title": session.title,
        "legs": {provider: chips.fold(legs[provider])["state"] for provider in Provider.values if provider in legs},
        "turns": turns,
        "turn_running": bool(running),
        "spent_usd": float(session.spent_usd),
        "created_at": iso(session.created_at),
        "expires_at": iso(session.expires_at),
        "last_active_at": iso(session.last_active_at),
        "ended_at": iso(session.ended_at),
    }


def found(slug: str) -> Session:
    """The session of that slug.

    Raises:
        NotFound: there is none.
    """
    session = Session.objects.filter(slug=slug).first() if has_shape(slug) else None
    if session is None:
        raise NotFound(f"There is no session {slug[:20]}.")
    return session


def whole(session: Session) -> dict[str, Any]:
    """Everything about one session: what its visitor sees, and beside it the rows, the log and the orders of staff."""
    state = session_state(session)
    rows = Resource.objects.filter(session=session).order_by("id")
    credentials = Credential.objects.filter(resource__session=session).select_related("resource")
    events = Event.objects.filter(session=session).order_by("-seq")[:LAST_EVENTS]
    entries = Entry.objects.filter(session=session.slug).order_by("-id")[:LAST_ENTRIES]
    return {
        **{key: state[key] for key in ("slug", "state", "title", "created_at", "expires_at", "ended_at")},
        "last_active_at": iso(session.last_active_at),
        "spent_usd": float(session.spent_usd),
        "sandbox": state["sandbox"]["state"] if state["sandbox"] else None,
        "preview_url": state["preview_url"],
        "resources": [_resource(row) for row in rows],
        "credentials": [credential(one) for one in credentials.order_by("resource_id", "name")],
        "turns": state["turns"],
        "versions": state["versions"],
        "events": [{"seq": one.seq, "type": one.type, "at": iso(one.at), "data": one.data} for one in reversed(events)],
        "audit": [audit.told(entry) for entry in reversed(entries)],
    }


def _resource(row: Resource) -> dict[str, Any]:
    return {
        "id": row.pk,
        "provider": row.provider,
        "kind": row.kind,
        "name": row.name,
        "state": row.state,
        "attempt": row.attempt,
        "external_id": row.external_id,
        "url": row.url,
        "error": row.error,
        "created_at": iso(row.created_at),
        "started_at": iso(row.started_at),
        "settled_at": iso(row.settled_at),
        "next_at": iso(row.next_at),
        "delete_attempts": row.delete_attempts,
        "deleted_at": iso(row.deleted_at),
        "verified_at": iso(row.verified_at),
        "forgotten_at": iso(row.forgotten_at),
        "forgotten_reason": row.forgotten_reason or None,
    }


def credential(one: Credential) -> dict[str, Any]:
    """A credential; its value is dots, as many for every value."""
    return {
        "id": str(one.pk),
        "name": one.name,
        "provider": one.resource.provider,
        "kind": one.resource.kind,
        "value": _DOTS if one.ciphertext else None,
        "lapsed": one.lapsed,
        "created_at": iso(one.created_at),
        "expires_at": iso(one.expires_at),
        "revoked_at": iso(one.revoked_at),
    }
