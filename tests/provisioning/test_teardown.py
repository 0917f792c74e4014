"""What a session owned is destroyed and proved gone, or loudly remembered."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import services
from provisioning.models import Credential, Resource
from provisioning.providers.registry import step_for
from sessions_app.models import Session
from tests.provisioning.waiting import converge_elsewhere

pytestmark = pytest.mark.usefixtures("without_sandbox")


def live(cloud: Any, session: Session) -> list[dict[str, Any]]:
    return [thing for thing in cloud.live() if session.slug in thing["name"]]


async def end(session: Session) -> None:
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)


async def states(session: Session) -> set[str]:
    return set(
        await database_sync_to_async(
            lambda: list(Resource.objects.filter(session_id=session.pk).values_list("state", flat=True))
        )()
    )


async def come_due(session: Session) -> None:
    """Let the time of the next try arrive."""
    await database_sync_to_async(Resource.objects.filter(session_id=session.pk).update)(
        next_at=timezone.now() - timedelta(seconds=1)
    )


async def test_i7_after_the_end_nothing_is_left_and_each_row_says_when_that_was_proved(
    vendor_settings: Any, begin: Any, rows: Any, heard: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    assert len(live(vendor_settings, session)) == 4
    await end(session)
    assert live(vendor_settings, session) == []
    assert await states(session) == {"gone"}
    assert all(row.deleted_at and row.verified_at for row in (await rows(session)).values())
    for provider in ("github", "resend", "neon"):
        assert heard.states(session, provider)[-2:] == ["deleting", "gone"]


async def test_after_the_end_no_secret_is_kept(vendor_settings: Any, begin: Any) -> None:
    session = await begin()
    await services.converge(session.pk)
    await end(session)
    kept = await database_sync_to_async(
        lambda: list(
            Credential.objects.filter(resource__session_id=session.pk).values_list("ciphertext", "fingerprint")
        )
    )()
    assert kept
    assert set(kept) == {("", "")}
    assert await database_sync_to_async(services.env_entries)(session) == {}


async def test_i8_ending_twice_and_what_is_already_gone_is_fine(vendor_settings: Any, begin: Any, rows: Any) -> None:
    session = await begin()
    await services.converge(session.pk)
    for (provider, kind), row in (await rows(session)).items():
        if row.state == "ready" and provider in {"github", "resend"}:
            from provisioning.providers.base import Made

            await step_for(provider, kind).destroy(Made(row.external_id, meta=row.meta))
    await end(session)
    await end(session)
    assert await states(session) == {"gone"}


@pytest.mark.parametrize("moment", [0.0, 0.1, 0.4])
async def test_i10_an_end_that_comes_during_the_making_leaves_nothing(
    vendor_settings: Any, begin: Any, moment: float
) -> None:
    session = await begin()
    vendor_settings.set_faults([{"vendor": "*", "operation": "*", "fault": "latency", "seconds": 0.1}])
    making = asyncio.create_task(services.converge(session.pk))
    await asyncio.sleep(moment)
    await database_sync_to_async(services.request_teardown)(session)
    await making
    await services.converge(session.pk)
    assert await states(session) == {"gone"}
    assert live(vendor_settings, session) == []


async def test_i10_what_an_attempt_made_and_nobody_heard_of_is_found_and_destroyed(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    from provisioning import ledger

    session = await begin()
    for provider, kind in [
        ("github", "repository"),
        ("resend", "audience"),
        ("resend", "api_key"),
        ("neon", "project"),
    ]:
        row = (await rows(session))[provider, kind]
        await database_sync_to_async(ledger.claim)(row)
        order = await database_sync_to_async(lambda pk: ledger.order_for(ledger.row(pk)))(row.pk)
        await step_for(provider, kind).create(order)
    assert len(live(vendor_settings, session)) == 4
    await end(session)
    assert await states(session) == {"gone"}
    assert live(vendor_settings, session) == []


async def test_i9_a_delete_that_fails_is_remembered_put_off_and_done_when_it_can_be(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    vendor_settings.set_faults([{"vendor": "github", "operation": "delete_repository", "fault": "status:500"}])
    began = timezone.now()
    await end(session)
    row = (await rows(session))["github", "repository"]
    assert (row.state, row.delete_attempts) == ("deleting", 1)
    assert row.next_at > began + timedelta(seconds=5)
    assert row.error["reason"]
    assert len(live(vendor_settings, session)) == 1
    later = timezone.now() + timedelta(minutes=5)
    await database_sync_to_async(session.resources.filter(pk=row.pk).update)(next_at=later)
    await services.converge(session.pk)  # not due yet: not even asked
    assert (await rows(session))["github", "repository"].delete_attempts == 1
    vendor_settings.clear_faults()
    await come_due(session)
    await services.converge(session.pk)
    assert await states(session) == {"gone"}


async def test_i7_the_second_thing_of_a_vendor_is_still_destroyed_when_only_the_first_could_be(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    vendor_settings.set_faults([{"vendor": "resend", "operation": "delete_api_key", "fault": "status:500"}])
    await end(session)
    found = await rows(session)
    assert (found["resend", "audience"].state, found["resend", "api_key"].state) == ("gone", "deleting")
    vendor_settings.clear_faults()
    await come_due(session)
    await services.converge(session.pk)
    assert await states(session) == {"gone"}
    assert live(vendor_settings, session) == []


async def test_i7_after_six_failures_it_is_stuck_shown_and_still_tried_hourly(
    vendor_settings: Any, begin: Any, rows: Any, heard: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    vendor_settings.set_faults([{"vendor": "resend", "operation": "delete_audience", "fault": "status:403"}])
    await end(session)
    for _ in range(5):
        await come_due(session)
        await services.converge(session.pk)
    row = (await rows(session))["resend", "audience"]
    assert (row.state, row.delete_attempts) == ("stuck", 6)
    assert timedelta(minutes=50) < row.next_at - timezone.now() < timedelta(minutes=61)
    assert heard.states(session, "resend")[-1] == "stuck"
    assert row.error["message"] == "Resend refused to delete the audience (403, invalid_api_key)."
    assert row.error["retryable"] is False
    vendor_settings.clear_faults()
    await come_due(session)
    await services.converge(session.pk)
    assert await states(session) == {"gone"}


@pytest.mark.parametrize(
    ("fault", "reason", "message"),
    [
        ("status:500", "vendor_error", "GitHub failed while deleting the repository (500)."),
        ("reset_before", "no_answer", "GitHub did not answer when asked to delete the repository."),
    ],
)
async def test_what_could_not_be_deleted_is_told_as_such(
    vendor_settings: Any, begin: Any, rows: Any, fault: str, reason: str, message: str
) -> None:
    session = await begin()
    await services.converge(session.pk)
    vendor_settings.set_faults([{"vendor": "github", "operation": "delete_repository", "fault": fault}])
    await end(session)
    error = (await rows(session))["github", "repository"].error
    assert (error["reason"], error["message"]) == (reason, message)
    assert "Retry" not in error["next"]  # nobody is asked to, and where a visitor is there is nothing to press


async def test_two_that_tear_down_at_once_end_well(vendor_settings: Any, begin: Any) -> None:
    session = await begin()
    await services.converge(session.pk)
    await database_sync_to_async(services.request_teardown)(session)
    await asyncio.gather(services.converge(session.pk), converge_elsewhere(session.pk))
    assert await states(session) == {"gone"}
    assert live(vendor_settings, session) == []


async def test_a_session_that_never_made_anything_asks_no_vendor(begin: Any, rows: Any, settings: Any) -> None:
    settings.NEON_API_URL = settings.RESEND_API_URL = settings.GITHUB_API_URL = "http://127.0.0.1:9"
    session = await begin()
    await end(session)
    assert await states(session) == {"gone"}


async def test_i7_an_end_cut_between_two_steps_of_a_leg_goes_on_with_the_second(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    """The process died after it had proved the audience gone and before it came to the key."""
    from provisioning import teardown

    session = await begin()
    await services.converge(session.pk)
    await database_sync_to_async(services.request_teardown)(session)
    audience = (await rows(session))["resend", "audience"]
    await teardown.destroy(await database_sync_to_async(Resource.objects.select_related("session").get)(pk=audience.pk))
    assert (await rows(session))["resend", "audience"].state == "gone"
    await services.converge(session.pk)
    assert await states(session) == {"gone"}
    assert live(vendor_settings, session) == []
