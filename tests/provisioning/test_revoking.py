"""What has lapsed is revoked at its vendor; staff may end a lease, and forget what cannot be deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import alerts, endings, lapses, ledger, services
from provisioning.models import Alert, Resource
from provisioning.providers.registry import step_for
from sessions_app.models import Session

pytestmark = pytest.mark.usefixtures("without_sandbox")


def db(function: Any) -> Any:
    return database_sync_to_async(function)


async def _env(session: Session) -> dict[str, str]:
    entries = await db(services.env_entries)(session)
    return {name: value.expose() for name, value in entries.items()}


async def _mails(cloud: Any, key: str) -> int:
    """What the mail vendor answers to that key: 401 once it is revoked."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{cloud.base_url}/resend/emails", json={}, headers={"Authorization": f"Bearer {key}", "User-Agent": "t"}
        )
    return answer.status_code


async def test_i13_a_lease_that_is_over_is_revoked_at_the_vendor_and_retry_brings_a_new_one(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    old = await _env(session)
    with psycopg.connect(old["DATABASE_URL"]) as connection:
        connection.execute("create table kept (note text)")
    assert await _mails(vendor_settings, old["RESEND_API_KEY"]) == 422

    for provider in ("neon", "resend"):
        assert await db(services.revoke)(session, provider)
    assert not {"DATABASE_URL", "RESEND_API_KEY"} & set(await _env(session))  # I-14: refused before it is revoked
    await services.converge(session.pk)
    assert await _mails(vendor_settings, old["RESEND_API_KEY"]) == 401
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(old["DATABASE_URL"])
    for key, row in (await rows(session)).items():
        if key in {("neon", "project"), ("resend", "api_key")}:
            assert (row.state, row.error["reason"]) == ("failed", "revoked")

    for provider in ("neon", "resend"):
        assert await db(services.retry)(session, provider)
    await services.converge(session.pk)
    new = await _env(session)
    with psycopg.connect(new["DATABASE_URL"]) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)  # the data stayed
    assert await _mails(vendor_settings, new["RESEND_API_KEY"]) == 422
    live = [thing for thing in vendor_settings.live() if session.slug in thing["name"]]
    assert len(live) == 4


async def test_a_revocation_the_vendor_refuses_is_tried_again_later(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    key = (await _env(session))["RESEND_API_KEY"]
    await db(services.revoke)(session, "resend")
    vendor_settings.set_faults([{"vendor": "resend", "operation": "delete_api_key", "fault": "status:500"}])
    await services.converge(session.pk)
    row = (await rows(session))["resend", "api_key"]
    assert row.state == "ready"
    assert row.next_at > timezone.now()
    assert "RESEND_API_KEY" not in await _env(session)
    vendor_settings.clear_faults()
    await db(Resource.objects.filter(pk=row.pk).update)(next_at=timezone.now())
    await services.converge(session.pk)
    assert await _mails(vendor_settings, key) == 401


async def test_when_its_session_is_over_a_credential_ends_with_it(vendor_settings: Any, begin: Any) -> None:
    """Nothing is revoked one by one then: teardown destroys it all."""
    session = await begin()
    await services.converge(session.pk)
    ended = timezone.now() - timedelta(seconds=1)
    await db(Session.objects.filter(pk=session.pk).update)(expires_at=ended)
    names = await _env(session)
    assert names
    assert all("POSTHOG" in name or "GITHUB" in name for name in names)
    assert not await db(lambda: lapses.lapsed(session.pk).exists())()


async def _stuck(begin: Any, cloud: Any) -> Session:
    session: Session = await begin()
    await services.converge(session.pk)
    cloud.set_faults([{"vendor": "github", "operation": "delete_repository", "fault": "status:403"}])
    await db(services.request_teardown)(session)
    for _ in range(6):
        await db(Resource.objects.filter(session=session, provider="github").update)(next_at=None)
        await services.converge(session.pk)
    return session


async def test_i7_what_is_stuck_raises_one_alert_which_is_over_when_it_is_gone(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await _stuck(begin, vendor_settings)
    name = f"github/repository/mk0r-{session.slug}"
    for _ in range(2):  # hourly tries raise no second one
        await db(Resource.objects.filter(session=session, provider="github").update)(next_at=None)
        await services.converge(session.pk)
    alert = await db(Alert.objects.get)(subject=name)
    assert (alert.kind, alert.cleared_at) == (alerts.STUCK, None)
    assert "403" in alert.text
    vendor_settings.clear_faults()
    await db(Resource.objects.filter(session=session, provider="github").update)(next_at=None)
    await services.converge(session.pk)
    assert (await rows(session))["github", "repository"].state == "gone"
    assert (await db(Alert.objects.get)(subject=name)).cleared_at is not None


async def test_what_is_stuck_is_forgotten_for_a_reason_that_stays_and_the_session_can_close(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await _stuck(begin, vendor_settings)
    row = (await rows(session))["github", "repository"]
    reason = "The organisation was deleted at GitHub."
    assert await db(endings.forget)(row, reason=reason, by="sam")
    assert not await db(endings.forget)(row, reason="again", by="ben")
    row = (await rows(session))["github", "repository"]
    assert (row.state, row.forgotten_reason, row.forgotten_by, row.verified_at) == (
        "gone", reason, "sam", None,
    )  # fmt: skip
    assert not await db(Alert.objects.filter(cleared_at=None).exists)()


async def test_a_neon_role_gets_another_password_and_its_data_stays(
    vendor_settings: Any, begin: Any, rows: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))["neon", "project"]
    old = (await _env(session))["DATABASE_URL"]
    await step_for("neon", "project").revoke(await db(lambda: ledger.made_of(ledger.row(row.pk)))())
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(old)
