"""Whatever a vendor or a crash does to a create, the session ends with one of each and the ledger knows it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from channels.db import database_sync_to_async

from provisioning import ledger, services
from provisioning.models import Credential, Resource
from provisioning.providers.base import Made
from provisioning.providers.registry import step_for
from provisioning.secrets import Secret
from sessions_app.models import Session
from tests.provisioning.waiting import converge_elsewhere, until

pytestmark = pytest.mark.usefixtures("without_sandbox")
CREATES = [("github", "create_repository"), ("neon", "create_project"), ("resend", "create_audience")]
KINDS = {"github": "repository", "neon": "project", "resend": "audience"}
LEGS = [("github", "repository"), ("resend", "audience"), ("resend", "api_key"), ("neon", "project")]


def fault(vendor: str, operation: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"vendor": vendor, "operation": operation, "fault": kind, "probability": 1} | more


def made_at(cloud: Any, session: Session) -> dict[tuple[str, str], int]:
    """How many live things of each kind bear the session's name, by the stand-ins' own ledger."""
    counts: dict[tuple[str, str], int] = {}
    for thing in cloud.live():
        if thing["name"].split("/")[-1].startswith(f"mk0r-{session.slug}"):
            key = (thing["vendor"], thing["kind"])
            counts[key] = counts.get(key, 0) + 1
    return counts


async def states(session: Session) -> dict[str, str]:
    chips = await database_sync_to_async(services.resources_state)(session)
    return {chip["provider"]: chip["state"] for chip in chips}


async def errors(session: Session) -> dict[str, Any]:
    chips = await database_sync_to_async(services.resources_state)(session)
    return {chip["provider"]: chip["error"] for chip in chips if chip["error"]}


async def names(session: Session) -> list[str]:
    return list(await database_sync_to_async(services.env_entries)(session))


async def assert_one_of_each(cloud: Any, session: Session) -> None:
    assert await states(session) == {
        "posthog": "ready", "github": "ready", "resend": "ready", "e2b": "failed", "neon": "ready",
    }  # fmt: skip
    assert sorted(made_at(cloud, session).values()) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("vendor", "operation", "kind"),
    [
        *((*create, "reset_after") for create in CREATES),
        ("github", "create_repository", "garbage"),
        ("neon", "create_project", "truncate"),
        ("resend", "create_audience", "flood"),
    ],
)
async def test_i6_what_a_lost_reply_made_is_adopted_and_never_made_twice(
    vendor_settings: Any, begin: Any, rows: Any, vendor: str, operation: str, kind: str
) -> None:
    session = await begin()
    vendor_settings.set_faults([fault(vendor, operation, kind)])
    await services.converge(session.pk)
    await assert_one_of_each(vendor_settings, session)
    assert (await rows(session))[vendor, KINDS[vendor]].attempt == 1
    assert len(await names(session)) == 15


async def test_a_resend_key_whose_token_was_lost_is_deleted_and_minted_again(
    vendor_settings: Any, begin: Any, heard: Any
) -> None:
    session = await begin()
    vendor_settings.set_faults([fault("resend", "create_api_key", "reset_after")])
    converging = asyncio.create_task(services.converge(session.pk))
    await until(lambda: "unknown" in heard.states(session, "resend"))
    vendor_settings.clear_faults()
    await converging
    await assert_one_of_each(vendor_settings, session)
    name = f"mk0r-{session.slug}"
    minted = vendor_settings.ledger(vendor="resend", name=name)
    keys = [thing for thing in minted if "key" in thing["kind"]]
    assert len(keys) >= 2
    assert len([key for key in keys if not key["deleted_at"]]) == 1


@pytest.mark.parametrize(("vendor", "operation"), CREATES)
async def test_a_vendor_that_never_stops_failing_fails_its_own_leg_only(
    vendor_settings: Any, begin: Any, vendor: str, operation: str
) -> None:
    session = await begin()
    vendor_settings.set_faults([fault(vendor, operation, "status:500")])
    await services.converge(session.pk)
    reached = await states(session)
    assert reached.pop(vendor) == "failed"
    assert all(state == "ready" for provider, state in reached.items() if provider != "e2b")
    error = (await errors(session))[vendor]
    assert error["reason"] == "vendor_error"
    assert error["retryable"] is True
    assert "500" in error["message"]
    assert "three tries" in error["message"]
    assert error["next"]
    assert len(error["reference"]) == 6


async def test_resend_at_500_leaves_the_others_live_and_retry_brings_it_in(
    vendor_settings: Any, begin: Any, heard: Any
) -> None:
    session = await begin()
    vendor_settings.set_faults([fault("resend", "*", "status:500")])
    await services.converge(session.pk)
    assert await states(session) == {
        "posthog": "ready", "github": "ready", "resend": "failed", "e2b": "failed", "neon": "ready",
    }  # fmt: skip
    assert not [name for name in await names(session) if name.startswith("RESEND")]
    assert "mail" in (await errors(session))["resend"]["message"]
    vendor_settings.clear_faults()
    assert await database_sync_to_async(services.retry)(session, "resend")
    assert (await states(session))["resend"] == "planned"
    await services.converge(session.pk)
    await assert_one_of_each(vendor_settings, session)
    assert [name for name in await names(session) if name.startswith("RESEND")] == [
        "RESEND_API_KEY", "RESEND_AUDIENCE_ID", "RESEND_FROM", "RESEND_BASE_URL",
    ]  # fmt: skip


async def test_the_second_step_resumes_where_the_first_one_stands(vendor_settings: Any, begin: Any, rows: Any) -> None:
    session = await begin()
    vendor_settings.set_faults([fault("resend", "create_api_key", "status:422")])
    await services.converge(session.pk)
    before = (await rows(session))["resend", "audience"]
    error = (await errors(session))["resend"]
    assert error["reason"] == "refused"
    assert "The audience exists and will be used again." in error["message"]
    vendor_settings.clear_faults()
    await database_sync_to_async(services.retry)(session, "resend")
    await services.converge(session.pk)
    assert (await rows(session))["resend", "audience"].external_id == before.external_id
    await assert_one_of_each(vendor_settings, session)


async def test_retry_of_what_did_not_fail_does_nothing(vendor_settings: Any, begin: Any, heard: Any) -> None:
    session = await begin()
    assert not await database_sync_to_async(services.retry)(session, "neon")
    assert not await database_sync_to_async(services.retry)(session, "nobody")


async def test_throttling_is_waited_out_as_long_as_the_vendor_asks(
    vendor_settings: Any, begin: Any, rows: Any, heard: Any
) -> None:
    session = await begin()
    vendor_settings.set_faults([fault("github", "create_repository", "status:429", seconds=4)])
    converging = asyncio.create_task(services.converge(session.pk))
    await until(lambda: heard.states(session, "github") == ["planned", "creating", "planned"])
    vendor_settings.clear_faults()
    await converging
    await assert_one_of_each(vendor_settings, session)
    row = (await rows(session))["github", "repository"]
    assert row.attempt == 2
    assert (row.settled_at - row.started_at).total_seconds() >= 4.0


async def test_a_wait_longer_than_the_leg_has_is_queued_and_told_and_holds_nothing_up(
    vendor_settings: Any, begin: Any, rows: Any, heard: Any
) -> None:
    session = await begin()
    vendor_settings.set_faults([fault("github", "create_repository", "status:429", seconds=120)])
    async with asyncio.timeout(60):
        await services.converge(session.pk)
    chips = {chip["provider"]: chip for chip in await database_sync_to_async(services.resources_state)(session)}
    assert (chips["github"]["state"], chips["github"]["error"]) == ("planned", None)
    assert 60_000 < chips["github"]["starts_in_ms"] <= 121_000
    assert chips["neon"]["state"] == chips["resend"]["state"] == "ready"
    told = [each for each in heard.of("resource_changed", session) if each["provider"] == "github"]
    assert [each["state"] for each in told] == ["planned", "creating", "planned"]
    assert [each["starts_in_ms"] is not None for each in told] == [False, False, True]


async def test_a_wait_beyond_what_a_leg_may_queue_is_told_instead_of_sat_out(
    vendor_settings: Any, begin: Any, settings: Any
) -> None:
    settings.MK0R_QUEUE_SECONDS = 60.0
    session = await begin()
    vendor_settings.set_faults([fault("github", "create_repository", "status:429", seconds=120)])
    async with asyncio.timeout(60):
        await services.converge(session.pk)
    error = (await errors(session))["github"]
    assert error["reason"] == "rate_limited"
    assert error["retryable"] is True
    assert re.search(r"1 min [3-5]\d s|2 min", error["next"]), error["next"]


async def test_a_missing_key_fails_its_leg_at_once_and_says_which(
    vendor_settings: Any, begin: Any, settings: Any
) -> None:
    settings.NEON_API_KEY = settings.POSTHOG_PROJECT_KEY = ""
    session = await begin()
    await services.converge(session.pk)
    told = await errors(session)
    assert {told["neon"]["reason"], told["posthog"]["reason"]} == {"not_configured"}
    assert "NEON_API_KEY" in told["neon"]["message"]
    assert told["neon"]["retryable"] is False


async def test_i2_two_that_converge_at_once_make_one_of_each(vendor_settings: Any, begin: Any) -> None:
    session = await begin()
    vendor_settings.set_faults([fault("*", "*", "latency", seconds=0.1)])
    await asyncio.gather(services.converge(session.pk), services.converge(session.pk), converge_elsewhere(session.pk))
    await assert_one_of_each(vendor_settings, session)
    assert len(vendor_settings.ledger(name=f"mk0r-{session.slug}")) <= 4


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.12, 0.25, 0.5])
async def test_a_crash_at_any_moment_is_taken_up_where_it_was(vendor_settings: Any, begin: Any, moment: float) -> None:
    session = await begin()
    vendor_settings.set_faults([fault("*", "*", "latency", seconds=0.05)])
    dying = asyncio.create_task(services.converge(session.pk))
    await asyncio.sleep(moment)
    dying.cancel()
    await asyncio.wait({dying})
    vendor_settings.clear_faults()
    await services.converge(session.pk)
    await assert_one_of_each(vendor_settings, session)


async def test_a_row_left_in_flight_by_a_dead_process_is_searched_for_before_it_is_made(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    """The call left and made something, and nobody was there to hear of it."""
    session = await begin()
    from provisioning.providers.registry import step_for

    for provider, kind in LEGS:
        row = (await rows(session))[provider, kind]
        claimed = await database_sync_to_async(ledger.claim)(row)
        assert claimed is not None
        order = await database_sync_to_async(lambda pk: ledger.order_for(ledger.row(pk)))(row.pk)
        await step_for(provider, kind).create(order)
    await services.converge(session.pk)
    await assert_one_of_each(vendor_settings, session)


async def test_i3_a_late_attempt_writes_nothing(vendor_settings: Any, begin: Any, rows: Any) -> None:
    session = await begin()
    row = (await rows(session))["github", "repository"]
    row = await database_sync_to_async(ledger.claim)(row)
    late = await database_sync_to_async(ledger.row)(row.pk)
    await database_sync_to_async(ledger.replan)(late)
    newer = await database_sync_to_async(ledger.claim)(late)
    assert newer is not None
    made = Made("acme/late", secrets={"X": Secret("late-secret")})
    assert not await database_sync_to_async(ledger.keep)(late, made)
    assert not await database_sync_to_async(ledger.ready)(late)
    assert not await database_sync_to_async(ledger.fail)(late, {"reason": "x"})
    assert not await database_sync_to_async(ledger.doubt)(late)
    current = await database_sync_to_async(ledger.row)(row.pk)
    assert (current.state, current.attempt, current.external_id) == ("creating", 2, "")
    assert not await database_sync_to_async(Credential.objects.filter(resource=current).exists)()


async def _asked_and_died(row: Any) -> asyncio.Task[Made]:
    """A process claimed the row, sent its create and was killed; the vendor gets to it a second later."""
    assert await database_sync_to_async(ledger.claim)(row, settles=5.0)
    order = await database_sync_to_async(lambda: ledger.order_for(ledger.row(row.pk)))()

    async def under_way() -> Made:
        await asyncio.sleep(1.0)
        return await step_for(row.provider, row.kind).create(order)

    return asyncio.create_task(under_way())


async def test_i6_a_create_still_under_way_at_the_vendor_is_waited_for(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await begin()
    under_way = await _asked_and_died((await rows(session))["neon", "project"])
    await services.converge(session.pk)
    await under_way
    await assert_one_of_each(vendor_settings, session)


async def test_i7_a_create_still_under_way_at_the_vendor_does_not_outlive_its_session(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await begin()
    under_way = await _asked_and_died((await rows(session))["neon", "project"])
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    row = (await rows(session))["neon", "project"]
    assert (row.state, row.delete_attempts) == ("deleting", 0)  # not found, and not proved gone
    await under_way
    await database_sync_to_async(Resource.objects.filter(pk=row.pk).update)(next_at=None)
    await services.converge(session.pk)
    assert (await rows(session))["neon", "project"].state == "gone"
    assert vendor_settings.live(vendor="neon", name=f"mk0r-{session.slug}") == []


async def test_i2_a_planned_row_is_claimed_once(vendor_settings: Any, begin: Any, rows: Any) -> None:
    session = await begin()
    row = (await rows(session))["neon", "project"]
    claims = await asyncio.gather(
        *(asyncio.to_thread(lambda: _with_own_connection(ledger.claim, row)) for _ in range(8))
    )
    assert len([claim for claim in claims if claim is not None]) == 1


def _with_own_connection(call: Any, *args: Any) -> Any:
    from django.db import connection

    try:
        return call(*args)
    finally:
        connection.close()


async def test_a_slow_leg_is_shown_as_unknown_and_still_arrives(
    vendor_settings: Any, begin: Any, heard: Any, settings: Any
) -> None:
    settings.LEG_DEADLINES = {**settings.LEG_DEADLINES, "github": 0.4}
    session = await begin()
    vendor_settings.set_faults([fault("github", "create_repository", "latency", seconds=1.5)])
    await services.converge(session.pk)
    assert heard.states(session, "github") == ["planned", "creating", "unknown", "ready"]
    await assert_one_of_each(vendor_settings, session)


async def test_a_retry_is_taken_up_while_another_leg_is_still_slow(
    vendor_settings: Any, begin: Any, heard: Any
) -> None:
    session = await begin()
    vendor_settings.set_faults(
        [fault("resend", "*", "status:422"), fault("neon", "create_project", "latency", seconds=4)]
    )
    converging = asyncio.create_task(services.converge(session.pk))
    await until(lambda: "failed" in heard.states(session, "resend"))
    vendor_settings.set_faults([fault("neon", "create_project", "latency", seconds=4)])
    await database_sync_to_async(services.retry)(session, "resend")
    await until(lambda: heard.states(session, "resend")[-1] == "ready", 3)
    assert heard.states(session, "neon")[-1] == "creating"
    await converging
    await assert_one_of_each(vendor_settings, session)


async def test_a_fault_of_our_own_in_one_leg_stays_in_it(
    vendor_settings: Any, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provisioning.providers.registry import step_for

    async def explode(order: object) -> Made:
        raise ZeroDivisionError

    monkeypatch.setattr(step_for("github", "repository"), "create", explode)
    session = await begin()
    await services.converge(session.pk)
    reached = await states(session)
    assert (reached["github"], reached["neon"], reached["resend"]) == ("failed", "ready", "ready")
    assert (await errors(session))["github"]["reason"] == "internal"


async def test_a_taken_name_that_is_not_ours_makes_way_for_another(vendor_settings: Any, begin: Any, rows: Any) -> None:
    from datetime import timedelta

    from provisioning.providers.registry import step_for

    session = await begin()
    row = (await rows(session))["github", "repository"]
    order = await database_sync_to_async(lambda pk: ledger.order_for(ledger.row(pk)))(row.pk)
    await step_for("github", "repository").create(order)
    later = row.created_at + timedelta(hours=1)
    await database_sync_to_async(Resource.objects.filter(pk=row.pk).update)(created_at=later)
    await services.converge(session.pk)
    row = (await rows(session))["github", "repository"]
    assert row.state == "ready"
    assert row.name == f"mk0r-{session.slug}-1"
    assert row.external_id.endswith(row.name)
