"""The staff endpoints of the REST API: what the console shows and may do, for programs.

Authority is a token of a member of staff and never a cookie. What changes something is an order: 202 with its number,
to be asked after at `undertakings/{id}`.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from sessions_app.database import db
from sessions_app.schemas import ErrorOut, ProviderName
from staff import choosing, leaks, revealing, undertakings
from staff import schemas as s
from staff.actors import Actor
from staff.models import Undertaking
from staff.refusals import NotAllowed, Refused
from staff.telling import audit, orders, sessions, vendors
from staff.token_auth import StaffToken, actor_of

router = Router(tags=["staff"], auth=StaffToken())

_REFUSALS: dict[int, Any] = {401: ErrorOut, 403: ErrorOut, 422: ErrorOut, 429: ErrorOut}
_OF_ONE = _REFUSALS | {404: ErrorOut}
_ORDERED = {202: s.OrderOut} | _OF_ONE
_SHOWN = {200: s.ValueOut} | _OF_ONE | {409: ErrorOut}


def _looking(request: HttpRequest, *permissions: str) -> Actor:
    """Who asks, if they may look at that. Synchronous database code."""
    actor = actor_of(request)
    if not actor.sees(*permissions):
        raise NotAllowed(f"{actor.name} may not see this: it takes {' and '.join(permissions)}.")
    return actor


def _ordered(actor: Actor, power: str, keys: list[str], reason: str, **options: Any) -> Status[dict[str, Any]]:
    used = choosing.power(power)
    return _accepted(undertakings.begin(actor, used, keys, reason=reason, options=options))


def _accepted(made: Undertaking) -> Status[dict[str, Any]]:
    return Status(202, orders.told(made))


# --- sessions ---------------------------------------------------------------------------------------------------------
@router.get("/sessions", response={200: s.SessionPageOut} | _REFUSALS, summary="List sessions")
async def session_list(
    request: HttpRequest,
    state: s.SessionState | None = None,
    stuck: bool = False,
    failed: bool = False,
    before: str = "",
    limit: Annotated[int, Query(ge=1, le=sessions.MOST)] = 50,
) -> dict[str, Any]:
    """Newest first. `stuck` has something that cannot be deleted, `failed` a leg that was not made."""

    def read() -> dict[str, Any]:
        _looking(request, "sessions_app.view_session")
        wanted = sessions.Wanted(state=state or "", stuck=stuck, failed=failed, before=before, limit=limit)
        found, following = sessions.page(wanted)
        return {"sessions": found, "next": following}

    return await db(read)


@router.get("/sessions/{slug}", response={200: s.SessionWholeOut} | _OF_ONE, summary="Everything of one session")
async def session_whole(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Resources, credentials (masked), turns, versions, the last events and what staff did with it."""

    def read() -> dict[str, Any]:
        _looking(request, "sessions_app.view_session", "provisioning.view_credential", "staff.view_entry")
        return sessions.whole(sessions.found(slug))

    return await db(read)


@router.post("/sessions/{slug}/teardown", response=_ORDERED, summary="End and destroy")
async def session_teardown(request: HttpRequest, slug: str, body: s.OrderIn | None = None) -> Status[dict[str, Any]]:
    """End the session and destroy everything it owns. The order has ended when all is proved gone."""

    def order() -> Status[dict[str, Any]]:
        actor, reason = _may(request, "teardown"), body.reason if body else ""
        return _ordered(actor, "teardown", [str(sessions.found(slug).pk)], reason)

    return await db(order)


@router.post("/sessions/{slug}/extend", response=_ORDERED, summary="Give more time")
async def session_extend(request: HttpRequest, slug: str, body: s.ExtendIn) -> Status[dict[str, Any]]:
    """Let the session and its credentials live for so long from now."""

    def order() -> Status[dict[str, Any]]:
        actor = _may(request, "extend")
        return _ordered(actor, "extend", [str(sessions.found(slug).pk)], body.reason, hours=body.hours)

    return await db(order)


@router.post("/sessions/{slug}/resources/{provider}/retry", response=_ORDERED, summary="Retry a leg")
async def leg_retry(
    request: HttpRequest, slug: str, provider: ProviderName, body: s.OrderIn | None = None
) -> Status[dict[str, Any]]:
    """Try again to make what failed there."""

    def order() -> Status[dict[str, Any]]:
        actor, reason = _may(request, "retry"), body.reason if body else ""
        return _ordered(actor, "retry", choosing.failed(sessions.found(slug), [provider]), reason)

    return await db(order)


def _may(request: HttpRequest, power: str) -> Actor:
    """Who orders, if they may: asked before anything is looked up, so that others learn nothing of what exists."""
    actor, right = actor_of(request), choosing.power(power).right
    if not actor.may(right):
        raise NotAllowed(f"{actor.name} may not do this: it takes the permission staff.{right}.")
    return actor


