"""What no row leads to is found and deleted where it provably is ours (I-11); everything else is left and told.

Time is handed to the sweep: a session made now is swept "eleven minutes later". Each test is an installation with a key
of its own, so what earlier tests left at the vendors is another installation's.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from channels.db import database_sync_to_async
from django.core.management import CommandError
from django.db import connection, transaction
from django.utils import timezone

from provisioning import envfile, faults, ghosts, leases, ledger, services, sweep, sweep_rows, sweep_rules
from provisioning.models import Credential, Resource
from provisioning.providers.base import Made, Order, Step
from provisioning.providers.registry import step_for
from provisioning.sweep_models import Ghost, Stray, SweepRun
from provisioning.sweep_report import Report
from sessions_app.models import Event, Session
from sessions_app.slugs import slug_for
from staff.models import Entry
from tests.fixtures.cloud import CloudUnderTest, run_cloud

pytestmark = pytest.mark.usefixtures("vendors")

AUDIENCE, KEY, PROJECT = ("resend", "audience"), ("resend", "api_key"), ("neon", "project")
LATER, LATEST = timedelta(minutes=11), timedelta(minutes=14)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    """A cloud of this module's own: how much is in it decides what the sweep dares."""
    with run_cloud(tmp_path_factory.mktemp("swept")) as running:
        yield running


@pytest.fixture
def vendors(vendor_settings: CloudUnderTest, without_sandbox: None, settings: Any) -> CloudUnderTest:
    """An installation of its own that knows Resend only, where two things of one name can be had at once."""
    settings.SECRET_KEY = f"installation-{uuid.uuid4()}"
    settings.NEON_API_KEY = settings.GITHUB_TOKEN = ""
    return vendor_settings


@pytest.fixture
def all_vendors(vendors: CloudUnderTest, settings: Any) -> CloudUnderTest:
    """The same with Neon and GitHub."""
    settings.NEON_API_KEY, settings.GITHUB_TOKEN = vendors.keys["neon"], vendors.keys["github"]
    return vendors


@pytest.fixture
def watching(transactional_db: None) -> None:
    """This ledger has been alive for an hour."""
    watched(timezone.now() - timedelta(hours=1), timezone.now())


def watched(since: datetime, until: datetime) -> None:
    """Runs of the sweep, every five minutes."""
    while since < until:
        SweepRun.objects.create(started_at=since, ended_at=since, state="done")
        since += timedelta(minutes=5)


async def at(moment: datetime, *, dry: bool = False) -> dict[str, Any]:
    """Sweep as if it were `moment`; the figures of all vendors added up, and the run."""
    run = await sweep.run(now=moment, dry=dry)
    figures: dict[str, Any] = {"run": run, "state": run.state}
    for report in run.report.values():
        for name in (
            "listed",
            "owned",
            "unknown",
            "foreign",
            "ghosts",
            "deleted",
            "held",
            "waiting",
            "due",
            "repaired",
        ):
            figures[name] = figures.get(name, 0) + report[name]
    return figures


async def twice(*, after: timedelta = LATER) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two passes that count as two, late enough for everything there is."""
    now = timezone.now()
    return await at(now + after), await at(now + after + timedelta(minutes=3))


async def extra(row: Resource, **changes: Any) -> str:
    """Make a second thing under a row's name, as a create does that succeeds when nobody waits for it; its id."""
    order = await database_sync_to_async(lambda: ledger.order_for(ledger.row(row.pk)))()
    fields = {name: getattr(order, name) for name in ("slug", "name", "attempt", "intended_at", "expires_at")}
    return (await step_for(row.provider, row.kind).create(Order(**fields | changes))).external_id


async def made_without_a_row(step: Step, slug: str = "") -> str:
    """Make a thing under a name of this installation that no row was ever written for; its id."""
    slug = slug or slug_for(uuid.uuid4())
    now = timezone.now()
    return (await step.create(Order(slug, f"mk0r-{slug}", 1, now, now + DAY))).external_id


def alive(cloud: CloudUnderTest, *ids: str) -> set[str]:
    """Which of these still live at their vendor."""
    return {one["id"] for one in cloud.live()} & set(ids)


