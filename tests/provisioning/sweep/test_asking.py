"""What the sweep cannot know it asks, and an approval covers what was asked about and nothing else (I-11)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import services, sweep_rows
from provisioning.providers.base import Made
from provisioning.providers.registry import step_for
from provisioning.sweep_models import SweepRun
from tests.provisioning.sweep.acts import (
    AUDIENCE,
    DAY,
    KEY,
    LATER,
    LATEST,
    alive,
    at,
    changed,
    extra,
    forget,
    made_without_a_row,
    mine,
    twice,
    watched,
)

pytestmark = pytest.mark.usefixtures("vendors")


async def test_i11_a_copy_of_this_installation_that_still_runs_loses_nothing(
    vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    """The same key and no row: a copied database, or days that a backup has forgotten. Only staff can tell."""
    session = await begin()
    await services.converge(session.pk)
    step = step_for(*AUDIENCE)
    copies = [await made_without_a_row(step) for _ in range(3)]
    late = await extra((await rows(session))[AUDIENCE])
    _, second = await twice()
    assert (second["held"], second["deleted"], second["state"]) == (3, 1, "asking")
    assert "never meant to make it" in second["run"].reason
    assert not alive(vendors, late)
    assert (await at(timezone.now() + DAY))["deleted"] == 0
    assert alive(vendors, *copies) == set(copies)


@pytest.mark.parametrize("gap", [timedelta(minutes=4), timedelta(hours=3)], ids=["short", "long"])
async def test_i11_a_ledger_restored_from_a_backup_deletes_nothing_and_asks(
    all_vendors: Any, begin: Any, rows: Any, transactional_db: None, gap: timedelta
) -> None:
    """The last run before the backup lies `gap` before the first one after it; in between two sessions were begun.

    Within a short gap nothing tells from a clock that there was one: what saves those sessions is that no row of this
    ledger ever meant to make what they have.
    """
    now = timezone.now()
    await database_sync_to_async(watched)(now - timedelta(hours=5), now - timedelta(seconds=30))
    old = await begin()
    await services.converge(old.pk)
    saved = {key: (row.external_id, row.state, row.attempt) for key, row in (await rows(old)).items()}
    # After the backup: two more sessions, and the old one's audience is lost and made anew.
    lost = [await begin(), await begin()]
    await asyncio.gather(*(services.converge(session.pk) for session in lost))
    row = (await rows(old))[AUDIENCE]
    await step_for(*AUDIENCE).destroy(Made(row.external_id, meta=row.meta))
    anew = await extra(row)
    twin = await extra((await rows(old))[KEY])  # nobody's, then as now: the row has its own, which lives
    before = set().union(*(mine(all_vendors, session) for session in [old, *lost]))
    # The backup comes back: rows and runs since are gone.
    await forget(*lost)
    await changed(row, external_id=saved[AUDIENCE][0], state=saved[AUDIENCE][1], attempt=saved[AUDIENCE][2])
    for after in (gap, gap + timedelta(minutes=4), gap + timedelta(minutes=9)):
        swept = await at(now + LATER + after)
        if gap > timedelta(hours=1):
            assert swept["deleted"] == 0
    assert swept["state"] == "asking"
    gone = before - set().union(*(mine(all_vendors, session) for session in [old, *lost]))
    assert gone <= ({twin} if gap < timedelta(hours=1) else set())
    # And what the old session lost its hold of is not gone: a retry finds it.
    await database_sync_to_async(services.retry)(old, "resend")
    await services.converge(old.pk)
    assert (await rows(old))[AUDIENCE].external_id == anew


async def test_i11_what_was_made_in_a_gap_is_asked_about_and_what_was_made_around_it_is_not(
    vendors: Any, begin: Any, rows: Any, transactional_db: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    its = await rows(session)
    now = timezone.now()
    gap = await extra(its[AUDIENCE])
    await database_sync_to_async(watched)(now - timedelta(hours=2), now - timedelta(minutes=20))
    await database_sync_to_async(watched)(now + timedelta(minutes=20), now + timedelta(minutes=40))
    first, second = await at(now + timedelta(minutes=41)), await at(now + timedelta(minutes=45))
    assert (first["waiting"], second["held"], second["deleted"], second["state"]) == (1, 1, 0, "asking")
    assert "nobody knows whether this ledger was alive" in second["run"].reason
    assert alive(vendors, gap)
    # The gap heals: with the ledger watching around that moment the very same thing is no riddle.
    await database_sync_to_async(watched)(now - timedelta(minutes=20), now + timedelta(minutes=20))
    assert (await at(now + timedelta(minutes=50)))["deleted"] == 1


async def test_i11_a_wiped_ledger_deletes_nothing_and_asks(
    all_vendors: Any, begin: Any, transactional_db: None
) -> None:
    sessions = [await begin() for _ in range(2)]
    await asyncio.gather(*(services.converge(session.pk) for session in sessions))
    before = set().union(*(mine(all_vendors, session) for session in sessions))
    await forget(*sessions)
    await database_sync_to_async(SweepRun.objects.all().delete)()
    for after in (LATER, LATEST, DAY):
        swept = await at(timezone.now() + after)
        assert (swept["deleted"], swept["state"]) == (0, "asking")
        assert "older than this ledger" in swept["run"].reason
    assert set().union(*(mine(all_vendors, session) for session in sessions)) == before


async def test_i11_more_than_ten_are_asked_about_and_an_approval_covers_those_and_no_others(
    vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))[AUDIENCE]
    many = [await extra(row) for _ in range(11)]
    key = await extra((await rows(session))[KEY])
    first, second = await twice()
    assert (first["state"], second["state"], second["deleted"], second["held"]) == ("asking", "asking", 0, 12)
    assert "12 of" in second["run"].reason
    one_more = await extra(row)
    approve = database_sync_to_async(sweep_rows.approve)
    assert await approve(second["run"].pk, by="sam", now=timezone.now()) == (12, 0)
    with pytest.raises(sweep_rows.NothingToApprove):
        await approve(second["run"].pk, by="sam", now=timezone.now())
    third = await at(timezone.now() + timedelta(minutes=18))
    assert third["deleted"] == 12
    assert alive(vendors, *many, key) == set()
    assert alive(vendors, one_more)
    assert (await rows(session))[AUDIENCE].external_id in mine(vendors, session)


async def test_i11_an_approved_thing_that_found_an_owner_is_kept(
    vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))[AUDIENCE]
    many = [await extra(row) for _ in range(11)]
    _, second = await twice()
    await database_sync_to_async(sweep_rows.approve)(second["run"].pk, by="sam", now=timezone.now())
    await changed(row, external_id=many[0])
    await at(timezone.now() + timedelta(minutes=18))
    assert alive(vendors, *many) == {many[0]}


def test_the_ledger_counts_as_alive_between_runs_that_are_close(transactional_db: None) -> None:
    now = timezone.now()
    watched(now - timedelta(hours=2), now - timedelta(hours=1))
    watched(now - timedelta(minutes=30), now)
    SweepRun.objects.create(started_at=now)
    for minutes, alive_then in ((119, True), (125, False), (90, True), (63, False), (45, False), (29, True), (2, True)):
        assert sweep_rows.was_watching(now - timedelta(minutes=minutes)) is alive_then, minutes
    assert not sweep_rows.was_watching(now + timedelta(minutes=5))
