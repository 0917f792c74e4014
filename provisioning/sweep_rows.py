"""The sweep's side of the database: whose is what a vendor lists, what was seen when, and what was asked of staff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, Min, Q, QuerySet

from provisioning import giving, rotations
from provisioning.ledger import IN_FLIGHT
from provisioning.models import Resource
from provisioning.names import slug_in
from provisioning.providers.base import Found, Step
from provisioning.sweep_models import DISMISSAL, Ghost, Stray, SweepRun
from provisioning.sweep_rules import MARGIN, Intent, longest_watch

State = Resource.State


@dataclass(slots=True)
class Compared:
    """One kind of thing at one vendor, listed and held against the ledger."""

    step: Step
    listed: frozenset[str]  # external ids
    owned: int = 0
    strays: list[Stray] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)  # names


def begin_run(now: datetime, *, dry: bool, by_hand: bool) -> SweepRun:
    """Write down that the ledger is alive now, before anything is looked at."""
    return SweepRun.objects.create(started_at=now, dry=dry, by_hand=by_hand)


def last_run_at() -> datetime | None:
    """When the last run began that nobody asked for by hand."""
    last: datetime | None = SweepRun.objects.filter(by_hand=False).aggregate(last=Max("started_at"))["last"]
    return last


def looked_by_hand(since: datetime) -> bool:
    """Whether somebody has had a whole dry run since then, and so could see what a live one would do."""
    return SweepRun.objects.filter(by_hand=True, dry=True, ended_at__isnull=False, started_at__gte=since).exists()


def finish_run(run: SweepRun) -> None:
    """Save what a run found."""
    run.save(update_fields=["ended_at", "state", "reason", "report", "asked"])


def ledger_since() -> datetime | None:
    """The first moment this ledger speaks of."""
    first = [
        SweepRun.objects.aggregate(first=Min("started_at"))["first"],
        Resource.objects.aggregate(first=Min("created_at"))["first"],
    ]
    return min((moment for moment in first if moment is not None), default=None)


def was_watching(moment: datetime) -> bool:
    """Whether this ledger was alive around `moment`: it lies between two runs not farther apart than a few intervals.

    A ledger restored from a backup, or copied, was not alive between its last run before and its first one after.
    """
    for edge in (moment - MARGIN, moment + MARGIN):
        before = SweepRun.objects.filter(started_at__lte=edge).aggregate(at=Max("started_at"))["at"]
        after = SweepRun.objects.filter(started_at__gte=edge).aggregate(at=Min("started_at"))["at"]
        if before is None or after is None or after - before > longest_watch():
            return False
    return True


def intent_of(stray: Stray, listed: frozenset[str]) -> Intent | None:
    """The row under whose name the stray was made, whatever became of it; None when there never was one."""
    row = row_of(stray)
    if row is None or not (row.attempt or row.external_id):
        return None
    moved = [at for at in (row.started_at, row.settled_at, row.deleted_at, row.verified_at) if at is not None]
    working = row.state in IN_FLIGHT | {State.PLANNED, State.DELETING, State.STUCK}
    return Intent(
        since=row.created_at,
        until=None if working else max([row.created_at, *moved]),
        ended=row.state == State.GONE,
        holds=row.external_id in listed,
        given=bool(giving.taken_by(row)),
    )


def row_of(stray: Stray) -> Resource | None:
    """The row under whose name the stray was made, with its session; None when there never was one."""
    slug = slug_in(stray.name)
    rows = Resource.objects.select_related("session")
    return rows.filter(session__slug=slug, provider=stray.provider, kind=stray.kind).first() if slug else None


def leg_of(stray: Stray) -> Any:
    """The session under whose name the stray was made; None when there never was one."""
    row = row_of(stray)
    return row.session_id if row else None


def has_owner(provider: str, kind: str, external_id: str, name: str) -> bool:
    """Whether a row that is not gone has this thing, or has its name and none yet, or one that is being replaced."""
    mine = Q(external_id=external_id) | Q(external_id="", name=name)
    mine |= Q(name=name, rotations__isnull=False, rotations__ended_at=None)
    return Resource.objects.filter(mine, provider=provider, kind=kind).exclude(state=State.GONE).exists()


def compare(step: Step, found: Sequence[Found], now: datetime) -> Compared:
    """Hold a whole list against the rows and write down what has no owner. Read the rows after the list was had:
    what a session makes is in its row before it can be on any list (I-1)."""
    rows = Resource.objects.filter(provider=step.provider, kind=step.kind).exclude(state=State.GONE)
    held = list(rows.values_list("external_id", "name"))
    ids, names = {external_id for external_id, _ in held}, {name for external_id, name in held if not external_id}
    names |= rotations.names_under_way(step.provider, step.kind)
    result = Compared(step, frozenset(one.external_id for one in found))
    mine = [one for one in found if one.external_id not in ids and one.name not in names]
    result.owned = len(found) - len(mine)
    ours = [one for one in mine if slug_in(one.name)]
    result.foreign = sorted(one.name for one in mine if not slug_in(one.name))
    with transaction.atomic():
        result.strays = [_sight(step, one, now) for one in ours]
        left = Stray.objects.filter(provider=step.provider, kind=step.kind, cleared_at=None, deleted_at=None)
        left.exclude(pk__in=[stray.pk for stray in result.strays]).update(
            cleared_at=now, why="owned, or listed no more"
        )
    return result


def _sight(step: Step, found: Found, now: datetime) -> Stray:
    stray, first = Stray.objects.select_for_update().get_or_create(
        provider=step.provider,
        kind=step.kind,
        external_id=found.external_id,
        defaults={
            "name": found.name,
            "meta": dict(found.meta),
            "made_at": found.created_at,
            "first_seen": now,
            "last_seen": now,
        },
    )
    if first:
        return stray
    if stray.deleted_at is not None or (stray.name, stray.made_at) != (found.name, found.created_at):
        # The id is that of something else now, as where a repository is made again under its name.
        stray.first_seen, stray.sightings, stray.approved_at, stray.provable = now, 0, None, False
        stray.dismiss(None)
    stray.name, stray.made_at, stray.meta, stray.last_seen = found.name, found.created_at, dict(found.meta), now
    stray.sightings, stray.cleared_at, stray.deleted_at = stray.sightings + 1, None, None
    stray.save()
    return stray


def note(stray: Stray, why: str, *, provable: bool | None = None) -> None:
    """Write down why a stray is still there, and whether it provably is ours and needed no more."""
    provable = stray.provable if provable is None else provable
    if (stray.why, stray.provable) != (why, provable):
        stray.why, stray.provable = why, provable
        stray.save(update_fields=["why", "provable"])


def cleared(stray: Stray, why: str, now: datetime) -> None:
    """It no longer concerns the sweep."""
    stray.why, stray.cleared_at = why, now
    stray.save(update_fields=["why", "cleared_at"])


def deleted(stray: Stray, now: datetime) -> None:
    """The sweep deleted it, and a re-read proved that."""
    stray.deleted_at = now
    stray.save(update_fields=["why", "deleted_at"])


def missing(step: Step, listed: frozenset[str], began: datetime) -> tuple[list[Resource], int]:
    """Ready rows of open sessions whose thing is not on a list that was begun after they became ready.

    And how many rows the list was held against. Notes about ghosts that are on the list are removed. What staff leave
    alone is left out.
    """
    rows = Resource.objects.select_related("session", "ghost").filter(
        provider=step.provider, kind=step.kind, state=State.READY, session__state="open", settled_at__lt=began
    )
    expected = list(rows.order_by("id"))
    absent = [row for row in expected if row.external_id not in listed]
    stale = Ghost.objects.filter(resource__provider=step.provider, resource__kind=step.kind)
    stale.exclude(resource__in=[row.pk for row in absent]).delete()
    return [row for row in absent if not _left_alone(row)], len(expected)


def _left_alone(row: Resource) -> bool:
    ghost: Ghost | None = getattr(row, "ghost", None)
    return ghost is not None and ghost.dismissed_at is not None and ghost.external_id == row.external_id


def sight_ghost(row: Resource, now: datetime) -> Ghost:
    """Write down that a vendor no longer has what the row says it has."""
    ghost, _ = Ghost.objects.get_or_create(
        resource_id=row.pk, defaults={"external_id": row.external_id, "first_seen": now, "last_seen": now}
    )
    if ghost.external_id != row.external_id:  # another thing of the same row
        ghost.external_id, ghost.first_seen, ghost.approved_at = row.external_id, now, None
        ghost.dismiss(None)
    ghost.resource, ghost.last_seen = row, now
    ghost.save()
    return ghost


def lay(ghost: Ghost) -> None:
    """Forget a ghost: its row has been repaired, or its thing is there."""
    ghost.delete()


class NothingToApprove(Exception):
    """There is no such run, or it asks nothing, or it was answered."""


def approve(run_id: int, *, by: str, now: datetime) -> tuple[int, int]:
    """Let the sweep delete the strays, and repair the ghosts, that this run asked about: these and no others.

    Returns how many of each are still as they were then.

    Raises:
        NothingToApprove: there is nothing to answer.
    """
    with transaction.atomic():
        run = SweepRun.objects.select_for_update().filter(pk=run_id, state=SweepRun.State.ASKING).first()
        if run is None or run.answered:
            raise NothingToApprove(f"Run {run_id} asks nothing, or was answered.")
        run.approved_at, run.approved_by = now, by[:150]
        run.save(update_fields=["approved_at", "approved_by"])
        strays, ghosts = _still_asked(run)
        return strays.update(approved_at=now), ghosts.update(approved_at=now)


def dismiss_run(run_id: int, *, by: str, reason: str, now: datetime) -> tuple[int, int]:
    """Leave alone what this run asked about: these and no others. Returns and raises as `approve` does."""
    with transaction.atomic():
        run = SweepRun.objects.select_for_update().filter(pk=run_id, state=SweepRun.State.ASKING).first()
        if run is None or run.answered:
            raise NothingToApprove(f"Run {run_id} asks nothing, or was answered.")
        run.dismiss(now, by=by, reason=reason)
        run.save(update_fields=DISMISSAL)
        strays, ghosts = _still_asked(run)
        said = {"dismissed_at": now, "dismissed_by": run.dismissed_by, "dismissed_reason": run.dismissed_reason}
        return strays.filter(approved_at=None).update(**said), ghosts.filter(approved_at=None).update(**said)


def _still_asked(run: SweepRun) -> tuple[QuerySet[Stray], QuerySet[Ghost]]:
    """What of a run's questions is open: what staff left alone one by one stays so."""
    strays = Stray.objects.filter(pk__in=_ids(run.asked, "strays"), cleared_at=None, deleted_at=None, dismissed_at=None)
    return strays, Ghost.objects.filter(pk__in=_ids(run.asked, "ghosts"), dismissed_at=None)


def asked_about(run: SweepRun) -> tuple[list[Stray], list[Ghost]]:
    """What a run asked about, as it is now."""
    ghosts = Ghost.objects.select_related("resource__session").filter(pk__in=_ids(run.asked, "ghosts"))
    return list(Stray.objects.filter(pk__in=_ids(run.asked, "strays"))), list(ghosts)


def _ids(asked: Mapping[str, Any], which: str) -> Iterable[int]:
    return [int(one) for one in asked.get(which, [])]
