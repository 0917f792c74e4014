"""The sandbox receives `.env`, shows its preview once, sleeps and wakes, and its loss is told."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from channels.db import database_sync_to_async

from provisioning import envfile, services, signals
from provisioning.exceptions import SandboxLost, VendorError
from provisioning.providers.base import Made
from provisioning.providers.registry import step_for
from sessions_app.models import Session
from tests.provisioning.waiting import converge_elsewhere


async def text_of(session: Session) -> str:
    return str(await database_sync_to_async(services.env_text)(session))


async def end(session: Session) -> None:
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)


async def test_a_whole_backend_comes_up_and_goes_again(
    vendor_settings: Any, begin: Any, heard: Any, rows: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = await begin()
    await asyncio.gather(services.converge(session.pk), converge_elsewhere(session.pk))
    chips = await database_sync_to_async(services.resources_state)(session)
    assert [(chip["provider"], chip["state"]) for chip in chips] == [
        ("posthog", "ready"), ("github", "ready"), ("resend", "ready"), ("e2b", "ready"), ("neon", "ready"),
    ]  # fmt: skip
    assert all(chip["local"] for chip in chips)
    assert heard.states(session, "resend") == ["planned", "creating", "creating", "ready"]  # one for each step

    sandbox = await services.sandbox(session.pk)
    written = await sandbox.files.read("/app/.env")
    assert written == await text_of(session)
    assert tuple(envfile.parse(written)) == envfile.NAMES
    mode = await sandbox.commands.run("stat -c %a .env; ls -A | grep -c draft || true", cwd="/app", timeout=10)
    assert mode.stdout.split() == ["600", "0"]

    assert [told["names"] for told in heard.of("env_written", session)] == [list(envfile.NAMES)]
    assert [told["state"] for told in heard.of("sandbox_changed", session)] == ["booting", "running"]
    url = await database_sync_to_async(services.preview_url)(session)
    assert [told["url"] for told in heard.of("preview_ready", session)] == [url]
    assert url.startswith("http://5173-")

    await end(session)
    assert heard.of("sandbox_changed", session)[-1]["state"] == "gone"
    assert await database_sync_to_async(services.preview_url)(session) is None
    with pytest.raises(SandboxLost):
        await services.sandbox(session.pk)
    _assert_no_secret(written, caplog.text, heard, await rows(session), vendor_settings)


def _assert_no_secret(written: str, log: str, heard: Any, rows: Any, cloud: Any) -> None:
    """I-15: no value of a credential in logs, signals or plain columns."""
    values = envfile.parse(written)
    secret = [values[name] for name in ("DATABASE_URL", "NEON_ROLE_PASSWORD", "RESEND_API_KEY")]
    secret += [cloud.keys[vendor] for vendor in ("neon", "resend", "github", "e2b")]
    shown = log + repr(heard.all)
    shown += "".join(f"{row.external_id} {row.url} {row.meta} {row.error}" for row in rows.values())
    assert not [value for value in secret if value in shown]


async def test_a_late_leg_rewrites_env(vendor_settings: Any, begin: Any, heard: Any, settings: Any) -> None:
    settings.LEG_DEADLINES = {**settings.LEG_DEADLINES, "github": 0.5, "neon": 20, "resend": 20}
    session = await begin()
    vendor_settings.set_faults(
        [{"vendor": "github", "operation": "create_repository", "fault": "latency", "seconds": 8}]
    )
    await services.converge(session.pk)
    first, last = (told["names"] for told in heard.of("env_written", session))
    assert set(last) - set(first) == {"GITHUB_REPO", "GITHUB_REPO_URL"}
    sandbox = await services.sandbox(session.pk)
    assert await sandbox.files.read("/app/.env") == await text_of(session)
    await end(session)


async def test_a_retried_leg_brings_its_names_into_env(vendor_settings: Any, begin: Any, heard: Any) -> None:
    session = await begin()
    vendor_settings.set_faults([{"vendor": "resend", "operation": "*", "fault": "status:500"}])
    await services.converge(session.pk)
    sandbox = await services.sandbox(session.pk)
    assert "RESEND" not in await sandbox.files.read("/app/.env")
    vendor_settings.clear_faults()
    await database_sync_to_async(services.retry)(session, "resend")
    await services.converge(session.pk)
    assert set(envfile.parse(await sandbox.files.read("/app/.env"))) == set(envfile.NAMES)
    assert len(heard.of("env_written", session)) == 2
    await services.converge(session.pk)  # nothing new: nothing is written again
    assert len(heard.of("env_written", session)) == 2
    await end(session)


async def test_i22_a_sandbox_that_takes_no_file_keeps_the_old_one_and_the_visitor_is_told(
    vendor_settings: Any, begin: Any, heard: Any
) -> None:
    session = await begin()
    vendor_settings.set_faults([{"vendor": "resend", "operation": "*", "fault": "status:500"}])
    await services.converge(session.pk)
    sandbox = await services.sandbox(session.pk)
    before = await sandbox.files.read("/app/.env")
    vendor_settings.set_faults([{"vendor": "e2b", "operation": "envd", "fault": "status:507"}])  # its disk is full
    await database_sync_to_async(services.retry)(session, "resend")
    await services.converge(session.pk)
    assert len(heard.of("env_unwritten", session)) == 1
    notices = await database_sync_to_async(lambda: [one.data for one in session.events.filter(type="notice")])()
    assert [notice["level"] for notice in notices] == ["warning"]
    assert ".env" in notices[0]["text"]
    await services.converge(session.pk)  # tried again with the same file: nothing new to tell
    assert len(heard.of("env_unwritten", session)) == 1
    vendor_settings.clear_faults()
    assert await sandbox.files.read("/app/.env") == before
    await services.converge(session.pk)
    assert await sandbox.files.read("/app/.env") == await text_of(session)
    assert len(heard.of("env_unwritten", session)) == 1
    await end(session)


async def test_a_paused_sandbox_wakes_with_its_files(vendor_settings: Any, begin: Any, heard: Any) -> None:
    session = await begin()
    await services.converge(session.pk)
    sandbox = await services.sandbox(session.pk)
    await sandbox.files.write("/app/note.txt", "kept")
    assert await services.sandbox_pause(session.pk)
    sandbox = await services.sandbox(session.pk)
    assert await sandbox.files.read("/app/note.txt") == "kept"
    told = [told["state"] for told in heard.of("sandbox_changed", session)]
    assert told == ["booting", "running", "paused", "running"]
    await end(session)


async def test_a_lost_sandbox_is_told_and_a_retry_brings_a_fresh_one_with_env(
    vendor_settings: Any, begin: Any, heard: Any, rows: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))["e2b", "sandbox"]
    await step_for("e2b", "sandbox").destroy(Made(row.external_id))
    with pytest.raises(SandboxLost):
        await services.sandbox(session.pk)
    assert heard.of("sandbox_changed", session)[-1]["state"] == "lost"
    assert heard.states(session, "e2b")[-1] == "failed"
    error = (await rows(session))["e2b", "sandbox"].error
    assert (error["reason"], error["retryable"]) == ("sandbox_lost", True)

    await database_sync_to_async(services.retry)(session, "e2b")
    await services.converge(session.pk)
    fresh = await services.sandbox(session.pk)
    assert fresh.sandbox_id != row.external_id
    assert await fresh.files.read("/app/.env") == await text_of(session)
    assert len(heard.of("preview_ready", session)) == 2
    await end(session)


async def test_a_lost_sandbox_is_made_anew_unasked_and_its_files_come_before_its_preview(
    vendor_settings: Any, begin: Any, heard: Any, rows: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    row = (await rows(session))["e2b", "sandbox"]
    assert not await database_sync_to_async(services.renew)(session)
    await step_for("e2b", "sandbox").destroy(Made(row.external_id))
    with pytest.raises(SandboxLost):
        await services.sandbox(session.pk)
    previews: list[int] = []

    async def lay_down(session_id: Any, **_: Any) -> None:
        previews.append(len(heard.of("preview_ready", session)))

    signals.sandbox_fresh.connect(lay_down)
    assert await database_sync_to_async(services.renew)(session)
    await asyncio.gather(services.converge(session.pk), converge_elsewhere(session.pk))
    signals.sandbox_fresh.disconnect(lay_down)
    assert previews
    assert previews[0] == 1
    assert len(heard.of("preview_ready", session)) == 2
    told = [told["state"] for told in heard.of("sandbox_changed", session)]
    assert told == ["booting", "running", "lost", "booting", "running"]
    fresh = (await rows(session))["e2b", "sandbox"]
    assert (fresh.attempt, fresh.external_id != row.external_id) == (2, True)
    assert len(vendor_settings.live(vendor="e2b", name=fresh.name)) == 1

    await step_for("e2b", "sandbox").destroy(Made(fresh.external_id))
    with pytest.raises(SandboxLost):
        await services.sandbox(session.pk)
    again = [await database_sync_to_async(services.renew)(session) for _ in range(2)]
    assert again == [True, False]  # planned by the first
    await end(session)


async def test_a_sandbox_that_is_there_after_all_is_not_given_up(
    vendor_settings: Any, begin: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await begin()
    await services.converge(session.pk)

    async def lost(*_: Any, **__: Any) -> Any:
        raise SandboxLost("not found")

    with monkeypatch.context() as patched:
        patched.setattr(services, "connect_sandbox", lost)
        with pytest.raises(VendorError):
            await services.sandbox(session.pk)
    assert (await rows(session))["e2b", "sandbox"].state == "ready"
    assert await services.sandbox(session.pk)
    await end(session)


@pytest.mark.parametrize("fault", ["reset_after", "garbage"])
async def test_i6_a_sandbox_whose_reply_was_lost_is_adopted(
    vendor_settings: Any, begin: Any, rows: Any, fault: str
) -> None:
    session = await begin()
    vendor_settings.set_faults([{"vendor": "e2b", "operation": "create_sandbox", "fault": fault}])
    await services.converge(session.pk)
    assert (await rows(session))["e2b", "sandbox"].state == "ready"
    assert len([one for one in vendor_settings.ledger(vendor="e2b") if session.slug in one["name"]]) == 1
    await end(session)


async def test_a_sandbox_whose_reply_drips_is_found_once_its_leg_is_overdue(
    vendor_settings: Any, begin: Any, rows: Any, settings: Any
) -> None:
    settings.LEG_DEADLINES = {**settings.LEG_DEADLINES, "e2b": 3.0}
    session = await begin()
    vendor_settings.set_faults([{"vendor": "e2b", "operation": "create_sandbox", "fault": "slow_drip", "seconds": 1}])
    async with asyncio.timeout(60):
        await services.converge(session.pk)
    assert (await rows(session))["e2b", "sandbox"].state == "ready"
    assert len([one for one in vendor_settings.ledger(vendor="e2b") if session.slug in one["name"]]) == 1
    await end(session)


async def test_who_asks_for_a_sandbox_that_is_being_made_waits_for_it(vendor_settings: Any, begin: Any) -> None:
    session = await begin()
    converging = asyncio.create_task(services.converge(session.pk))
    sandbox = await services.sandbox(session.pk)
    assert sandbox.sandbox_id
    await converging
    await end(session)


async def test_redaction_knows_every_secret_the_session_was_given(vendor_settings: Any, begin: Any) -> None:
    session = await begin()
    await services.converge(session.pk)
    values = await database_sync_to_async(services.secret_values)(session)
    env = envfile.parse(await text_of(session))
    assert {env["DATABASE_URL"], env["NEON_ROLE_PASSWORD"], env["RESEND_API_KEY"]} <= set(values)
    assert vendor_settings.keys["neon"] in values
    assert env["VITE_POSTHOG_KEY"] not in values
    assert values == sorted(values, key=len, reverse=True)
    await end(session)