def mine(cloud: CloudUnderTest, session: Session) -> set[str]:
    return {one["id"] for one in cloud.live() if session.slug in one["name"]}


@database_sync_to_async
def changed(row: Resource, **fields: Any) -> None:
    Resource.objects.filter(pk=row.pk).update(**fields)


@database_sync_to_async
def forget(*sessions: Session) -> None:
    """Take every word about these sessions out of the ledger, as an older backup would not have them."""
    pks = [session.pk for session in sessions]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # as a restore does: no trigger keeps a row
        Credential.objects.filter(resource__session__in=pks).delete()
        Ghost.objects.filter(resource__session__in=pks).delete()
        Resource.objects.filter(session__in=pks).delete()
        Event.objects.filter(session__in=pks).delete()
        Session.objects.filter(pk__in=pks).delete()


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


@pytest.mark.parametrize("which", [AUDIENCE, KEY, PROJECT, ("github", "repository")], ids="-".join)
async def test_a_ready_row_whose_thing_is_gone_is_told_and_a_retry_makes_a_new_one(
    all_vendors: Any, begin: Any, rows: Any, heard: Any, watching: None, which: tuple[str, str]
) -> None:
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))[which]
    env = await database_sync_to_async(services.env_text)(session)
    await _really_destroy(row)
    now = timezone.now()
    assert (await at(now + LATER))["ghosts"] == 1
    assert (await rows(session))[which].state == "ready"
    second = await at(now + LATEST)
    assert (second["ghosts"], second["repaired"], second["state"]) == (1, 1, "done")
    failed = (await rows(session))[which]
    assert (failed.state, failed.error["reason"], failed.error["retryable"]) == ("failed", "lost", True)
    assert heard.states(session, row.provider)[-1] == "failed"
    assert await database_sync_to_async(services.retry)(session, row.provider)
    await services.converge(session.pk)
    again = (await rows(session))[which]
    assert again.state == "ready"
    assert which[0] == "github" or again.external_id != row.external_id
    assert alive(all_vendors, again.external_id) or which[0] == "github"
    rewritten = await database_sync_to_async(services.env_text)(session)
    assert which[0] == "github" or rewritten != env
    assert set(envfile.parse(rewritten)) == set(envfile.parse(env))
    assert (await at(now + LATEST + timedelta(minutes=5)))["ghosts"] == 0


async def _really_destroy(row: Resource) -> None:
    step = step_for(row.provider, row.kind)
    await step.destroy(Made(row.external_id, meta=row.meta))
    assert not await step.exists(Made(row.external_id, meta=row.meta))


async def test_the_ghosts_of_a_closing_session_need_no_repair(
    vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    session = await begin()
    await services.converge(session.pk)
    await _really_destroy((await rows(session))[AUDIENCE])
    await database_sync_to_async(Session.objects.filter(pk=session.pk).update)(state="closing")
    assert [swept["ghosts"] for swept in await twice()] == [0, 0]


async def test_a_thing_that_is_only_missing_on_the_list_is_no_ghost(
    vendors: Any, begin: Any, rows: Any, watching: None
) -> None:
    """The list says no, the thing itself says yes: an inventory that lags is believed in nothing."""
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))[AUDIENCE]
    compared = sweep_rows.Compared(step_for(*AUDIENCE), frozenset())
    for moment in (LATER, LATEST):
        report = Report()
        await ghosts.repair(compared, report, now=timezone.now() + moment, dry=False)
        assert report.ghosts == 0
    assert (await rows(session))[AUDIENCE].state == row.state == "ready"


async def test_many_ghosts_at_once_are_asked_about(vendors: Any, begin: Any, rows: Any, watching: None) -> None:
    """As with a key of another account: everything is answered, and nothing is there."""
    sessions = [await begin() for _ in range(11)]
    for session in sessions:
        row = (await rows(session))[AUDIENCE]
        moment = timezone.now()
        await changed(row, state="ready", external_id=f"gone-{session.slug}", attempt=1, settled_at=moment)
    first, second = await twice()
    assert (first["ghosts"], second["ghosts"], second["repaired"], second["state"]) == (11, 11, 0, "asking")
    assert "is it the same account?" in second["run"].reason
    assert await database_sync_to_async(sweep_rows.approve)(second["run"].pk, by="sam", now=timezone.now()) == (0, 11)
    third = await at(timezone.now() + timedelta(minutes=18))
    assert third["repaired"] == 11


