"""Who holds a leg: one at a time, none that is dead, and none that has been silent for too long."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from channels.db import database_sync_to_async
from django.db import connections

from provisioning import late, leases, ledger, services
from provisioning.providers.registry import step_for

SILENCE = 1.5  # seconds; a busy machine may be late with a sign of life


@pytest.fixture(autouse=True)
def _short_silence(settings: Any) -> None:
    settings.MK0R_WORKER_SILENCE = SILENCE


@pytest.fixture
async def stranger(transactional_db: None) -> AsyncIterator[psycopg.AsyncConnection]:
    """Another process's connection for leases, which never says a word of its own."""
    params = connections["default"].get_connection_params()
    wanted = {key: params[key] for key in ("host", "port", "user", "password", "dbname") if params.get(key)}
    other = await psycopg.AsyncConnection.connect(**wanted, autocommit=True, application_name="mk0r-leases")
    yield other
    await other.close()


async def _take(connection: psycopg.AsyncConnection, name: str) -> None:
    await connection.execute("select pg_advisory_lock(%s)", (leases._key(name),))


async def _held(name: str, seconds: float) -> bool:
    """Whether the lease could be had within `seconds`."""
    try:
        async with asyncio.timeout(seconds), leases.hold(name):
            return True
    except TimeoutError:
        return False


async def test_i2_only_one_holds_a_lease_and_the_next_has_it_at_once(transactional_db: None) -> None:
    inside = most = 0

    async def work() -> None:
        nonlocal inside, most
        async with leases.hold("one"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)), asyncio.to_thread(asyncio.run, work()))
    assert most == 1


@pytest.mark.parametrize("name", [f"leg/{number}" for number in range(4)])  # keys above and below zero
async def test_i2_a_holder_that_is_silent_loses_its_lease_to_whoever_waits(
    stranger: psycopg.AsyncConnection, name: str
) -> None:
    await _take(stranger, name)
    async with asyncio.timeout(60), leases.hold(name):
        with pytest.raises(psycopg.OperationalError):
            await stranger.execute("select 1")


async def test_i2_a_holder_that_gives_signs_of_life_keeps_it(stranger: psycopg.AsyncConnection) -> None:
    await _take(stranger, "leg/x")

    async def signs_of_life() -> None:
        while True:
            await stranger.execute("select 1")
            await asyncio.sleep(SILENCE / 5)

    living = asyncio.create_task(signs_of_life())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE * 3), leases.hold("leg/x"):
            pass
    assert not living.done()
    living.cancel()


async def test_i2_our_own_holder_gives_signs_of_life(transactional_db: None) -> None:
    """Another loop, as another process has it, waits longer than silence is borne."""
    taken_at: list[float] = []

    async def elsewhere() -> None:
        async with leases.hold("leg/y"):
            taken_at.append(time.monotonic())

    async with leases.hold("leg/y"):
        waiting = asyncio.create_task(asyncio.to_thread(asyncio.run, elsewhere()))
        await asyncio.sleep(SILENCE * 3)
        let_go_at = time.monotonic()
    await waiting
    assert taken_at[0] >= let_go_at


@pytest.mark.usefixtures("without_sandbox")
@pytest.mark.parametrize("owned", [True, False])
async def test_i3_what_a_replaced_attempt_made_is_given_back_unless_it_was_adopted(
    vendor_settings: Any, begin: Any, rows: Any, owned: bool
) -> None:
    session = await begin()
    row = await database_sync_to_async(ledger.claim)((await rows(session))["neon", "project"])
    assert row is not None
    step = step_for("neon", "project")
    made = await step.create(await database_sync_to_async(lambda: ledger.order_for(ledger.row(row.pk)))())
    taken = await database_sync_to_async(ledger.take_over)(row)
    assert taken is not None
    if owned:
        assert await database_sync_to_async(ledger.keep)(taken, made)
    assert not await database_sync_to_async(ledger.keep)(row, made)  # the attempt that made it was replaced
    await late.give_back(await database_sync_to_async(ledger.row)(row.pk), step, made)
    assert len(vendor_settings.live(vendor="neon", name=row.name)) == (1 if owned else 0)
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    assert vendor_settings.live(vendor="neon", name=row.name) == []


async def test_i2_a_killed_process_holds_nothing(transactional_db: None) -> None:
    params = connections["default"].get_connection_params()
    script = (
        "import psycopg, sys, os, signal\n"
        f"c = psycopg.connect(host={params['host']!r}, port={params['port']}, user={params['user']!r},"
        f" password={params['password']!r}, dbname={params['dbname']!r}, autocommit=True)\n"
        f"c.execute('select pg_advisory_lock({leases._key('killed')})')\n"
        "print('held', flush=True); signal.pause()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert not await _held("killed", 0.5)
    process.kill()
    process.wait()
    process.stdout.close()
    assert await _held("killed", 60.0)
