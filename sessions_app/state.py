"""The session as one JSON object: the body of REST, the snapshot of the WebSocket and the first state in the page.

It holds names and never values, so it may be written into a page.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings

from provisioning import services as provisioning
from sessions_app import events, history, limits
from sessions_app.models import Event, Session, Turn, Version
from sessions_app.redaction import redact_data, spellings


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def session_state(session: Session) -> dict[str, Any]:
    """State of the session as of `last_seq`; the rest may already be newer, and folding an event twice is harmless."""
    session.refresh_from_db()
    resources = provisioning.resources_state(session)
    versions = list(session.versions.select_related("turn").order_by("number"))
    line = history.fold(versions)
    state = {
        "slug": session.slug,
        "state": session.state,
        "title": session.title,
        "created_at": _iso(session.created_at),
        "expires_at": _iso(session.expires_at),
        "prompted_at": _iso(session.prompted_at),
        "ended_at": _iso(session.ended_at),
        "last_seq": session.last_seq,
        "resources": resources,
        "errors": [{"provider": each["provider"], **each["error"]} for each in resources if each["error"]],
        "sandbox": sandbox_state(session),
        "preview_url": provisioning.preview_url(session),
        "env": list(provisioning.env_entries(session)) if session.state == Session.State.OPEN else [],
        "turns": [turn_state(turn) for turn in session.turns.order_by("number")],
        "versions": [version_state(version, session.head) for version in versions],
        "can_undo": line.undo is not None,
        "can_redo": line.redo is not None,
        "limits": limits.state(session),
        "model": {"local": is_loopback(settings.ANTHROPIC_BASE_URL)},
        "clone": clone(session),
    }
    # A visitor may have typed one of the values into a prompt.
    return cast("dict[str, Any]", redact_data(state, spellings(events.secrets_of(session))))


def sandbox_state(session: Session) -> dict[str, str] | None:
    """The last thing the log says of the sandbox, or None before it has one."""
    last = Event.objects.filter(session=session, type="sandbox.changed").order_by("-seq").first()
    return {"state": last.data["state"]} if last else None


def turn_state(turn: Turn) -> dict[str, Any]:
    """One turn. `duration_ms` counts from when the agent began, None until it has ended."""
    duration = None
    if turn.finished_at:
        duration = round((turn.finished_at - (turn.started_at or turn.created_at)).total_seconds() * 1000)
    return {
        "number": turn.number,
        "prompt": turn.prompt,
        "state": turn.state,
        "started_at": _iso(turn.started_at or turn.created_at),
        "finished_at": _iso(turn.finished_at),
        "duration_ms": duration,
        "cost_usd": float(turn.cost_usd),
        "summary": turn.summary,
    }


def version_state(version: Version, head: int) -> dict[str, Any]:
    """One version; `current` is the one whose commit `/app` stands on."""
    return {
        "number": version.number,
        "sha": version.sha,
        "message": version.message,
        "turn": version.turn.number if version.turn else None,
        "kind": version.kind,
        "restores": version.restores,
        "at": _iso(version.created_at),
        "current": version.number == head,
    }


def versions_state(session: Session) -> dict[str, Any]:
    """The versions alone, with what undo and redo can do."""
    versions = list(session.versions.select_related("turn").order_by("number"))
    line = history.fold(versions)
    state = {
        "versions": [version_state(version, session.head) for version in versions],
        "can_undo": line.undo is not None,
        "can_redo": line.redo is not None,
    }
    return cast("dict[str, Any]", redact_data(state, spellings(events.secrets_of(session))))


def clone(session: Session) -> dict[str, str]:
    """Where the owner clones from. The command asks for the password, which is not part of the state."""
    parts = urlsplit(settings.PUBLIC_URL)
    url = f"{settings.PUBLIC_URL}/gateway/git/{session.slug}.git"
    return {"url": url, "command": f"git clone {parts.scheme}://mk0r@{parts.netloc}/gateway/git/{session.slug}.git"}


def is_loopback(url: str) -> bool:
    """Whether a vendor's address is on this machine, and so a stand-in."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")


def receipt(session: Session) -> list[dict[str, Any]]:
    """Each resource the session owned: when it was deleted, when a re-read proved it gone, or why it was forgotten."""
    return [
        {
            "provider": resource.provider,
            "kind": resource.kind,
            "name": resource.name,
            "state": resource.state,
            "created_at": _iso(resource.created_at),
            "deleted_at": _iso(resource.deleted_at),
            "verified_at": _iso(resource.verified_at),
            "forgotten_at": _iso(resource.forgotten_at),
            "forgotten_reason": resource.forgotten_reason or None,
            "next_try_at": _iso(resource.next_at) if resource.state in {"deleting", "stuck"} else None,
            "error": resource.error,
        }
        for resource in session.resources.order_by("id")
    ]
