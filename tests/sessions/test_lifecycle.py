"""The end of a session: by its owner, by its time, and with everything it owned proven gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from sessions_app import events, jobs, services, state, sweeps, tokens
from sessions_app.models import Session
from sessions_app.process import SessionTasks

pytestmark = pytest.mark.django_db(transaction=True)


def _types(session: Session) -> list[str]:
    return [event.type for event in events.after(session.pk, 0)]


async def test_a_session_closes_only_when_all_it_owned_is_gone(session: Session, backend: Any) -> None:
    owner = SessionTasks()
    await owner.converge(session.pk)
    assert await database_sync_to_async(services.session_end)(session)
    assert not await database_sync_to_async(services.session_settle)(session.pk)
    assert "session.closed" not in await database_sync_to_async(_types)(session)
    await owner.converge(session.pk)
    await session.arefresh_from_db()
    assert session.state == "closed"
    assert (await database_sync_to_async(_types)(session))[-1] == "session.closed"
    receipt = await database_sync_to_async(state.receipt)(session)
    assert [line["state"] for line in receipt] == ["gone"] * 5
    assert all(line["deleted_at"] and line["verified_at"] for line in receipt)


def test_ending_twice_ends_once_and_stops_the_turn(session: Session) -> None:
    services.turn_submit(session, "a guest book")
    assert services.session_end(session)
    assert not services.session_end(session)
    assert _types(session).count("session.closing") == 1
    assert session.turns.get().cancel_requested
    assert ProcrastinateJob.objects.filter(lock=jobs.lock_of(session.pk)).count() == 1


def test_the_gateway_token_dies_with_the_session_and_the_key_still_reads_the_receipt(session: Session) -> None:
    token, key = tokens.gateway_token(session), tokens.session_key(session)
    assert tokens.resolve_gateway_token(token) == session
    assert tokens.resolve_gateway_token(key) is None
    assert tokens.resolve_session_key(token) is None
    services.session_end(session)
    assert tokens.resolve_gateway_token(token) is None
    assert tokens.resolve_session_key(key) == session
    Session.objects.filter(pk=session.pk).update(key_generation=2)
    assert tokens.resolve_session_key(key) is None


@pytest.mark.parametrize("token", ["", "mk0r_", "mk0rgw_", "mk0rgw_aaaaaaaaaaaa_" + "0" * 48, "é" * 70, "mk0rgw_\0"])
def test_a_made_up_token_opens_nothing(session: Session, token: str) -> None:
    assert tokens.resolve_gateway_token(token) is None
    assert tokens.resolve_session_key(token) is None


def test_expired_and_abandoned_sessions_are_ended_and_others_are_left(ada: Any, settings: Any) -> None:
    expired, abandoned, prompted, fresh = (services.session_begin(ada.visitor) for _ in range(4))
    long_ago = timezone.now() - timedelta(seconds=settings.MK0R_ABANDONED_TTL + 5)
    Session.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    Session.objects.filter(pk__in=[abandoned.pk, prompted.pk]).update(last_active_at=long_ago)
    Session.objects.filter(pk=prompted.pk).update(prompted_at=long_ago)
    assert set(sweeps.close_due()) == {expired.slug, abandoned.slug}
    fresh.refresh_from_db()
    prompted.refresh_from_db()
    assert (fresh.state, prompted.state) == ("open", "open")


def test_a_session_that_cannot_be_ended_keeps_no_other_from_it(ada: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    poison, other = (services.session_begin(ada.visitor) for _ in range(2))
    Session.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    Session.objects.filter(pk=poison.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    end = sweeps.session_end

    def broken(session: Session) -> bool:
        if session.pk == poison.pk:
            raise ZeroDivisionError
        return end(session)

    monkeypatch.setattr(sweeps, "session_end", broken)
    assert sweeps.close_due() == [other.slug]


def test_what_is_due_no_more_by_the_time_its_turn_comes_is_not_ended(
    ada: Any, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    due, extended, prompted = (services.session_begin(ada.visitor) for _ in range(3))
    now = timezone.now()
    Session.objects.filter(pk=due.pk).update(expires_at=now - timedelta(hours=1))
    Session.objects.filter(pk=extended.pk).update(expires_at=now - timedelta(seconds=1))
    long_ago = now - timedelta(seconds=settings.MK0R_ABANDONED_TTL + 5)
    Session.objects.filter(pk=prompted.pk).update(last_active_at=long_ago)
    end = sweeps.session_end

    def meanwhile(session: Session) -> bool:
        if session.pk == due.pk:
            services.session_extend(extended.pk, timedelta(hours=1))
            services.turn_submit(prompted, "a guest book")
        return end(session)

    monkeypatch.setattr(sweeps, "session_end", meanwhile)
    assert sweeps.close_due() == [due.slug]
    assert set(Session.objects.filter(state="open").values_list("pk", flat=True)) == {extended.pk, prompted.pk}


async def _until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not seen():
            await asyncio.sleep(0.02)


async def test_two_callers_join_one_task_and_a_request_meanwhile_runs_once_more(session: Session, backend: Any) -> None:
    owner = SessionTasks()
    backend.gate = asyncio.Event()
    waits = [asyncio.create_task(owner.converge(session.pk))]
    await _until(lambda: backend.converged == 1)
    waits += [asyncio.create_task(owner.converge(session.pk)) for _ in range(2)]
    await asyncio.sleep(0.05)
    assert backend.converged == 1
    waits[0].cancel()
    backend.gate.set()
    await asyncio.gather(*waits[1:])
    assert backend.converged == 2


async def test_a_visitor_who_comes_back_wakes_the_sandbox_once(
    ada: Any, session: Session, backend: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provisioning import services as provisioning

    woken: list[Any] = []

    async def sandbox(session_id: Any) -> None:
        woken.append(session_id)

    monkeypatch.setattr(provisioning, "sandbox", sandbox)
    await database_sync_to_async(events.append)(session.pk, "sandbox.changed", {"state": "running"})
    for _ in range(2):
        async with ada.socket() as socket:
            await socket.until("sandbox.changed")
            await _until(lambda: bool(woken))
    assert woken == [session.pk]
    await database_sync_to_async(events.append)(session.pk, "sandbox.changed", {"state": "paused"})
    async with ada.socket() as socket:
        await socket.until("sandbox.changed", lambda frame: frame["data"]["state"] == "paused")
        await _until(lambda: len(woken) > 1)
    assert woken == [session.pk] * 2


def test_only_a_sandbox_nobody_looks_at_or_works_in_goes_to_sleep(session: Session, settings: Any) -> None:
    session.resources.filter(provider="e2b").update(state="ready", external_id="x")
    assert sweeps.sessions_idle() == []
    long_ago = timezone.now() - timedelta(seconds=settings.MK0R_IDLE_PAUSE + 5)
    turn = services.turn_submit(session, "a guest book")
    Session.objects.filter(pk=session.pk).update(last_active_at=long_ago)
    assert sweeps.sessions_idle() == []
    services.turn_cancel(session)
    assert sweeps.sessions_idle() == []
    session.turns.filter(pk=turn.pk).update(finished_at=long_ago)
    assert sweeps.sessions_idle() == [session.pk]
    session.resources.filter(provider="e2b").update(meta={"paused": True})
    assert sweeps.sessions_idle() == []


async def test_closing_waits_for_what_runs(session: Session, backend: Any) -> None:
    owner = SessionTasks()
    backend.gate = asyncio.Event()
    owner.ensure(session.pk)
    await _until(lambda: backend.converged == 1)
    asyncio.get_running_loop().call_later(0.1, backend.gate.set)
    await owner.close()
    assert not await session.resources.exclude(state="ready").aexists()
