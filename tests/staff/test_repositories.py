"""Repositories: listed from what is on record, read live within a deadline, archived, and given away for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from channels.db import database_sync_to_async
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from provisioning import giving, http
from provisioning import services as provisioning
from provisioning.models import Resource
from provisioning.sweep_models import Stray
from provisioning.sweep_rows import intent_of
from provisioning.sweep_rules import Fate, judge
from sessions_app import receipts
from sessions_app.models import Session, Version
from sessions_app.process import sessions
from sessions_app.slugs import slug_for
from staff import undertakings
from staff.actors import Actor
from staff.models import Entry, Undertaking
from staff.pages import repositories as pages
from staff.powers import POWERS, Order
from staff.refusals import NotAllowed, Refused
from tests.fixtures.cloud import CloudUnderTest
from tests.staff.conftest import begun, errands
from tests.staff.rows import counting, new_session

pytestmark = pytest.mark.django_db(transaction=True)
db = database_sync_to_async
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _without_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sandbox is needed here; without its key that leg fails at once."""
    monkeypatch.delenv("E2B_API_KEY", raising=False)


@pytest.fixture
async def session(vendor_settings: CloudUnderTest, settings: Any, transactional_db: None) -> Any:
    """An open session with a repository at localcloud, and one version of its app."""
    settings.E2B_API_KEY = ""
    made = await begun()
    await db(Version.objects.create)(session=made, number=1, sha=SHA, tree=SHA, message="A guestbook for our hut")
    yield made
    await http.close_clients()


async def repository(session: Session) -> Resource:
    return await Resource.objects.select_related("session").aget(session=session, provider="github")


async def browser(signed_in: Callable[[str], Client], group: str) -> AsyncClient:
    client = AsyncClient()
    client.cookies = (await db(signed_in)(group)).cookies
    return client


def github(cloud: CloudUnderTest, row: Resource, owner: str = "") -> httpx.Response:
    name = f"{owner}/{row.name}" if owner else row.external_id
    headers = {"Authorization": f"Bearer {cloud.keys['github']}", "User-Agent": "t"}
    return httpx.get(f"{cloud.base_url}/github/repos/{name}", headers=headers)


async def ordered(actor: Actor, power: str, row: Resource, **options: str) -> Undertaking:
    return await db(undertakings.begin)(actor, POWERS[power], [str(row.pk)], reason="their own", options=options)


async def carried_out(made: Undertaking, session: Session) -> tuple[str, str]:
    """Run the order's job and those of the session, until the order has ended; how its one errand came out."""

    async def see_through() -> None:
        for _ in range(600):
            await Resource.objects.filter(session=session, next_at__gt=timezone.now()).aupdate(next_at=timezone.now())
            await sessions.converge(session.pk)
            if not await Undertaking.objects.filter(pk=made.pk, finished_at=None).aexists():
                return
            await asyncio.sleep(0.1)

    await asyncio.gather(undertakings.carry_out(made.pk, 0), see_through())
    (one,) = await db(errands)(made)
    return one["state"], one["words"]


async def test_a_repository_is_read_live_and_what_was_read_stands_in_the_list(
    session: Session, vendor_settings: CloudUnderTest, signed_in: Callable[[str], Client]
) -> None:
    viewer = await browser(signed_in, "viewer")
    row = await repository(session)
    listed = (await viewer.get(reverse("admin:repositories"))).content.decode()
    for part in (row.external_id, SHA[:8], "A guestbook for our hut", "not read yet"):
        assert part in listed
    page = (await viewer.get(reverse("admin:repository", args=[session.slug]))).content.decode()
    assert "main" in page
    assert "nothing was pushed yet" in page
    assert row.url in page
    assert "Archive …" not in page  # a viewer only looks
    listed = (await viewer.get(reverse("admin:repositories"))).content.decode()
    assert "not read yet" not in listed
    assert "0<span" in listed
    again = await viewer.post(reverse("admin:repositories"), follow=True)
    assert "Read 1 of 1 from GitHub." in again.content.decode()


