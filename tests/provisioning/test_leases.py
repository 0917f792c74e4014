"""One holder of a lease in all processes, none after a crash, and none that is silent."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from provisioning import leases

pytestmark = pytest.mark.django_db(transaction=True)


async def _held(name: str, seconds: float) -> bool:
    """Whether the lease could be had within `seconds`."""
    try:
        async with asyncio.timeout(seconds), leases.hold(name):
            return True
    except TimeoutError:
        return False


async def test_only_one_holds_a_lease_and_the_next_has_it_at_once() -> None:
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


def _holder(name: str) -> psycopg.Connection:
    """Another process's connection with the lease, which says nothing more."""
    params = connection.get_connection_params()
    wanted = {key: params[key] for key in ("host", "port", "user", "password", "dbname")}
    other = psycopg.connect(**wanted, autocommit=True)
    taken = other.execute("select pg_try_advisory_lock(%s)", (leases._key(name),)).fetchone()
    assert taken == (True,)
    return other


@pytest.mark.parametrize("name", ["leg/1/neon", "leg/2/neon", "leg/3/neon"])  # keys of both signs
async def test_a_holder_that_says_nothing_loses_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with _holder(name) as silent:
        assert not await _held(name, 1.0)
        monkeypatch.setattr(leases, "SILENCE", 0.5)
        monkeypatch.setattr(leases, "_LOOK", 0.1)
        assert await _held(name, 5.0)
        with pytest.raises(psycopg.OperationalError):
            silent.execute("select 1")


async def test_a_holder_that_still_beats_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.2)
    monkeypatch.setattr(leases, "SILENCE", 1.0)
    monkeypatch.setattr(leases, "_LOOK", 0.1)
    async with leases.hold("alive"):
        waited = await asyncio.to_thread(asyncio.run, _held("alive", 2.5))
    assert not waited


async def test_a_killed_process_holds_nothing() -> None:
    params = connection.get_connection_params()
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
    assert await _held("killed", 5.0)
