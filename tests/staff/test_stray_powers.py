"""The sweep by hand, and what staff decide about what it found: each is done to exactly what was decided about.

Time is travelled: a thing made now is looked at "eleven minutes later". Each test is an installation with a key of its
own, so what earlier tests left at the vendors is another installation's.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import http, ledger, sweep_rows
from provisioning import services as provisioning
from provisioning.models import Ghost, Resource, Stray, SweepRun
from provisioning.providers.base import Made, Order, Step
from provisioning.providers.registry import step_for
from sessions_app import services
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from staff import undertakings
from staff.actors import Actor
from staff.models import Entry
from staff.powers import POWERS
from staff.powers import Order as Said
from staff.refusals import Refused
from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.fixtures.travel import later
from tests.staff.conftest import begun
from tests.staff.ordering import ordered

pytestmark = pytest.mark.django_db(transaction=True)
db = database_sync_to_async
AUDIENCE, KEY, PROJECT = ("resend", "audience"), ("resend", "api_key"), ("neon", "project")
LATER, LATEST, DAY = timedelta(minutes=11), timedelta(minutes=14), timedelta(days=1)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    """A cloud of this module's own: how much is in it decides what the sweep dares."""
    with run_cloud(tmp_path_factory.mktemp("swept")) as running:
        yield running