async def test_a_sandbox_that_is_gone_is_called_lost_and_made_anew(
    vendor_settings: Any, begin: Any, rows: Any, heard: Any, watching: None, settings: Any
) -> None:
    settings.E2B_API_KEY = vendor_settings.keys["e2b"]
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))["e2b", "sandbox"]
    assert row.state == "ready", row.error
    twin = await extra(row, attempt=2)
    await _really_destroy(row)
    first, second = await twice()
    assert (first["ghosts"], second["repaired"]) == (1, 1)
    assert (await rows(session))["e2b", "sandbox"].error["reason"] == "sandbox_lost"
    assert heard.of("sandbox_changed", session)[-1]["state"] == "lost"
    assert await database_sync_to_async(services.renew)(session)
    await services.converge(session.pk)
    assert (await rows(session))["e2b", "sandbox"].external_id == twin  # found by its name rather than made again
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    assert mine(vendor_settings, session) == set()


@pytest.fixture
def command(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run `manage.py sweep`; its exit status and what it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        from django.core.management import call_command

        status = 0
        try:
            call_command("sweep", *arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            connection.close()  # this thread's
        return status, capsys.readouterr().out

    return run


async def test_the_command_prints_what_was_found_and_ends_with_1_when_it_asks(
    vendors: Any, begin: Any, transactional_db: None, command: Any, settings: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    with pytest.raises(CommandError, match="Look first"):
        await asyncio.to_thread(command)
    assert (await asyncio.to_thread(command, "--dry-run"))[0] == 0
    status, said = await asyncio.to_thread(command)
    assert status == 0
    titles, *lines = said.splitlines()
    assert titles.split() == ["vendor", "listed", "owned", "ours", "unknown", "foreign", "ghosts", "deleted", "held"]
    figures = {line.split()[0]: line.split()[1:] for line in lines[:4]}
    assert set(figures) == {"github", "resend", "e2b", "neon"}
    listed, owned, unknown, foreign, *rest = map(int, figures["resend"])
    assert (owned, unknown, rest) == (2, 0, [0, 0, 0])
    assert listed == owned + foreign
    await database_sync_to_async(SweepRun.objects.all().delete)()
    await forget(session)
    with time_machine.travel(timezone.now() + timedelta(hours=1)):  # what it made is older than this ledger
        status, said = await asyncio.to_thread(command, "--dry-run", "--json")
        told = json.loads(said)
        approved = await asyncio.to_thread(command, "--approve", str(told["run"]))
    assert (status, told["state"], told["dry"], told["vendors"]["resend"]["unknown"]) == (1, "asking", True, 2)
    assert {one["name"] for one in told["asked"]["strays"]} == {f"mk0r-{session.slug}"}
    assert approved[0] == 0
    assert "2 to delete" in approved[1]
    assert mine(vendors, session) == set()
    logged = [one async for one in Entry.objects.order_by("id").values_list("action", "who", "where")]
    assert [action for action, *_ in logged] == ["sweep", "sweep", "sweep", "approve"]
    assert {(who.endswith(" (shell)"), where) for _, who, where in logged} == {(True, "shell")}
    with pytest.raises(CommandError, match="was answered"):
        await asyncio.to_thread(command, "--approve", str(told["run"]))


def test_the_ledger_counts_as_alive_between_runs_that_are_close(transactional_db: None) -> None:
    now = timezone.now()
    watched(now - timedelta(hours=2), now - timedelta(hours=1))
    watched(now - timedelta(minutes=30), now)
    SweepRun.objects.create(started_at=now)
    for minutes, alive_then in ((119, True), (125, False), (90, True), (63, False), (45, False), (29, True), (2, True)):
        assert sweep_rows.was_watching(now - timedelta(minutes=minutes)) is alive_then, minutes
    assert not sweep_rows.was_watching(now + timedelta(minutes=5))
