"""What no row leads to is found and deleted where it provably is ours (I-11); what is not ours is told and left."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import services, sweep, sweep_rules
from provisioning.providers.base import Order
from provisioning.providers.registry import step_for
from provisioning.sweep_models import Stray, SweepRun
from provisioning.sweep_report import Report
from sessions_app.slugs import slug_for
from tests.provisioning.sweep.acts import (
    AUDIENCE,
    DAY,
    KEY,
    LATER,
    LATEST,
    PROJECT,
    alive,
    at,
    extra,
    forget,
    mine,
    twice,
    watched,
)

pytestmark = pytest.mark.usefixtures("vendors")


async def test_i11_what_was_made_behind_the_ledgers_back_is_deleted_on_the_second_pass_and_not_before(
    all_vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    owned = mine(all_vendors, session)
    its = await rows(session)
    late = [await extra(its[which]) for which in (AUDIENCE, KEY, PROJECT)]
    now = timezone.now()
    first = await at(now + LATER)
    assert (first["unknown"], first["waiting"], first["deleted"]) == (3, 3, 0)
    assert (await at(now + LATER + timedelta(seconds=10)))["deleted"] == 0  # the same moment twice is one sighting
    assert alive(all_vendors, *late) == set(late)
    third = await at(now + LATEST)
    assert (third["deleted"], third["held"], third["state"]) == (3, 0, "done")
    assert alive(all_vendors, *late) == set()
    assert mine(all_vendors, session) == owned
    strays = await database_sync_to_async(lambda: list(Stray.objects.filter(external_id__in=late)))()
    assert len(strays) == 3
    assert all(stray.deleted_at for stray in strays)
    assert (await at(now + LATEST + timedelta(minutes=5)))["unknown"] == 0


async def test_i11_nothing_is_deleted_before_its_grace_is_over(
    vendors: Any, begin: Any, rows: Any, watching: None, settings: Any
) -> None:
    settings.MK0R_SWEEP_GRACE = 1  # below twice the longest create, so that one counts
    session = await begin()
    await services.converge(session.pk)
    late = await extra((await rows(session))[AUDIENCE])
    now = timezone.now()
    for minutes in (0, 4, 8, 9.8):
        assert (await at(now + timedelta(minutes=minutes)))["deleted"] == 0
    assert alive(vendors, late)
    assert (await at(now + LATER))["deleted"] == 1


async def test_i11_a_create_that_lands_after_the_session_has_ended_is_swept(
    all_vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    its = await rows(session)
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    late = [await extra(its[which]) for which in (AUDIENCE, ("github", "repository"))]
    await twice()
    assert alive(all_vendors, *late) == set()


async def test_i11_a_name_with_an_attempts_number_is_known_for_ours(
    vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    late = await extra((await rows(session))[AUDIENCE], name=f"mk0r-{session.slug}-2")
    assert (await twice())[1]["deleted"] == 1
    assert not alive(vendors, late)


async def test_i11_foreign_names_are_reported_and_never_touched(vendors: Any, begin: Any, watching: None) -> None:
    step = step_for(*AUDIENCE)
    names = ["mk0r-", "mk0r-hello", f"mk0r-{'a' * 12}", f"mk0r-{slug_for(uuid.uuid4())}-old", "mk0r-<b>x</b>"]
    names += [f"mk0r-team-{number}" for number in range(20)]
    now = timezone.now()
    theirs = [(await step.create(Order("x" * 12, name, 1, now, now + DAY))).external_id for name in names]
    for passes in (LATER, LATEST, DAY):
        swept = await at(now + passes)
        assert (swept["unknown"], swept["deleted"], swept["state"]) == (0, 0, "done")
        assert swept["foreign"] >= len(names)
    assert alive(vendors, *theirs) == set(theirs)
    assert await database_sync_to_async(Stray.objects.count)() == 0


@pytest.mark.parametrize("name", ["mk0r-\0", "mk0r-\ud800", "mk0r-" + "x" * 1_000_000], ids=["NUL", "half", "long"])
def test_a_foreign_name_of_any_kind_can_be_reported(transactional_db: None, name: str) -> None:
    report = Report()
    report.saw_foreign([name])
    run = SweepRun.objects.create(report={"resend": report.stored()})
    run.refresh_from_db()
    assert run.report["resend"]["foreign"] == 1
    assert len(str(run.report)) < 1000


async def test_i11_two_installations_on_one_account_delete_nothing_of_each_other(
    all_vendors: Any, begin: Any, rows: Any, settings: Any, transactional_db: None
) -> None:
    """Two keys, two ledgers, one account: each in turn is the one that sweeps, without the other's rows."""
    await database_sync_to_async(watched)(timezone.now() - timedelta(hours=1), timezone.now())
    theirs = await begin()
    await services.converge(theirs.pk)
    loose = await extra((await rows(theirs))[AUDIENCE])
    held = mine(all_vendors, theirs)
    assert len(held) == 5
    await forget(theirs)
    settings.SECRET_KEY = f"installation-{uuid.uuid4()}"
    ours = await begin()
    await services.converge(ours.pk)
    stray = await extra((await rows(ours))[AUDIENCE])
    first, second = await twice()
    assert first["foreign"] >= 5
    assert (second["deleted"], second["held"]) == (1, 0)
    assert not alive(all_vendors, stray)
    assert mine(all_vendors, theirs) == held
    assert loose in held


async def test_i11_a_run_deletes_no_more_than_its_cap(
    vendors: Any, begin: Any, rows: Any, watching: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_rules, "MOST", 2)
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))[AUDIENCE]
    for _ in range(3):
        await extra(row)
    _, second = await twice()
    assert (second["deleted"], second["due"]) == (2, 1)
    assert (await at(timezone.now() + timedelta(minutes=18)))["deleted"] == 1


async def test_i11_a_dry_run_and_the_first_one_of_a_process_delete_nothing(
    vendors: Any, begin: Any, rows: Any, watching: None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    late = await extra((await rows(session))[AUDIENCE])
    now = timezone.now()
    await at(now + LATER)
    assert (await at(now + LATEST, dry=True))["due"] == 1
    await database_sync_to_async(SweepRun.objects.filter(started_at__gt=now - timedelta(minutes=2)).delete)()
    settings.MK0R_SWEEP_SECONDS = 60
    monkeypatch.setattr(sweep, "_swept_here", False)
    first = await sweep.run_due()
    assert first is not None
    assert first.dry
    assert await sweep.run_due() is None  # not due yet
    await database_sync_to_async(SweepRun.objects.filter(pk=first.pk).update)(started_at=now - timedelta(minutes=2))
    second = await sweep.run_due()
    assert second is not None
    assert not second.dry
    assert alive(vendors, late)  # in real time it is seconds old