@pytest.fixture(autouse=True)
async def vendors(
    vendor_settings: CloudUnderTest, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> AsyncIterator[CloudUnderTest]:
    """An installation of its own that knows Resend and Neon, and has been alive for an hour."""
    settings.SECRET_KEY = f"installation-{uuid.uuid4()}"
    settings.E2B_API_KEY = settings.GITHUB_TOKEN = ""
    monkeypatch.delenv("E2B_API_KEY", raising=False)
    now = timezone.now()
    for minutes in range(0, 60, 5):
        at = now - timedelta(minutes=minutes)
        await SweepRun.objects.acreate(started_at=at, ended_at=at, state="done")
    yield vendor_settings
    await http.close_clients()


@pytest.fixture
async def sam(actor: Callable[[str], Actor]) -> Actor:
    return await db(actor)("admin")


async def swept(sam: Actor, *spans: timedelta, dry: bool = True) -> str:
    """Sweep by hand at each of these times from now; what the last one said."""
    for span in spans or (LATER, LATEST):
        with later(span):
            [(state, words)] = await ordered(sam, "sweep", ["all"], dry=dry)
            assert state == "done"
    return words


@db
def rows(session: Session) -> dict[tuple[str, str], Resource]:
    return {(row.provider, row.kind): row for row in Resource.objects.filter(session=session)}


async def another(row: Resource) -> Made:
    """Make a second thing under a row's name, as a create does that succeeds when nobody waits for it."""
    step, order = step_for(row.provider, row.kind), await db(lambda: ledger.order_for(ledger.row(row.pk)))()
    made = await step.create(order)
    await step.finish(order, made)
    return made


async def extra(row: Resource) -> str:
    """The id of such a thing."""
    return (await another(row)).external_id


async def copied(step: Step) -> str:
    """Make a thing under a name of ours that no row was ever written for, as a copy of this installation does."""
    slug, now = slug_for(uuid.uuid4()), timezone.now()
    return (await step.create(Order(slug, f"mk0r-{slug}", 1, now, now + DAY))).external_id


def alive(cloud: CloudUnderTest, *ids: str) -> set[str]:
    return {one["id"] for one in cloud.live()} & set(ids)


async def lost(row: Resource) -> None:
    """Destroy a row's thing at its vendor and have the row told, as the sweep does."""
    await step_for(row.provider, row.kind).destroy(Made(row.external_id, meta=row.meta))
    told = {"reason": "lost", "message": "It is lost."}
    await Resource.objects.filter(pk=row.pk).aupdate(state="failed", error=told)


async def stray(external_id: str) -> Stray:
    return await Stray.objects.aget(external_id=external_id)


async def test_a_live_sweep_is_taken_after_a_dry_one_and_deletes_what_that_named(
    vendors: CloudUnderTest, sam: Actor
) -> None:
    session = await begun()
    late = await extra((await rows(session))[AUDIENCE])
    with pytest.raises(Refused, match="Dry run first"):
        await db(undertakings.begin)(sam, POWERS["sweep"], ["all"], options={"dry": "false"})
    said = await swept(sam)
    assert "1 of ours without an owner" in said
    assert "a live run would delete 1" in said
    assert "E2B_API_KEY is not set" in said
    assert (await stray(late)).provable
    assert alive(vendors, late)
    effects = await db(POWERS["sweep"].effects)([])
    assert [late in one.name for one in effects["all"]] == [True]
    assert "1 deleted" in await swept(sam, LATEST + timedelta(minutes=1), dry=False)
    assert not alive(vendors, late)
    with later(LATEST + timedelta(minutes=62)), pytest.raises(Refused, match="Dry run first"):
        await db(undertakings.begin)(sam, POWERS["sweep"], ["all"], options={"dry": "false"})
    assert {one async for one in Entry.objects.values_list("action", "subject")} == {("sweep", "every vendor")}


async def test_i11_one_stray_is_deleted_on_a_persons_word_and_no_other(vendors: CloudUnderTest, sam: Actor) -> None:
    copies = [await copied(step_for(*AUDIENCE)) for _ in range(3)]
    assert "it asks about 3" in await swept(sam)
    first, second, third = [await stray(one) for one in copies]
    with later(LATEST):
        came = await ordered(sam, "delete_stray", [first.pk])
        assert came == [("done", "deleted, and not found when looked for again")]
        assert await ordered(sam, "delete_stray", [first.pk]) == [("nothing", "was deleted before")]
        assert alive(vendors, *copies) == set(copies[1:])
        # Its vendor fails: the order stands, and the next sweep sees to it.
        vendors.set_faults([{"vendor": "resend", "operation": "delete_audience", "fault": "status:500"}])
        came_of = await POWERS["delete_stray"].act(Said("sam", "here"), str(second.pk))
        assert (came_of.state, "the sweep tries again" in came_of.words) == ("working", True)
        vendors.clear_faults()
    await swept(sam, LATEST + timedelta(minutes=5), dry=False)
    assert (await db(POWERS["delete_stray"].followed)(str(second.pk))).state == "done"
    assert alive(vendors, *copies) == {copies[2]}
    # It is gone by itself.
    await step_for(*AUDIENCE).destroy(Made(copies[2], meta={"family": "audiences"}))
    with later(LATEST):
        assert await ordered(sam, "delete_stray", [third.pk]) == [("nothing", "is gone already")]


async def test_i11_what_is_too_young_owned_or_another_thing_by_now_is_not_deleted_on_anybodys_word(
    vendors: CloudUnderTest, sam: Actor
) -> None:
    session = await begun()
    row = (await rows(session))[AUDIENCE]
    young, owned, other = [await extra(row), await extra(row), await copied(step_for(*AUDIENCE))]
    await swept(sam, timedelta())
    came = await POWERS["delete_stray"].act(Said("sam", "here"), str((await stray(young)).pk))
    assert (came.state, "it is too young" in came.words) == ("working", True)
    found = await stray(owned)
    await Resource.objects.filter(pk=row.pk).aupdate(external_id=owned)
    await Stray.objects.filter(external_id=other).aupdate(made_at=timezone.now() - DAY)
    changed = await stray(other)
    with later(LATEST):
        assert [one[0] for one in await ordered(sam, "delete_stray", [found.pk])] == ["nothing"]
        [(state, words)] = await ordered(sam, "delete_stray", [changed.pk])
        assert (state, words) == ("failed", "is not what was seen any more: sweep again, then decide anew")
    assert alive(vendors, young, owned, other) == {young, owned, other}
    assert (await stray(other)).approved_at is None


async def test_i1_a_stray_is_given_to_the_session_that_lost_its_own_and_that_very_one(
    vendors: CloudUnderTest, sam: Actor
) -> None:
    session = await begun()
    before = await rows(session)
    await lost(before[PROJECT])
    await lost(before[AUDIENCE])
    made = [await another(before[PROJECT]) for _ in range(2)]
    twins = [one.external_id for one in made]
    with psycopg.connect(made[1].secrets["DATABASE_URL"].expose()) as connection:
        connection.execute("create table kept (note text)")
    await swept(sam)
    found = await stray(twins[1])
    assert found.why == "its row has nothing else and may take it up"
    with later(LATEST):
        assert await ordered(sam, "adopt", [found.pk], session) == [("done", "is live")]
        assert [one[0] for one in await ordered(sam, "adopt", [found.pk], session)] == ["nothing"]
    row = (await rows(session))[PROJECT]
    assert (row.external_id, row.state, row.name) == (twins[1], "ready", f"mk0r-{session.slug}")
    env = await db(provisioning.env_entries)(session)
    with psycopg.connect(env["DATABASE_URL"].expose()) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)
    assert alive(vendors, *twins) == set(twins)  # the other is nobody's still
    with later(LATEST):
        [(state, words)] = await ordered(sam, "adopt", [(await stray(twins[0])).pk], session)
        assert (state, "has another that is live" in words) == ("failed", True)


async def test_what_cannot_be_given_to_a_session_is_refused_with_the_reason(
    vendors: CloudUnderTest, sam: Actor
) -> None:
    session, ended = await begun(), await begun()
    its, theirs = await rows(session), await rows(ended)
    key, dead = await extra(its[KEY]), await extra(theirs[AUDIENCE])
    orphan = await copied(step_for(*PROJECT))
    await swept(sam)
    await db(services.session_end)(ended)
    expected = {key: "its secret was shown once", dead: "is ending", orphan: "no session of this ledger"}
    with later(LATEST):
        for external_id, why in expected.items():
            [(state, words)] = await ordered(sam, "adopt", [(await stray(external_id)).pk])
            assert (state, why in words) == ("failed", True), words
    assert alive(vendors, key, dead, orphan) == {key, dead, orphan}