async def test_when_github_does_not_answer_the_page_says_so_and_shows_what_is_on_record(
    session: Session, vendor_settings: CloudUnderTest, signed_in: Callable[[str], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    viewer, address = await browser(signed_in, "viewer"), reverse("admin:repository", args=[session.slug])
    monkeypatch.setattr(pages, "ASKED_FOR", 1.0)
    for fault, words in (("hang", "did not answer within 1 s"), ("status:500", "500"), ("garbage", "cannot be read")):
        vendor_settings.set_faults([{"vendor": "github", "operation": "get_repository", "fault": fault}])
        page = (await viewer.get(address)).content.decode()
        assert "Not read" in page, fault
        assert words in page, fault
        assert SHA[:8] in page
    vendor_settings.clear_faults()
    headers = {"Authorization": f"Bearer {vendor_settings.keys['github']}", "User-Agent": "t"}
    httpx.delete(f"{vendor_settings.base_url}/github/repos/{(await repository(session)).external_id}", headers=headers)
    assert "Not there" in (await viewer.get(address)).content.decode()
    missing = await viewer.get(reverse("admin:repository", args=["nosuchslug00"]))
    assert missing.status_code == 404


def test_it_is_found_by_its_sessions_slug_or_by_its_own_name_and_nothing_else_breaks_the_list(
    signed_in: Callable[[str], Client],
) -> None:
    session = new_session()
    viewer, name = signed_in("viewer"), f"mk0r-{session.slug}"
    words = {session.slug[:4]: True, session.slug: True, name: True, f"acme/{name}": True, "zzzz": False, "\0": False}
    for text, found in words.items():
        listed = viewer.get(reverse("admin:repositories"), {"state": "all", "q": text})
        assert (listed.status_code, [line.row.name for line in listed.context["lines"]]) == (200, [name] * found), text


def test_the_list_costs_the_same_however_many_there_are(
    signed_in: Callable[[str], Client],
) -> None:
    browser, counts = signed_in("viewer"), []
    for number in range(1, 61):
        made = Session.objects.create(slug=f"{number:012d}")
        Resource.objects.create(
            session=made, provider="github", kind="repository", name=f"mk0r-{made.slug}", state="ready", attempt=1,
            external_id=f"mk0r-local/mk0r-{made.slug}",
        )  # fmt: skip
        if number in {2, 60}:
            with counting() as queries:
                page = browser.get(reverse("admin:repositories")).text
            counts.append(len(queries))
    assert counts[0] == counts[1]
    assert page.count('href="/admin/repositories/0') == pages.SHOWN
    older = browser.get(reverse("admin:repositories") + f"?before={Resource.objects.order_by('pk')[30].pk}").text
    assert "000000000030" in older
    assert "000000000031" not in older
    found = browser.get(reverse("admin:repositories") + "?q=00000000005").text
    assert found.count('href="/admin/repositories/0') == 10


async def test_what_is_archived_takes_no_push_until_it_is_unarchived(
    session: Session, vendor_settings: CloudUnderTest, actor: Callable[[str], Actor]
) -> None:
    sam, row = await db(actor)("operator"), await repository(session)
    for archived, words in (("yes", "archived"), ("yes", "was archived before"), ("no", "can be pushed to again")):
        state, said = await carried_out(await ordered(sam, "archive", row, archived=archived), session)
        assert (state, words in said) == ("nothing" if "before" in words else "done", True)
        assert github(vendor_settings, row).json()["archived"] is (archived == "yes")
    with pytest.raises(Refused):
        await ordered(sam, "archive", row, archived="perhaps")
    with pytest.raises(NotAllowed):
        await ordered(await db(actor)("viewer"), "archive", row)
    assert [one.reason async for one in Entry.objects.filter(action="archive")] == ["their own"] * 3


async def test_of_two_who_archive_it_at_once_one_had_nothing_to_do(
    session: Session, vendor_settings: CloudUnderTest
) -> None:
    row = await repository(session)
    slow = {"vendor": "github", "operation": "get_repository", "fault": "latency", "probability": 1, "seconds": 0.5}
    vendor_settings.set_faults([slow])  # so that both have seen it before either archives it
    order = Order("sam", "192.0.2.7", options={"archived": "yes"})
    came = await asyncio.gather(*(POWERS["archive"].act(order, str(row.pk)) for _ in range(2)))
    assert sorted(one.state for one in came) == ["done", "nothing"]
    assert github(vendor_settings, row).json()["archived"] is True


async def test_what_is_given_away_is_let_go_of_and_outlives_its_session(
    session: Session, vendor_settings: CloudUnderTest, actor: Callable[[str], Actor]
) -> None:
    row, owner = await repository(session), f"{vendor_settings.info['github_owner']}-org"
    with pytest.raises(NotAllowed):
        await ordered(await db(actor)("operator"), "transfer", row, new_owner=owner)
    ada = await db(actor)("admin")
    for wrong in ("", "-", "a/b", "x" * 40, "a b"):
        with pytest.raises(Refused):
            await ordered(ada, "transfer", row, new_owner=wrong)
    made = await ordered(ada, "transfer", row, new_owner=owner)
    assert await carried_out(made, session) == ("done", f"belongs to {owner} now")
    row = await repository(session)
    assert (row.state, row.forgotten_reason, row.forgotten_by) == ("gone", f"given to {owner} at GitHub", "admin")
    assert github(vendor_settings, row, owner).status_code == 200
    entry = await Entry.objects.aget(action="transferred")
    assert (entry.who, entry.where, entry.session, entry.detail) == (
        "admin", "192.0.2.7", session.slug, {"to": owner}
    )  # fmt: skip
    assert "GITHUB_REPO" not in await db(provisioning.env_entries)(session)
    await db(provisioning.request_teardown)(session)
    await Session.objects.filter(pk=session.pk).aupdate(state="closing")
    await sessions.converge(session.pk)
    await session.arefresh_from_db()
    assert session.state == "closed"
    assert github(vendor_settings, row, owner).status_code == 200
    receipt = await db(receipts.receipt_of)(session)
    line = next(one for one in receipt.lines if one.vendor == "GitHub")
    assert (line.word, line.deleted, line.proved) == ("given away", None, None)
    assert line.note == f"Staff gave it to {owner} at GitHub, so it was not deleted."
    assert receipt.heading == "Everything is gone or given away"
    assert await carried_out(await _again(made), session) == ("done", f"belongs to {owner} now")


async def _again(made: Undertaking) -> Undertaking:
    """The same order's job, run again as after a crash."""
    await made.errands.aupdate(state="waiting")
    await Undertaking.objects.filter(pk=made.pk).aupdate(finished_at=None)
    return made


async def test_what_a_person_has_to_accept_stays_until_they_do_and_is_not_deleted_meanwhile(
    session: Session, vendor_settings: CloudUnderTest, actor: Callable[[str], Actor]
) -> None:
    row, friend = await repository(session), f"{vendor_settings.info['github_owner']}-friend"
    made = await ordered(await db(actor)("admin"), "transfer", row, new_owner=friend)
    assert (await POWERS["transfer"].act(_order(made), str(row.pk))).state == "working"
    await db(provisioning.request_teardown)(session)
    await Session.objects.filter(pk=session.pk).aupdate(state="closing")
    await _look(session)
    row = await repository(session)
    assert (row.state, giving.offered_to(row)) == ("deleting", friend)
    assert github(vendor_settings, row).status_code == 200  # the session ends, the offer stands
    line = next(one for one in (await db(receipts.receipt_of)(session)).lines if one.vendor == "GitHub")
    assert line.word == "being given away"
    vendor_settings.operator("POST", "api/github/accept", {"repository": row.external_id})
    for _ in range(50):
        await _look(session)
        if (await repository(session)).state == "gone":
            break
        await asyncio.sleep(0.1)
    assert giving.taken_by(await repository(session)) == friend
    assert vendor_settings.live(vendor="github", name=row.name)


async def test_an_offer_that_nobody_takes_lapses_and_the_repository_ends_with_its_session(
    session: Session, vendor_settings: CloudUnderTest, actor: Callable[[str], Actor]
) -> None:
    row, friend = await repository(session), f"{vendor_settings.info['github_owner']}-friend"
    made = await ordered(await db(actor)("admin"), "transfer", row, new_owner=friend)
    await POWERS["transfer"].act(_order(made), str(row.pk))
    row = await repository(session)
    row.meta[giving.GIVEN]["until"] = (timezone.now() - timedelta(seconds=1)).isoformat()
    await row.asave(update_fields=["meta"])
    await _look(session)
    came = await db(POWERS["transfer"].followed)(str(row.pk))
    assert (came.state, "did not accept" in came.words) == ("failed", True)
    assert (await repository(session)).state == "ready"
    await db(provisioning.request_teardown)(session)
    await _look(session)
    assert (await repository(session)).state == "gone"
    assert not vendor_settings.live(vendor="github", name=row.name)


async def test_an_owner_who_cannot_take_it_leaves_everything_as_it_was(
    session: Session, vendor_settings: CloudUnderTest, actor: Callable[[str], Actor]
) -> None:
    row = await repository(session)
    made = await ordered(await db(actor)("admin"), "transfer", row, new_owner="nobody-here")
    state, said = await carried_out(made, session)
    assert (state, "422" in said) == ("failed", True)
    row = await repository(session)
    assert (row.state, giving.offered_to(row)) == ("ready", "")
    assert github(vendor_settings, row).status_code == 200


async def test_what_comes_back_after_it_was_given_away_is_asked_about_and_not_swept(
    session: Session, vendor_settings: CloudUnderTest, actor: Callable[[str], Actor]
) -> None:
    row, owner = await repository(session), f"{vendor_settings.info['github_owner']}-org"
    await carried_out(await ordered(await db(actor)("admin"), "transfer", row, new_owner=owner), session)
    row, long_ago = await repository(session), timezone.now() - timedelta(hours=2)
    stray = Stray(
        provider="github", kind="repository", name=f"mk0r-{slug_for(session.pk)}", external_id=row.external_id,
        made_at=row.created_at, first_seen=long_ago, last_seen=timezone.now(), sightings=9,
    )  # fmt: skip
    intent = await db(intent_of)(stray, frozenset([row.external_id]))
    fate, why = judge(stray, intent, watched=True, now=timezone.now() + timedelta(hours=1))
    assert (fate, why) == (Fate.ASK, "it was given to another owner, and is here again")


def _order(made: Undertaking) -> Order:
    return Order(made.by_name, made.where, made.reason, made.options, str(made.pk))


async def _look(session: Session) -> None:
    await Resource.objects.filter(session=session, next_at__gt=timezone.now()).aupdate(next_at=timezone.now())
    await provisioning.converge(session.pk)
