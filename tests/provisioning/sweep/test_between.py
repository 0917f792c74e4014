"""Whatever happens between a look and a deletion, and wherever a run fails or is cut, nothing live is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import faults, leases, services, sweep
from provisioning.providers.base import Made
from provisioning.providers.registry import step_for
from provisioning.sweep_models import Stray, SweepRun
from provisioning.sweep_report import Report
from tests.provisioning.sweep.acts import (
    AUDIENCE,
    DAY,
    KEY,
    LATER,
    LATEST,
    PROJECT,
    alive,
    at,
    changed,
    extra,
    mine,
    twice,
)

pytestmark = pytest.mark.usefixtures("vendors")


async def due(which: tuple[str, str], *moments: timedelta) -> list[Stray]:
    """What the sweep would delete next at one vendor, listed and decided but not yet deleted."""
    now = timezone.now()
    for moment in moments or (LATER, LATEST):
        await database_sync_to_async(SweepRun.objects.create)(started_at=now + moment)
        report = Report()
        compared = await sweep.look(step_for(*which), report, now + moment)
        assert compared is not None
        found = await sweep.decide([compared], report, now + moment)
    return found


async def test_i11_a_thing_that_a_session_takes_up_between_list_and_delete_is_kept(
    vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))[AUDIENCE]
    late = await extra(row)
    [stray] = await due(AUDIENCE)
    await step_for(*AUDIENCE).destroy(Made(row.external_id, meta=row.meta))
    await changed(row, state="failed", error={"reason": "lost"})
    await database_sync_to_async(services.retry)(session, "resend")
    await services.converge(session.pk)
    assert (await rows(session))[AUDIENCE].external_id == late
    assert not await sweep.clear(stray, timezone.now() + LATEST)
    assert alive(vendors, late)


async def test_i11_nothing_is_deleted_under_the_hands_of_a_leg_at_work(
    vendors: Any, begin: Any, rows: Any, watching: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_PATIENCE", 0.1)
    session = await begin()
    await services.converge(session.pk)
    late = await extra((await rows(session))[AUDIENCE])
    [stray] = await due(AUDIENCE)
    async with leases.hold(leases.of_leg(session.pk, "resend")):
        assert not await sweep.clear(stray, timezone.now() + LATEST)
    assert alive(vendors, late)
    assert await sweep.clear(stray, timezone.now() + LATEST)
    assert not alive(vendors, late)


async def test_i11_what_its_row_could_still_take_up_is_left_to_it(
    vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))[AUDIENCE]
    late = await extra(row)
    await step_for(*AUDIENCE).destroy(Made(row.external_id, meta=row.meta))
    for moment in (LATER, LATEST, DAY):
        assert (await at(timezone.now() + moment, dry=True))["due"] == 0
    await twice()
    assert (await rows(session))[AUDIENCE].error["reason"] == "lost"
    assert alive(vendors, late)


async def test_a_vendor_that_cannot_be_listed_leaves_the_others_swept_and_proves_nothing(
    all_vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    its = await rows(session)
    late, project = await extra(its[AUDIENCE]), await extra(its[PROJECT])
    now = timezone.now()
    await at(now + LATER)
    all_vendors.set_faults([{"vendor": "neon", "operation": "list_projects", "fault": "status:500"}])
    second = await at(now + LATEST)
    assert "no whole list" in second["run"].report["neon"]["trouble"][0]
    assert not alive(all_vendors, late)
    assert alive(all_vendors, project)
    assert {row.state for row in (await rows(session)).values() if row.provider != "e2b"} == {"ready"}
    assert (second["ghosts"], second["state"]) == (0, "done")
    all_vendors.clear_faults()
    await at(now + LATEST + timedelta(minutes=5))
    assert not alive(all_vendors, project)


async def test_a_vendor_seen_in_part_is_cleared_of_nothing(vendors: Any, begin: Any, rows: Any, watching: None) -> None:
    session = await begin()
    await services.converge(session.pk)
    late = await extra((await rows(session))[AUDIENCE])
    vendors.set_faults([{"vendor": "resend", "operation": "list_api_keys", "fault": "garbage"}])
    _, second = await twice()
    assert (second["deleted"], second["due"]) == (0, 1)
    assert alive(vendors, late)


async def test_i9_one_deletion_that_fails_stops_no_other_and_is_tried_again(
    vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    its = await rows(session)
    audience, key = await extra(its[AUDIENCE]), await extra(its[KEY])
    vendors.set_faults([{"vendor": "resend", "operation": "delete_audience", "fault": "status:500"}])
    _, second = await twice()
    assert (second["deleted"], second["due"]) == (1, 1)
    assert alive(vendors, audience, key) == {audience}
    assert "could not be deleted" in second["run"].report["resend"]["trouble"][0]
    vendors.clear_faults()
    await at(timezone.now() + timedelta(minutes=18))
    assert alive(vendors, audience) == set()


@pytest.fixture
def _disarmed() -> Iterator[None]:
    yield
    faults.arm("")


@pytest.mark.usefixtures("_disarmed")
@pytest.mark.parametrize("where", faults.SWEEP_POINTS)
async def test_a_sweep_that_is_cut_anywhere_is_taken_up_by_the_next(
    vendors: Any, begin: Any, rows: Any, watching: None, where: str
) -> None:
    session = await begin()
    await services.converge(session.pk)
    owned = mine(vendors, session)
    late = await extra((await rows(session))[AUDIENCE])
    faults.arm(f"sweep.{where}=raise")
    _, second = await twice()
    assert second["deleted"] == 0
    assert "mk0r itself failed" in second["run"].report["resend"]["trouble"][0]
    faults.arm("")
    await at(timezone.now() + timedelta(minutes=18))
    third = await at(timezone.now() + timedelta(minutes=22))
    assert (third["unknown"], third["state"]) == (0, "done")
    assert not alive(vendors, late)
    assert mine(vendors, session) == owned
