"""Things that are given to another owner at their vendor. The ledger lets go of one when it is theirs, and not before.

The offer is written down before it is made, so no crash loses it. While it stands, the thing is ours: it is looked at
now and then, and a session that ends waits with its deletion. Once it is no longer at our address its row is gone, for
the reason that it was given away; an offer that nobody took within a day lapses, as it does at GitHub, and the thing
ends with its session like any other.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from provisioning import clock, endings, ledger, repository_access
from provisioning.exceptions import VendorError
from provisioning.models import Provider, Resource
from provisioning.providers.registry import repository_is_there
from provisioning.signals import resource_given, work_wanted
from provisioning.work import write

log = logging.getLogger(__name__)

State = Resource.State
GIVEN, NOT_GIVEN = "given", "not_given"  # in `meta`: the offer, and what became of one that came to nothing
STANDS = timedelta(hours=25)  # GitHub's lapse after a day
_OURS = frozenset({State.READY}) | ledger.UNWANTED
_FIRST_LOOK, _LONGEST = 2.0, 600.0  # seconds


class NotGivable(Exception):
    """A thing cannot be given away, or not now; the text says why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Who is to have it, on whose word and why."""

    to: str
    by: str
    where: str
    reason: str


def offer(resource_id: int, wish: Wish) -> bool:
    """Write down that a repository is to be given away; False when that stood already.

    Raises:
        NotGivable: it is no live repository, or somebody else is to have it.
    """
    row = ledger.row(resource_id)
    if (row.provider, row.kind) != (Provider.GITHUB, "repository"):
        raise NotGivable("Only a repository can be given to another owner.")
    with ledger.fenced(row, None, frozenset({State.READY})) as current:
        if current is None:
            raise NotGivable(f"It is not live but {ledger.row(resource_id).state}.")
        standing = current.meta.get(GIVEN)
        if standing is not None:
            if standing["to"].lower() != wish.to.lower():
                raise NotGivable(f"It is being given to {standing['to']} already.")
            return False
        now = clock.now()
        told = {"to": wish.to, "by": wish.by, "where": wish.where, "reason": wish.reason}
        told |= {"at": now.isoformat(), "until": (now + STANDS).isoformat()}
        current.meta = {key: value for key, value in current.meta.items() if key != NOT_GIVEN} | {GIVEN: told}
        current.next_at = now + timedelta(seconds=_FIRST_LOOK)
        current.save(update_fields=["meta", "next_at"])
        work_wanted.send(Resource, session_id=row.session_id)
    return True


def withdraw(resource_id: int, why: str) -> None:
    """It will not be given away: it is ours like any other again."""
    with ledger.fenced(ledger.row(resource_id), None, _OURS) as current:
        if current is None or GIVEN not in current.meta:
            return
        told = current.meta[GIVEN]
        rest = {key: value for key, value in current.meta.items() if key != GIVEN}
        current.meta, current.next_at = rest | {NOT_GIVEN: {"to": told["to"], "words": why}}, None
        current.save(update_fields=["meta", "next_at"])
        work_wanted.send(Resource, session_id=current.session_id)


def offered_to(row: Resource) -> str:
    """Who is being offered it, empty when nobody is."""
    found = row.meta.get(GIVEN, {})
    return str(found["to"]) if found and row.state != State.GONE else ""


def taken_by(row: Resource) -> str:
    """Whose it is now that the ledger has let go of it, empty when it was never given away."""
    found = row.meta.get(GIVEN, {})
    return str(found["to"]) if "taken" in found else ""


def is_due(row: Resource) -> bool:
    """Whether somebody has to look if an offer was taken, now."""
    return GIVEN in row.meta and row.state in _OURS and (row.next_at is None or row.next_at <= clock.now())


def unfinished(limit: int) -> list[UUID]:
    """Sessions with an offer to look after, for whoever looks after what lost its job."""
    due = Resource.objects.filter(
        provider=Provider.GITHUB, state=State.READY, meta__has_key=GIVEN, next_at__lte=clock.now()
    )
    return list(due.values_list("session_id", flat=True)[:limit])


async def see_through(row: Resource) -> None:
    """Look whether an offer was taken; never raises what a vendor can cause. Call it with the leg's lease."""
    if not await write(is_due, row):
        return
    try:
        ours = await repository_is_there(row.external_id)
    except VendorError as error:
        log.info("offer_unclear session=%s %s", row.session.slug, error)
        await write(_look_later, row)
        return
    if not ours:
        await repository_access.end_quietly(row)
        await write(_let_go, row)
    elif await write(_has_lapsed, row):
        await write(withdraw, row.pk, f"{row.meta[GIVEN]['to']} did not accept it within a day; it is mk0r's still")
    else:
        await write(_look_later, row)


def _has_lapsed(row: Resource) -> bool:
    return clock.now() > datetime.fromisoformat(row.meta[GIVEN]["until"])


def _look_later(row: Resource) -> None:
    """Soon after the offer, and less often the longer it stands."""
    with ledger.fenced(row, None, _OURS) as current:
        if current is None or GIVEN not in current.meta:
            return
        stood = (clock.now() - datetime.fromisoformat(current.meta[GIVEN]["at"])).total_seconds()
        current.next_at = clock.now() + timedelta(seconds=min(max(stood / 4, _FIRST_LOOK), _LONGEST))
        current.save(update_fields=["next_at"])


def _let_go(row: Resource) -> None:
    told = row.meta[GIVEN]
    with transaction.atomic():
        reason = f"given to {told['to']} at {Provider(row.provider).label}"
        if not endings.forget(row, reason=reason, by=told["by"], states=_OURS):
            return
        gone = Resource.objects.get(pk=row.pk)
        gone.meta = gone.meta | {GIVEN: told | {"taken": clock.now().isoformat()}}
        gone.save(update_fields=["meta"])
        resource_given.send(
            Resource, slug=row.session.slug, provider=row.provider, kind=row.kind, name=row.name, to=told["to"],
            by=told["by"], where=told["where"], reason=told["reason"],
        )  # fmt: skip
    log.info("resource_given session=%s provider=%s", row.session.slug, row.provider)
