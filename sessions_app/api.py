"""The REST face of a session.

Every call is one step of `services`, wrapped once; provisioning goes on in the process's task.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Header, Query, Router, Status

from provisioning import services as provisioning
from sessions_app import events, services, state, tokens
from sessions_app import schemas as s
from sessions_app.addresses import client_address
from sessions_app.authority import AUTH, Authority, authority_of
from sessions_app.errors import BadRequest, Closed, NotFound, StillOpen
from sessions_app.models import Session
from sessions_app.process import sessions

router = Router(tags=["sessions"], auth=AUTH)

_WEAK_KEY = 16  # on a public address, shorter idempotency keys of callers without a cookie are refused
P = ParamSpec("P")
T = TypeVar("T")
_REFUSALS = {404: s.ErrorOut, 409: s.ErrorOut}
_BEGINNING = {201: s.SessionBegunOut, 403: s.ErrorOut, 422: s.ErrorOut, 429: s.ErrorOut}


async def _db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    result: T = await database_sync_to_async(function)(*args, **kwargs)
    return result


# --- the session ------------------------------------------------------------------------------------------------------
@router.post("", response=_BEGINNING, summary="Begin a session")
async def session_begin(
    request: HttpRequest, idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key")] = None
) -> Status[dict[str, Any]]:
    """Begin a session and provision its backend. The same `Idempotency-Key` again returns the same session and key."""
    authority = authority_of(request)
    key = _idempotency_key(request, authority, idempotency_key)
    session, body = await _db(_begin, authority, key, client_address(request))
    sessions.ensure(session.pk)
    return Status(201, body)


def _begin(authority: Authority, key: str | None, address: str) -> tuple[Session, dict[str, Any]]:
    session = services.session_begin(authority.visitor, key, address=address)
    return session, services.session_state(session) | {"key": tokens.session_key(session)}


def _idempotency_key(request: HttpRequest, authority: Authority, given: str | None) -> str | None:
    """The key to remember. Without a visitor to belong to, it is bound to the caller's address."""
    if given is None:
        return None
    if not given.isprintable() or not 1 <= len(given) <= 255:
        raise BadRequest("Idempotency-Key is 1 to 255 printable characters.")
    if authority.visitor is not None:
        return given
    if settings.IS_PUBLIC and len(given) < _WEAK_KEY:
        raise BadRequest(
            f"Without a cookie, an Idempotency-Key needs {_WEAK_KEY} characters nobody guesses; use a UUID."
        )
    return hashlib.sha256(f"{client_address(request)}|{given}".encode()).hexdigest()


@router.get("/{slug}", response={200: s.SessionOut, 404: s.ErrorOut}, summary="State of a session")
async def session_state(request: HttpRequest, slug: str) -> dict[str, Any]:
    """What the session owns, did and may do. Names of secrets, never their values."""
    return await _db(lambda: services.session_state(authority_of(request).session(slug)))


@router.delete("/{slug}", response={202: s.AcceptedOut, 404: s.ErrorOut}, summary="End a session")
async def session_end(request: HttpRequest, slug: str) -> Status[dict[str, str]]:
    """Destroy everything the session owns. Asking again is harmless; the receipt tells how far it is."""
    session = await _db(lambda: _end(authority_of(request).session(slug)))
    sessions.ensure(session.pk)
    return Status(202, {"state": session.state})


def _end(session: Session) -> Session:
    services.session_end(session)
    session.refresh_from_db()
    return session