async def test_what_staff_leave_alone_is_neither_deleted_nor_asked_about_again_until_they_say_otherwise(
    vendors: CloudUnderTest, sam: Actor
) -> None:
    session = await begun()
    late = await extra((await rows(session))[AUDIENCE])
    copies = [await copied(step_for(*AUDIENCE)) for _ in range(2)]
    assert "it asks about 2" in await swept(sam)
    run = await SweepRun.objects.aget(state="asking")
    with later(LATEST):
        with pytest.raises(Refused, match="Say why"):
            await db(undertakings.begin)(sam, POWERS["dismiss"], [f"run-{run.pk}"])
        keys = [f"run-{run.pk}", (await stray(late)).pk]
        came = await ordered(sam, "dismiss", keys, reason="The other office runs a copy.")
        assert [state for state, _ in came] == ["done", "done"]
        assert [one[0] for one in await ordered(sam, "dismiss", keys, reason="again")] == ["nothing", "nothing"]
        assert [one[0] for one in await ordered(sam, "approve", [run.pk])] == ["nothing"]
    said = await swept(sam, LATEST + timedelta(minutes=5), dry=False)
    assert "asks" not in said
    assert alive(vendors, late, *copies) == {late, *copies}
    newest = await SweepRun.objects.order_by("-id").afirst()
    assert newest is not None
    assert (newest.state, newest.report["resend"]["left"]) == ("done", 3)
    kept = await stray(copies[0])
    assert (kept.dismissed_by, kept.dismissed_reason) == ("admin", "The other office runs a copy.")
    with later(LATEST):
        assert [one[0] for one in await ordered(sam, "delete_stray", [kept.pk])] == ["done"]
    assert alive(vendors, late, *copies) == {late, copies[1]}


async def test_i11_an_approval_deletes_what_its_run_asked_about_even_if_the_worker_died_after_it(
    vendors: CloudUnderTest, sam: Actor
) -> None:
    copies = [await copied(step_for(*AUDIENCE)) for _ in range(2)]
    await swept(sam)
    run = await SweepRun.objects.aget(state="asking")
    another = await copied(step_for(*AUDIENCE))
    await db(sweep_rows.approve)(run.pk, by="sam", now=timezone.now())  # and then it died
    with later(LATEST + timedelta(minutes=5)):
        assert await ordered(sam, "approve", [run.pk]) == [("done", "2 of 2 deleted, 0 of 0 repaired")]
        assert [one[0] for one in await ordered(sam, "approve", [run.pk])] == ["nothing"]
    assert alive(vendors, *copies, another) == {another}


async def test_a_ghost_is_repaired_once_its_vendor_says_again_that_it_is_gone(
    vendors: CloudUnderTest, sam: Actor
) -> None:
    session = await begun()
    its = await rows(session)
    gone, there = its[PROJECT], its[AUDIENCE]
    await step_for(*PROJECT).destroy(Made(gone.external_id))
    await swept(sam, LATER)
    ghost = await Ghost.objects.aget(resource=gone)
    wrong = await Ghost.objects.acreate(
        resource=there, external_id=there.external_id, first_seen=timezone.now(), last_seen=timezone.now()
    )
    vendors.set_faults([{"vendor": "resend", "operation": "*", "fault": "status:500"}])
    assert [one[0] for one in await ordered(sam, "repair", [wrong.pk])] == ["failed"]
    vendors.clear_faults()
    came = await ordered(sam, "repair", [ghost.pk, wrong.pk])
    assert sorted(came) == [
        ("done", "told to its visitor as lost; a retry makes a new one"),
        ("nothing", "Resend has it after all"),
    ]
    assert (await rows(session))[PROJECT].error["reason"] == "lost"
    assert not await Ghost.objects.aexists()
    assert await ordered(sam, "retry", [gone.pk], session) == [("done", "is live")]


async def test_a_ghost_that_is_left_alone_is_not_repaired_and_not_counted(vendors: CloudUnderTest, sam: Actor) -> None:
    session = await begun()
    row = (await rows(session))[PROJECT]
    await step_for(*PROJECT).destroy(Made(row.external_id))
    await swept(sam, LATER)
    ghost = await Ghost.objects.aget()
    for state in ("done", "nothing"):
        came = await ordered(sam, "dismiss", [f"ghost-{ghost.pk}"], reason="Neon is restoring it.")
        assert came[0][0] == state
    assert "0 ghosts" in await swept(sam, LATEST, timedelta(minutes=30), dry=False)
    assert (await rows(session))[PROJECT].state == "ready"
    assert [one[0] for one in await ordered(sam, "repair", [ghost.pk])] == ["done"]
