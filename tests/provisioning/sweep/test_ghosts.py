"""Rows whose thing is gone are told to their visitors, and a retry makes a new one."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import envfile, ghosts, services, sweep_rows
from provisioning.models import Resource
from provisioning.providers.base import Made
from provisioning.providers.registry import step_for
from provisioning.sweep_report import Report
from sessions_app.models import Session
from tests.provisioning.sweep.acts import AUDIENCE, KEY, LATER, LATEST, PROJECT, alive, at, changed, extra, mine, twice

pytestmark = pytest.mark.usefixtures("vendors")


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
        await changed(row, state="ready", external_id=str(uuid.uuid4()), attempt=1, settled_at=moment)
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