@router.get("/{slug}/receipt", response={200: s.ReceiptOut} | _REFUSALS, summary="What was destroyed, with proof")
async def receipt(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Each resource, when it was deleted and when a re-read proved it gone. For a session that has been ended."""
    return await _db(lambda: _receipt(authority_of(request).session(slug)))


def _receipt(session: Session) -> dict[str, Any]:
    if session.state == Session.State.OPEN:
        raise StillOpen("The session is open. Its receipt exists once it has been ended.")
    ended = session.ended_at.isoformat() if session.ended_at else None
    return {"slug": session.slug, "state": session.state, "ended_at": ended, "resources": state.receipt(session)}


@router.get("/{slug}/env", response={200: None} | _REFUSALS, summary="The .env file")
async def env(request: HttpRequest, slug: str) -> HttpResponse:
    """The credentials of this session's own backend, as `/app/.env` holds them."""
    text = await _db(lambda: _env(authority_of(request).session(slug)))
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def _env(session: Session) -> str:
    if session.state != Session.State.OPEN:
        raise Closed("The session has ended; its credentials no longer exist.")
    return provisioning.env_text(session)


@router.get("/{slug}/clone", response={200: s.CloneOut} | _REFUSALS, summary="How to clone the repository")
async def clone(request: HttpRequest, slug: str) -> dict[str, str]:
    """Address, user and password of the session's repository, behind the gateway. They die with the session."""
    return await _db(lambda: _clone(authority_of(request).session(slug)))


def _clone(session: Session) -> dict[str, str]:
    if session.state != Session.State.OPEN:
        raise Closed("The session has ended; its repository no longer exists.")
    parts, token = urlsplit(settings.PUBLIC_URL), tokens.gateway_token(session)
    path = f"{parts.netloc}/gateway/git/{session.slug}.git"
    return {
        "url": f"{parts.scheme}://{path}",
        "user": "mk0r",
        "password": token,
        "command": f"git clone {parts.scheme}://mk0r:{token}@{path}",
    }


@router.get("/{slug}/events", response={200: list[s.EventOut], 404: s.ErrorOut}, summary="The event log")
async def event_list(
    request: HttpRequest,
    slug: str,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> list[dict[str, Any]]:
    """Events numbered above `after`, in order, at most `limit`; ask again with the last number for more."""

    def read() -> list[dict[str, Any]]:
        session = authority_of(request).session(slug)
        return [events.frame(event) for event in events.after(session.pk, after, limit)]

    return await _db(read)


# --- turns and legs ---------------------------------------------------------------------------------------------------
@router.post(
    "/{slug}/turns",
    response={202: s.TurnAcceptedOut, 422: s.ErrorOut, 429: s.ErrorOut} | _REFUSALS,
    summary="Send a prompt",
)
async def turn_submit(request: HttpRequest, slug: str, body: s.PromptIn) -> Status[dict[str, int]]:
    """Have the agent work on a prompt. It waits by itself until the backend is there."""
    turn = await _db(lambda: services.turn_submit(authority_of(request).session(slug), body.prompt))
    return Status(202, {"turn": turn.number})


@router.post("/{slug}/turns/current/cancel", response={202: s.TurnAcceptedOut} | _REFUSALS, summary="Stop the turn")
async def turn_cancel(request: HttpRequest, slug: str) -> Status[dict[str, int]]:
    """Stop the turn under way. The files stay as they are at that moment."""
    turn = await _db(lambda: services.turn_cancel(authority_of(request).session(slug)))
    if turn is None:
        raise NotFound("Nothing is running that could be stopped.")
    return Status(202, {"turn": turn.number})


@router.post("/{slug}/resources/{provider}/retry", response={202: s.AcceptedOut} | _REFUSALS, summary="Retry a leg")
async def leg_retry(request: HttpRequest, slug: str, provider: s.ProviderName) -> Status[dict[str, str]]:
    """Try again to make a resource that failed. The others are left alone."""

    def retry() -> Session:
        session = authority_of(request).session(slug)
        services.leg_retry(session, provider)
        return session

    sessions.ensure((await _db(retry)).pk)
    return Status(202, {"state": "planned"})


# --- versions ---------------------------------------------------------------------------------------------------------
@router.get("/{slug}/versions", response={200: s.VersionsOut, 404: s.ErrorOut}, summary="Versions of the app")
async def version_list(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Every commit the session made, in order."""
    return await _db(lambda: state.versions_state(authority_of(request).session(slug)))


@router.post("/{slug}/versions/{number}/restore", response={202: s.RestoreAcceptedOut} | _REFUSALS, summary="Jump")
async def version_restore(request: HttpRequest, slug: str, number: int) -> Status[dict[str, int]]:
    """Put the app's files back to those of a version, as a new commit. Data in the database is not touched."""
    version = await _db(lambda: services.version_restore(authority_of(request).session(slug), number))
    return Status(202, {"restores": version.number})


@router.post("/{slug}/undo", response={202: s.RestoreAcceptedOut} | _REFUSALS, summary="Undo")
async def undo(request: HttpRequest, slug: str) -> Status[dict[str, int]]:
    """Restore the version before the current one."""
    version = await _db(lambda: services.undo(authority_of(request).session(slug)))
    return Status(202, {"restores": version.number})


@router.post("/{slug}/redo", response={202: s.RestoreAcceptedOut} | _REFUSALS, summary="Redo")
async def redo(request: HttpRequest, slug: str) -> Status[dict[str, int]]:
    """Restore the version the last undo left."""
    version = await _db(lambda: services.redo(authority_of(request).session(slug)))
    return Status(202, {"restores": version.number})