# --- vendors ----------------------------------------------------------------------------------------------------------
@router.get("/vendors", response={200: s.VendorsOut} | _REFUSALS, summary="How each vendor treats us")
async def vendor_list(request: HttpRequest) -> dict[str, Any]:
    """What is paused, refused or stopped, and what is on its way there or stuck."""

    def read() -> dict[str, Any]:
        _looking(request, "provisioning.view_vendor", "provisioning.view_resource")
        return {"vendors": vendors.told()}

    return await db(read)


@router.post("/vendors/{provider}/pause", response=_ORDERED, summary="Stop the use of a vendor")
async def vendor_pause(
    request: HttpRequest, provider: ProviderName, body: s.OrderIn | None = None
) -> Status[dict[str, Any]]:
    """Nothing is made there until it is used again; deletions go on."""
    return await _stopped(request, provider, body, stopped=True)


@router.post("/vendors/{provider}/resume", response=_ORDERED, summary="Use a vendor again")
async def vendor_resume(
    request: HttpRequest, provider: ProviderName, body: s.OrderIn | None = None
) -> Status[dict[str, Any]]:
    """What waits for it is made from here on."""
    return await _stopped(request, provider, body, stopped=False)


async def _stopped(
    request: HttpRequest, provider: str, body: s.OrderIn | None, *, stopped: bool
) -> Status[dict[str, Any]]:
    def order() -> Status[dict[str, Any]]:
        actor, reason = _may(request, "pause_vendor"), body.reason if body else ""
        return _ordered(actor, "pause_vendor", [provider], reason, stopped=stopped)

    return await db(order)


@router.post("/sweep", response=_ORDERED, summary="Sweep the vendors' inventories")
async def sweep(request: HttpRequest, body: s.SweepIn | None = None) -> Status[dict[str, Any]]:
    """Delete what provably is ours and has no owner, repair rows whose thing is gone, report the rest."""

    def order() -> Status[dict[str, Any]]:
        actor, asked = _may(request, "sweep"), body or s.SweepIn()
        return _ordered(actor, "sweep", [choosing.EVERYTHING], asked.reason, dry=asked.dry)

    return await db(order)


# --- orders and the audit log -----------------------------------------------------------------------------------------
@router.get("/undertakings/{key}", response={200: s.OrderOut} | _OF_ONE, summary="How far an order is")
async def undertaking(request: HttpRequest, key: UUID) -> dict[str, Any]:
    """The order and each of its errands."""

    def read() -> dict[str, Any]:
        _looking(request, "staff.view_undertaking")
        return orders.told(orders.found(key))

    return await db(read)


@router.get("/audit", response={200: s.EntryPageOut} | _REFUSALS, summary="The audit log")
async def audit_log(
    request: HttpRequest,
    session: str = "",
    who: str = "",
    action: str = "",
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=audit.MOST_LINES)] = 50,
    format: Literal["json", "jsonl"] = "json",  # noqa: A002 (its name in the address)
) -> Any:
    """Newest first, at most 200 at once, `before` a number. With `format=jsonl` it is an export: one entry a line,
    oldest first, those `after` a number, at most 10 000 at once; ask again with the last number that came. There the
    newest entries come a minute late, so that none is missed.
    """

    def read() -> Any:
        _looking(request, "staff.view_entry")
        wanted = audit.Wanted(session=session, who=who, action=action)
        if format == "jsonl":
            return _lines(audit.after(wanted, number=after, limit=limit))
        entries, following = audit.page(wanted, before=before, limit=limit)
        return {"entries": entries, "next": following}

    return await db(read)


def _lines(entries: list[dict[str, Any]]) -> HttpResponse:
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in entries)
    return HttpResponse(text, content_type="application/jsonl; charset=utf-8", headers={"Cache-Control": "no-store"})


# --- credentials ------------------------------------------------------------------------------------------------------
@router.post("/credentials/{key}/reveal", response=_SHOWN, summary="See a credential's value")
async def reveal(request: HttpRequest, key: UUID, body: s.RevealIn) -> dict[str, Any]:
    """The value, for a reason that is kept; so is every refusal. Only for tokens made for it (`--scope reveal`)."""

    def read() -> dict[str, Any]:
        actor = actor_of(request)
        try:
            value = revealing.reveal(actor, key, body.reason)
        except Refused as refusal:
            revealing.refused(actor, key, body.reason, str(refusal))
            raise
        return {"name": revealing.name_of(key), "value": value.expose()}

    return await db(read)


@router.post("/leaks", response=_ORDERED, summary="Report a leaked value")
async def leak(request: HttpRequest, body: s.LeakIn) -> Status[dict[str, Any]]:
    """Find the live credential that has this value and have its vendor take it no more. 404: it is none of ours, or
    was revoked already. The value itself is not kept.
    """

    def order() -> Status[dict[str, Any]]:
        actor = _may(request, "revoke")
        return _ordered(actor, "revoke", leaks.holders(body.value), f"leaked: {body.where or 'reported'}")

    return await db(order)
