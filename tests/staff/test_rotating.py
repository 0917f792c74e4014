"""A credential is replaced without being lost and without a second one living on, wherever the work is cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import budgets, envfile, faults, rotations
from provisioning import services as provisioning
from provisioning.models import Credential, Resource, Rotation
from provisioning.providers.base import Made
from provisioning.providers.registry import step_for
from provisioning.rates import Rate
from provisioning.secrets import Secret
from sessions_app.models import Session
from sessions_app.process import sessions
from staff import undertakings
from staff.actors import Actor
from staff.models import Entry, Undertaking
from staff.powers import POWERS
from staff.refusals import NotAllowed
from tests.fixtures.cloud import CloudUnderTest
from tests.staff.conftest import errands

pytestmark = pytest.mark.django_db(transaction=True)
db = database_sync_to_async
KINDS = {"neon": "project", "resend": "api_key"}
State = Rotation.State


async def row_of(session: Session, provider: str) -> Resource:
    return await Resource.objects.select_related("session").aget(
        session=session, provider=provider, kind=KINDS[provider]
    )


async def held(session: Session) -> dict[str, str]:
    """Names and values as they are stored."""
    return {name: value.expose() for name, value in (await db(provisioning.env_entries)(session)).items()}


async def in_sandbox(session: Session) -> dict[str, str]:
    """Names and values as the app reads them."""
    sandbox = await provisioning.sandbox(session.pk)
    return envfile.parse(await sandbox.files.read(envfile.PATH))


async def mails(cloud: CloudUnderTest, key: str) -> bool:
    """Whether the mail vendor takes that key."""
    headers = {"Authorization": f"Bearer {key}", "User-Agent": "t"}
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{cloud.base_url}/resend/emails", json={}, headers=headers)
    return {422: True, 401: False}[answer.status_code]


def connects(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


async def works(cloud: CloudUnderTest, provider: str, values: dict[str, str]) -> bool:
    if provider == "resend":
        return await mails(cloud, values["RESEND_API_KEY"])
    return await asyncio.to_thread(connects, values["DATABASE_URL"])


async def wish(session: Session, provider: str) -> Rotation:
    row = await row_of(session, provider)
    return await db(rotations.begin)(row.pk, by="sam", where="192.0.2.7", reason="was in a screenshot")


async def cut_at(session: Session, point: str) -> None:
    """Converge as a process does that dies at that point."""
    faults.arm(f"{point}=cut")
    try:
        await provisioning.converge(session.pk)
    except BaseExceptionGroup as group:
        _, others = group.split(faults.Cut)
        assert others is None, others
    finally:
        faults.arm("")


async def pass_time(session: Session) -> None:
    """What an unanswered call may still bring is there by now, and whatever waits is due."""
    now = timezone.now()
    await Resource.objects.filter(session=session, doubt_until__gt=now).aupdate(doubt_until=now - timedelta(seconds=1))
    await Resource.objects.filter(session=session, next_at__gt=now).aupdate(next_at=now)
    await Rotation.objects.filter(resource__session=session, next_at__gt=now).aupdate(next_at=now)


async def bring_home(session: Session) -> None:
    for _ in range(4):
        await pass_time(session)
        await provisioning.converge(session.pk)


async def assert_rotated(cloud: CloudUnderTest, session: Session, provider: str, before: dict[str, str]) -> None:
    """One credential, new, known to us and to the app; the one before is dead and nowhere kept."""
    now = await held(session)
    assert now == await in_sandbox(session)
    assert set(now) == set(before)
    assert await works(cloud, provider, now)
    assert not await works(cloud, provider, before)
    live = cloud.live(vendor="resend", kind="api_key", name=f"mk0r-{session.slug}")
    assert [one["id"] for one in live] == [(await row_of(session, "resend")).external_id]
    assert not await Rotation.objects.filter(ended_at=None).aexists()
    assert not await Credential.objects.filter(name__endswith=rotations.OLD).aexists()


@pytest.mark.parametrize("provider", ["resend", "neon"])
async def test_wherever_it_is_cut_nothing_is_lost_and_no_second_one_lives(
    live: Session, vendor_settings: CloudUnderTest, provider: str
) -> None:
    for point in faults.ROTATE_POINTS:
        before = await held(live)
        rotation = await wish(live, provider)
        await cut_at(live, f"{provider}.{point}")
        if provider == "resend" and point in {"after_rotate", "after_rotated", "before_retire"}:
            assert await works(vendor_settings, provider, before), f"{point}: the old one died too early"
        await bring_home(live)
        await rotation.arefresh_from_db()
        assert rotation.state == State.DONE, (point, rotation.words)
        await assert_rotated(vendor_settings, live, provider, before)
    told = [one async for one in Entry.objects.filter(action="rotated").values("who", "where", "reason", "session")]
    asked = {"who": "sam", "where": "192.0.2.7", "reason": "was in a screenshot", "session": live.slug}
    assert told == [asked] * len(faults.ROTATE_POINTS)  # once each, however often it was taken up


@pytest.mark.parametrize(("provider", "operation"), [("resend", "create_api_key"), ("neon", "reset_password")])
async def test_a_reply_that_is_lost_loses_no_secret(
    live: Session, vendor_settings: CloudUnderTest, provider: str, operation: str
) -> None:
    before = await held(live)
    rotation = await wish(live, provider)
    vendor_settings.set_faults([{"vendor": provider, "operation": operation, "fault": "reset_after"}])
    await provisioning.converge(live.pk)
    vendor_settings.clear_faults()
    await bring_home(live)
    await rotation.arefresh_from_db()
    assert rotation.state == State.DONE, rotation.words
    assert rotation.calls > (provider == "resend")  # Neon tells the password that holds; a lost key is made again
    await assert_rotated(vendor_settings, live, provider, before)


async def test_the_old_key_lives_until_the_sandbox_has_the_new_one(
    live: Session, vendor_settings: CloudUnderTest
) -> None:
    before = await held(live)
    rotation = await wish(live, "resend")
    vendor_settings.set_faults([{"vendor": "e2b", "operation": "*", "fault": "status:502"}])
    await provisioning.converge(live.pk)
    await rotation.arefresh_from_db()
    assert rotation.state == State.MADE
    new = await held(live)
    assert new["RESEND_API_KEY"] != before["RESEND_API_KEY"]
    for values in (before, new):
        assert await mails(vendor_settings, values["RESEND_API_KEY"])
    secret = await db(provisioning.secret_values)(live)
    assert {before["RESEND_API_KEY"], new["RESEND_API_KEY"]} <= set(secret)  # either is kept out of what is written
    assert await db(rotations.next_at)(live.pk) is not None  # a job will look again
    vendor_settings.clear_faults()
    await bring_home(live)
    await assert_rotated(vendor_settings, live, "resend", before)


async def test_a_session_that_ends_meanwhile_leaves_no_key_behind(
    live: Session, vendor_settings: CloudUnderTest
) -> None:
    await wish(live, "resend")
    await cut_at(live, "resend.after_rotate")
    assert len(vendor_settings.live(vendor="resend", kind="api_key", name=f"mk0r-{live.slug}")) == 2
    await db(provisioning.request_teardown)(live)
    await provisioning.converge(live.pk)
    assert not vendor_settings.live(vendor="resend", kind="api_key", name=f"mk0r-{live.slug}")
    assert (await row_of(live, "resend")).state == "deleting"  # the call that was cut may still make one
    await bring_home(live)
    assert (await row_of(live, "resend")).state == "gone"
    assert not vendor_settings.live(name=f"mk0r-{live.slug}")
    assert not await Rotation.objects.filter(ended_at=None).aexists()


async def test_revoking_while_both_live_ends_both(live: Session, vendor_settings: CloudUnderTest) -> None:
    before = await held(live)
    await wish(live, "resend")
    await cut_at(live, "resend.after_rotated")
    new = await db(lambda: Credential.objects.get(resource__session=live, name="RESEND_API_KEY").reveal().expose())()
    await db(provisioning.revoke)(live, "resend")
    await provisioning.converge(live.pk)
    for key in (before["RESEND_API_KEY"], new):
        assert not await mails(vendor_settings, key)
    assert (
        not await Credential.objects.filter(resource__session=live, name__startswith="RESEND")
        .exclude(ciphertext="")
        .aexists()
    )


async def test_a_vendor_that_refuses_leaves_everything_as_it_was(
    live: Session, vendor_settings: CloudUnderTest
) -> None:
    before = await held(live)
    for provider, operation in (("resend", "create_api_key"), ("neon", "reset_password")):
        rotation = await wish(live, provider)
        vendor_settings.set_faults([{"vendor": provider, "operation": operation, "fault": "status:422"}])
        await provisioning.converge(live.pk)
        vendor_settings.clear_faults()
        await rotation.arefresh_from_db()
        assert rotation.state == State.GIVEN_UP
        assert "422" in rotation.words
        assert await works(vendor_settings, provider, before)
    assert await held(live) == before == await in_sandbox(live)
    assert not await Entry.objects.filter(action="rotated").aexists()


async def test_whoever_was_replaced_meanwhile_writes_nothing(live: Session, vendor_settings: CloudUnderTest) -> None:
    rotation = await wish(live, "resend")
    slow = await db(rotations.take)(await Rotation.objects.select_related("resource__session").aget(pk=rotation.pk))
    assert slow is not None
    assert await db(rotations.send)(slow, 0.0)
    before = await held(live)
    await bring_home(live)
    late = Made("late", secrets={"RESEND_API_KEY": Secret("re_late_0000000000")})
    assert not await db(rotations.keep)(slow, late)
    assert not await db(rotations.send)(slow, 0.0)
    await assert_rotated(vendor_settings, live, "resend", before)


async def test_an_order_over_both_credentials_of_a_database_rotates_it_once_and_what_cannot_be_is_refused_in_words(
    live: Session, vendor_settings: CloudUnderTest, actor: Callable[[str], Actor]
) -> None:
    before = await held(live)
    neon = await row_of(live, "neon")
    keys = [str(one.pk) async for one in Credential.objects.filter(resource=neon)]
    others = Resource.objects.filter(session=live).exclude(provider="neon")
    keys += [str(one.pk) async for one in others if one.kind != "api_key"]
    with pytest.raises(NotAllowed):
        await db(undertakings.begin)(await db(actor)("operator"), POWERS["rotate"], keys)
    sam = await db(actor)("admin")
    made = await db(undertakings.begin)(sam, POWERS["rotate"], keys, reason="leaked")
    found = await _carried_out(made, live)
    assert found.pop(f"Neon project {neon.name}") == ("done", ".env has the new value, and the old one is dead at Neon")
    assert {state for state, _ in found.values()} == {"failed"}
    words = " ".join(said for _, said in found.values())
    for part in ("PostHog has one public key for all apps", "no key of its own", "mk0r pushes for it", "no secret"):
        assert part in words
    await assert_rotated(vendor_settings, live, "neon", before)
    assert await Rotation.objects.acount() == 1
    await undertakings.carry_out(made.pk, 0)  # a job that is run again orders nothing again
    await db(rotations.begin)(neon.pk, by="admin", where="", order=str(made.pk))
    assert await Rotation.objects.acount() == 1


async def _carried_out(made: Undertaking, session: Session) -> dict[str, tuple[str, str]]:
    async def see_through() -> None:
        for _ in range(600):
            await sessions.converge(session.pk)
            if not await Undertaking.objects.filter(pk=made.pk, finished_at=None).aexists():
                return
            await asyncio.sleep(0.1)

    await asyncio.gather(undertakings.carry_out(made.pk, 0), see_through())
    return {one["label"]: (one["state"], one["words"]) for one in await db(errands)(made)}


async def test_the_page_that_asks_says_of_each_what_will_change(live: Session) -> None:
    rows = [row async for row in Resource.objects.filter(session=live).select_related("session")]
    told = await db(POWERS["rotate"].effects)(rows)
    said: dict[str, list[Any]] = {row.kind: told[str(row.pk)] for row in rows}
    assert [(one.what, one.state) for one in said["project"]] == [
        ("DATABASE_URL", "the old value stops at once"), ("NEON_ROLE_PASSWORD", "the old value stops at once"),
    ]  # fmt: skip
    assert [one.what for one in said["api_key"]] == ["RESEND_API_KEY"]
    assert said["sandbox"][0].state.startswith("stays as it is.")


async def test_a_new_credential_takes_its_place_in_its_vendors_budget_and_waits_where_there_is_none(
    live: Session, vendor_settings: CloudUnderTest, settings: Any
) -> None:
    before, step = await held(live), step_for("resend", KINDS["resend"])
    settings.VENDOR_BUDGETS = {"resend": (Rate(1, 3600),)}
    rotation = await wish(live, "resend")
    await provisioning.converge(live.pk)
    await assert_rotated(vendor_settings, live, "resend", before)
    [booked] = await db(lambda: budgets.booked(step, budgets.booked_until(), timezone.now()))()
    assert booked.wait > 3000
    await rotation.arefresh_from_db()
    now, again = await held(live), await wish(live, "resend")
    await provisioning.converge(live.pk)
    await again.arefresh_from_db()
    assert (again.state, again.calls, again.words) == (State.ASKED, 0, "waits for its place at Resend")
    assert again.next_at is not None
    assert again.next_at > timezone.now() + timedelta(minutes=4)
    assert await held(live) == now
