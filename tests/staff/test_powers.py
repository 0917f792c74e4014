"""Each power over sessions and what they own does what it says at the vendors, tells it, and does it once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import e2b
import httpx
import psycopg
import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import http
from provisioning import services as provisioning
from provisioning.models import Credential, Resource, Vendor
from provisioning.providers.base import Made
from provisioning.providers.e2b import _connection
from provisioning.providers.registry import step_for
from sessions_app import services, sweeps
from sessions_app.models import Event, Session, Turn
from staff import undertakings
from staff.actors import Actor
from staff.models import Entry, Errand, Undertaking
from staff.powers import POWERS
from staff.refusals import NotAllowed, Refused
from tests.fixtures.cloud import CloudUnderTest
from tests.staff.conftest import begun
from tests.staff.ordering import ordered

pytestmark = pytest.mark.django_db(transaction=True)
db = database_sync_to_async
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
async def _clients() -> AsyncIterator[None]:
    yield
    await http.close_clients()


@pytest.fixture
def lean(vendor_settings: CloudUnderTest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> CloudUnderTest:
    """Sessions without a sandbox: its key is not set, so its leg fails at once and costs no time."""
    settings.E2B_API_KEY = ""
    monkeypatch.delenv("E2B_API_KEY", raising=False)
    return vendor_settings


@pytest.fixture
async def sam(actor: Callable[[str], Actor]) -> Actor:
    return await db(actor)("admin")


@db
def row(session: Session, provider: str, kind: str = "") -> Resource:
    rows = Resource.objects.filter(session=session, provider=provider)
    return (rows.filter(kind=kind) if kind else rows).get()


@db
def entries(session: Session) -> dict[str, str]:
    return {name: value.expose() for name, value in provisioning.env_entries(session).items()}


async def mails(cloud: CloudUnderTest, key: str) -> int:
    """What the mail vendor answers to that key: 401 once it is revoked."""
    headers = {"Authorization": f"Bearer {key}", "User-Agent": "t"}
    async with httpx.AsyncClient() as client:
        return (await client.post(f"{cloud.base_url}/resend/emails", json={}, headers=headers)).status_code


async def test_a_failed_leg_is_retried_whole_and_its_end_told(lean: CloudUnderTest, sam: Actor) -> None:
    lean.set_faults([{"vendor": "resend", "operation": "create_audience", "fault": "status:422"}])
    session = await begun()
    keys = [(await row(session, "resend", kind)).pk for kind in ("audience", "api_key")]
    [first, _] = await ordered(sam, "retry", keys, session)
    assert first[0] == "failed"
    assert "Resend refused an audience" in first[1]
    lean.clear_faults()
    assert await ordered(sam, "retry", keys, session) == [("done", "is live")] * 2
    assert len(lean.live(name=f"mk0r-{session.slug}", vendor="resend")) == 2
    assert await ordered(sam, "retry", keys, session) == [("nothing", "has not failed")] * 2
    await db(services.session_end)(session)
    assert [came for came, _ in await ordered(sam, "retry", keys, session)] == ["nothing"] * 2


async def test_a_turn_is_stopped_and_its_visitor_told_and_no_later_one_is(lean: CloudUnderTest, sam: Actor) -> None:
    session = await begun()
    turn: Turn = await db(services.turn_submit)(session, "a guest book")
    assert await ordered(sam, "end_turn", [turn.pk]) == [("done", "stopped")]
    notices = [one.data["text"] async for one in Event.objects.filter(session=session, type="notice")]
    assert notices == ["Staff of mk0r stopped this turn."]
    assert [one async for one in Entry.objects.values_list("session", "action")] == [(session.slug, "end_turn")]
    later: Turn = await db(services.turn_submit)(session, "another")
    assert await ordered(sam, "end_turn", [turn.pk]) == [("nothing", "had ended before: cancelled")]
    await Turn.objects.filter(pk=later.pk).aupdate(state="running")
    made = await db(undertakings.begin)(sam, POWERS["end_turn"], [str(later.pk)])
    came = await POWERS["end_turn"].act(undertakings.Order("sam", "here"), str(later.pk))
    assert (came.state, came.words) == ("working", "the agent has been told to stop")
    assert (await Turn.objects.aget(pk=later.pk)).cancel_requested
    await db(services.turn_fail)(later.pk, "It broke.")  # before the agent heard of it
    await undertakings.carry_out(made.pk, 0)
    assert (await made.errands.aget()).words == "had ended before: failed"


async def test_more_time_reaches_the_credentials_and_a_sandbox_that_runs_and_wakes_none(
    vendor_settings: CloudUnderTest, sam: Actor, settings: Any
) -> None:
    settings.MK0R_SESSION_TTL = 600
    session = await begun()
    sandbox = (await row(session, "e2b")).external_id

    async def ends() -> timedelta:
        info = await e2b.AsyncSandbox.get_info(sandbox, **_connection(10))
        return info.end_at - timezone.now()

    assert await ends() < timedelta(minutes=11)
    [(state, words)] = await ordered(sam, "extend", [session.pk], hours="3")
    assert (state, words.endswith(", its sandbox too")) == ("done", True)
    assert await ends() > timedelta(minutes=58)  # the smallest plan's limit is an hour
    await session.arefresh_from_db()
    assert session.expires_at > timezone.now() + 2.9 * HOUR
    leases = [one async for one in Credential.objects.filter(resource__session=session).values_list("expires_at")]
    assert {at for (at,) in leases} == {session.expires_at}
    assert await provisioning.sandbox_pause(session.pk)
    [(state, words)] = await ordered(sam, "extend", [session.pk], hours=5)
    assert (state, "sandbox" in words) == ("done", False)
    assert (await e2b.AsyncSandbox.get_info(sandbox, **_connection(10))).state == e2b.SandboxState.PAUSED
    await session.arefresh_from_db()
    assert session.expires_at > timezone.now() + 4.9 * HOUR
    vendor_settings.set_faults([{"vendor": "e2b", "operation": "set_timeout", "fault": "status:500"}])
    await db(Resource.objects.filter(session=session, provider="e2b").update)(meta={})
    [(state, words)] = await ordered(sam, "extend", [session.pk], hours=6)
    assert state == "done"
    assert "E2B did not do it" in words


async def test_a_session_that_was_given_time_does_not_count_as_abandoned_before(
    lean: CloudUnderTest, sam: Actor, settings: Any
) -> None:
    session: Session = await db(services.session_begin)(None)
    long_ago = timezone.now() - timedelta(seconds=settings.MK0R_ABANDONED_TTL + 60)
    await Session.objects.filter(pk=session.pk).aupdate(last_active_at=long_ago)
    [(state, words)] = await ordered(sam, "extend", [session.pk], hours="1")
    assert state == "done"  # its time is a day anyway, and stays so
    assert f"lives until {session.expires_at:%Y-%m-%d %H:%M}" in words
    assert await db(sweeps.close_due)() == []
    await Session.objects.filter(pk=session.pk).aupdate(kept_until=timezone.now() - timedelta(seconds=1))
    assert await db(sweeps.close_due)() == [session.slug]
    assert await ordered(sam, "extend", [session.pk], hours="1") == [("nothing", "has ended or is ending")]


async def test_what_cannot_be_deleted_is_forgotten_for_a_reason_and_its_session_closes(
    lean: CloudUnderTest, sam: Actor
) -> None:
    session = await begun()
    repository = await row(session, "github")
    with pytest.raises(Refused, match="Say why"):
        await db(undertakings.begin)(sam, POWERS["forget"], [str(repository.pk)], reason=" ")
    [(state, words)] = await ordered(sam, "forget", [repository.pk], reason="gone")
    assert (state, words) == ("failed", "is ready: only what is being deleted or stuck can be forgotten")
    lean.set_faults([{"vendor": "github", "operation": "delete_repository", "fault": "status:403"}])
    await db(services.session_end)(session)
    await provisioning.converge(session.pk)
    why = "The organisation was deleted at GitHub."
    [(state, words)] = await ordered(sam, "forget", [repository.pk], session, reason=why)
    assert (state, words) == ("done", "given up; its session has closed")
    repository = await row(session, "github")
    assert (repository.state, repository.forgotten_reason, repository.forgotten_by) == ("gone", why, "admin")
    assert [came for came, _ in await ordered(sam, "forget", [repository.pk], reason=why)] == ["nothing"]


async def test_what_is_stuck_is_tried_again_at_once_and_told_how_that_went(lean: CloudUnderTest, sam: Actor) -> None:
    session = await begun()
    repository = await row(session, "github")
    [(state, words)] = await ordered(sam, "delete_now", [repository.pk])
    assert (state, words) == ("failed", "is ready: only what is being deleted or stuck can be deleted now")
    lean.set_faults([{"vendor": "github", "operation": "delete_repository", "fault": "status:403"}])
    await db(services.session_end)(session)
    await provisioning.converge(session.pk)
    later = timezone.now() + HOUR
    await Resource.objects.filter(pk=repository.pk).aupdate(state="stuck", delete_attempts=6, next_at=later)
    [(state, words)] = await ordered(sam, "delete_now", [repository.pk], session)
    assert state == "failed"
    assert words.startswith("still there: ")
    assert "; tried again at" in words
    tried = await row(session, "github")
    assert (tried.state, tried.delete_attempts) == ("stuck", 7)
    lean.clear_faults()
    [(state, words)] = await ordered(sam, "delete_now", [repository.pk], session)
    assert (state, words) == ("done", "deleted, and not found when looked for again")
    assert lean.live(name=f"mk0r-{session.slug}") == []
    assert [came for came, _ in await ordered(sam, "delete_now", [repository.pk])] == ["nothing"]


async def test_i13_a_revoked_credential_is_taken_no_more_with_the_others_of_its_vendor_and_retry_brings_new_ones(
    lean: CloudUnderTest, sam: Actor
) -> None:
    session = await begun()
    old = await entries(session)
    password = await Credential.objects.aget(resource__session=session, name="NEON_ROLE_PASSWORD")
    project, key = await row(session, "neon"), await row(session, "resend", "api_key")
    came = await ordered(sam, "revoke", [password.pk, key.pk], session)
    assert [state for state, _ in came] == ["done", "done"]
    assert {words for _, words in came} == {
        f"{name} takes it no more; a retry brings a new one" for name in ("Neon", "Resend")
    }
    assert await mails(lean, old["RESEND_API_KEY"]) == 401
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(old["DATABASE_URL"])
    assert not {"DATABASE_URL", "RESEND_API_KEY"} & set(await entries(session))
    again = await ordered(sam, "revoke", [password.pk, key.pk, (await row(session, "github")).pk], session)
    assert [state for state, _ in again] == ["nothing"] * 3
    assert [state for state, _ in await ordered(sam, "retry", [project.pk, key.pk], session)] == ["done", "done"]
    assert await mails(lean, (await entries(session))["RESEND_API_KEY"]) == 422


async def test_i13_a_key_is_revoked_though_the_step_before_it_has_failed_or_it_never_came_up(
    lean: CloudUnderTest, sam: Actor
) -> None:
    session = await begun()
    old = await entries(session)
    audience, key = await row(session, "resend", "audience"), await row(session, "resend", "api_key")
    lost = {"reason": "lost", "message": "Resend no longer has it."}
    await db(Resource.objects.filter(pk=audience.pk).update)(state="failed", error=lost)
    project = await row(session, "neon")
    unfinished = {"reason": "not_accepting", "message": "Neon made a database, but it does not accept connections."}
    await db(Resource.objects.filter(pk=project.pk).update)(state="failed", error=unfinished)
    came = await ordered(sam, "revoke", [key.pk, project.pk], session)
    assert [state for state, _ in came] == ["done", "done"], came
    assert await mails(lean, old["RESEND_API_KEY"]) == 401
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(old["DATABASE_URL"])
    assert (await row(session, "neon")).error["reason"] == "revoked"


async def test_i13_a_vendor_that_does_not_confirm_is_asked_again_and_what_it_no_longer_has_opens_nothing(
    lean: CloudUnderTest, sam: Actor
) -> None:
    session = await begun()
    project = await row(session, "neon")
    lean.set_faults([{"vendor": "neon", "operation": "*", "fault": "status:500"}])
    revoke = POWERS["revoke"]
    await db(provisioning.revoke)(session, "neon")
    await provisioning.converge(session.pk)
    came = await db(revoke.followed)(str(project.pk))
    assert (came.state, "Neon has not confirmed, next try" in came.words) == ("working", True)
    lean.clear_faults()
    await step_for("neon", "project").destroy(Made(project.external_id))
    await db(Resource.objects.filter(pk=project.pk).update)(next_at=None)
    await provisioning.converge(session.pk)
    assert (await db(revoke.followed)(str(project.pk))).state == "done"


async def test_a_stopped_vendor_is_asked_for_nothing_new_and_its_legs_say_so_until_it_is_started(
    lean: CloudUnderTest, sam: Actor
) -> None:
    before = await begun()
    with pytest.raises(Refused, match="Say why"):
        await db(undertakings.begin)(sam, POWERS["pause_vendor"], ["neon"], options={"stopped": "true"})
    with pytest.raises(Refused, match="stopped or in use"):
        await db(undertakings.begin)(sam, POWERS["pause_vendor"], ["neon"], reason="bill")
    for state in ("done", "nothing"):
        [came] = await ordered(sam, "pause_vendor", ["neon"], reason="The bill is too high.", stopped="true")
        assert came[0] == state
    vendor = await Vendor.objects.aget(provider="neon")
    assert (vendor.stopped, vendor.stopped_by, vendor.stopped_reason) == (True, "admin", "The bill is too high.")
    made = len(lean.ledger(vendor="neon"))
    session = await begun()
    project = await row(session, "neon")
    assert project.error["reason"] == "stopped"
    assert "Staff have paused Neon" in project.error["message"]
    assert len(lean.ledger(vendor="neon")) == made
    assert await ordered(sam, "teardown", [before.pk], before) == [("done", "all gone, proved")]  # deleting goes on
    [came] = await ordered(sam, "retry", [project.pk], session)
    assert came[0] == "failed"
    for state in ("done", "nothing"):
        assert (await ordered(sam, "pause_vendor", ["neon"], stopped="false"))[0][0] == state
    assert await ordered(sam, "retry", [project.pk], session) == [("done", "is live")]


def test_nothing_is_made_of_keys_that_are_none_and_nobody_uses_a_power_they_have_not(
    actor: Callable[[str], Actor], db: None
) -> None:
    admin, operator, viewer = actor("admin"), actor("operator"), actor("viewer")
    options: dict[str, dict[str, Any]] = {
        "extend": {"hours": "1"}, "sweep": {"dry": "true"}, "pause_vendor": {"stopped": "false"},
        "transfer": {"new_owner": "octocat"},
    }  # fmt: skip
    for name, power in POWERS.items():
        for keys in (["0"], ["-1"], ["9" * 30], ["²"], ["run-x"], ["nobody"], ["1; drop table"]):
            with pytest.raises(Refused, match="Nothing is chosen"):
                undertakings.begin(admin, power, keys, reason="why", options=options.get(name, {}))
        with pytest.raises(NotAllowed):
            undertakings.begin(viewer, power, ["1"], reason="why")
    for name in ("forget", "approve", "adopt", "delete_stray", "dismiss", "repair"):
        with pytest.raises(NotAllowed):
            undertakings.begin(operator, POWERS[name], ["1"], reason="why")
    assert not Entry.objects.exists()


async def test_a_look_that_breaks_fails_its_errand_and_holds_up_no_other(sam: Actor) -> None:
    session: Session = await db(services.session_begin)(None)
    own = await row(session, "posthog")
    made = await Undertaking.objects.acreate(power="retry", by_name="sam", where="shell")
    for number, key in enumerate(("0", str(own.pk)), 1):
        await Errand.objects.acreate(undertaking=made, number=number, key=key, label=key, state="working")
    await Resource.objects.filter(pk=own.pk).aupdate(state="ready", attempt=1, external_id="x")
    await undertakings.carry_out(made.pk, 0)
    found = [(one.state, one.words) async for one in made.errands.order_by("number")]
    assert (found[0][0], "mk0r itself failed" in found[0][1]) == ("failed", True)
    assert found[1] == ("done", "is live")
