"""The page of one session: how it stands, what it owns, what happened in it, and what can be done about it.

However long its log and however many its turns, the page takes a constant number of queries and shows a bounded number
of rows; lists have the rest. No value of a credential is on it.
"""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from provisioning.models import Credential, Resource
from sessions_app import events
from sessions_app.models import Event, Session, Turn, Version
from sessions_app.redaction import redact_data, spellings
from sessions_app.turns import ACTIVE
from staff import glance
from staff.actors import Actor, of_request
from staff.listing import listing
from staff.models import Entry
from staff.pages import belongings
from staff.pages.timeline import timeline
from staff.pages.waterfall import waterfall
from staff.powers import POWERS, Power

SHOWN = 50  # turns, versions and entries of the audit log, the newest of each
_OWN_PAGE = 9  # digits of a number in the address, at most


@require_safe
@never_cache
def session_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The page; `?before=N` shows the log's lines below N.

    Raises:
        PermissionDenied: this member of staff may not look at sessions.
        Http404: there is no such session.
    """
    session = _found(request, slug)
    actor = of_request(request)
    rows = list(Resource.objects.filter(session=session).order_by("id"))
    turns = list(session.turns.order_by("-number")[:SHOWN])
    state, word = glance.standing(session, glance.legs_of(rows), turns[0] if turns else None)
    sees_keys = request.user.has_perm("provisioning.view_credential")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "session": session,
        "state": state,
        "word": word,
        "is_open": session.state == Session.State.OPEN,
        "acts": _acts(actor, session, turns),
        "fall": waterfall(session.created_at, rows),
        "legs": belongings.resources(actor, session, rows),
        "links": belongings.links(rows),
        "sees_keys": sees_keys,
        "keys": belongings.credentials(actor, _credentials(rows)) if sees_keys else [],
        "log": timeline(session.pk, _number(request.GET.get("before", ""))),
        "lists": _lists(session),
        **_written(session, turns),
    }
    if request.user.has_perm("staff.view_entry"):
        context["entries"] = list(Entry.objects.filter(session=session.slug).order_by("-id")[:SHOWN])
    context["title"] = context["called"] or session.slug
    return TemplateResponse(request, "staff/session.html", context)


def _found(request: HttpRequest, slug: str) -> Session:
    if not request.user.has_perm("sessions_app.view_session"):
        raise PermissionDenied
    return get_object_or_404(Session, slug=slug)


def _acts(actor: Actor, session: Session, turns: list[Turn]) -> list[tuple[Power, str]]:
    """What this person can have done to the session as it stands, with the key to order it by."""
    wanted: list[tuple[str, Model]] = []
    if turns and turns[0].state in ACTIVE:
        wanted.append(("end_turn", turns[0]))
    if session.state == Session.State.OPEN:
        wanted += [("extend", session), ("teardown", session)]
    known = [(POWERS[name], subject) for name, subject in wanted]
    return [(power, power.key(subject)) for power, subject in known if actor.may(power.right)]


def _credentials(rows: list[Resource]) -> list[Credential]:
    """Those of these rows, each with its row at hand."""
    by_id = {row.pk: row for row in rows}
    found = list(Credential.objects.filter(resource__in=by_id).order_by("resource_id", "name"))
    for one in found:
        one.resource = by_id[one.resource_id]
    return found


def _written(session: Session, turns: list[Turn]) -> dict[str, Any]:
    """Turns, versions and the title, without any value that the session's secrets have: a visitor, or the agent, may
    have written one down before it was known to be one.
    """
    versions = session.versions.order_by("-number")[:SHOWN]
    written = {
        "called": session.title,
        "turns": [
            {
                "row": turn.pk, "number": turn.number, "state": turn.state, "cost": turn.cost_usd,
                "prompt": turn.prompt, "summary": turn.summary, "created_at": turn.created_at, "took": _took(turn),
            }
            for turn in turns
        ],
        "versions": [
            {
                "row": one.pk, "number": one.number, "sha": one.sha, "message": one.message, "kind": one.kind,
                "restores": one.restores, "created_at": one.created_at, "current": one.number == session.head,
                "pushed": one.pushed_at is not None,
            }
            for one in versions
        ],
    }  # fmt: skip
    return cast("dict[str, Any]", redact_data(written, spellings(events.secrets_of(session))))


def _took(turn: Turn) -> float | None:
    if turn.finished_at is None:
        return None
    return (turn.finished_at - (turn.started_at or turn.created_at)).total_seconds() * 1000


def _lists(session: Session) -> dict[str, str]:
    """Where all rows of a kind are, which the page shows the newest of."""
    named: dict[str, type[Model]] = {
        "resources": Resource,
        "credentials": Credential,
        "turns": Turn,
        "versions": Version,
        "events": Event,
        "entries": Entry,
    }
    return {name: listing(model, session=session.slug) for name, model in named.items()}


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= _OWN_PAGE else None
