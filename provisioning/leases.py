"""Who may work on a leg: one holder at a time, in all processes, and none after a crash.

A lease is a Postgres advisory lock held by a connection of this process, so it ends with the process, however that
ends. All leases of an event loop share one connection, opened with the first and closed with the last. Advisory locks
are re-entrant per connection, so tasks of one loop exclude each other by an `asyncio.Lock` first.

A process that was paused, or cut off from the network, still holds its connection. So holders give a sign of life over
it, and whoever waits for the lease of one that has been silent for `MK0R_WORKER_SILENCE` ends that connection. Then, or
when the connection is lost, two holders may overlap; the attempt numbers in the ledger keep that harmless for the rows.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connections

from provisioning.shielding import to_the_end

log = logging.getLogger(__name__)
_POLL = 0.25  # seconds between tries while another process holds the lease
_APPLICATION = "mk0r-leases"
# What Django asks of its own connections; a lease's has another class, commits by itself, and idles for long.
_DJANGOS = {"context", "cursor_factory", "prepare_threshold", "options"}
_EVICT = """
    select pg_terminate_backend(holder.pid) from pg_locks lock join pg_stat_activity holder on holder.pid = lock.pid
    where lock.locktype = 'advisory' and lock.granted and lock.objsubid = 1
      and lock.classid::bigint = %(high)s and lock.objid::bigint = %(low)s
      and holder.datname = current_database() and holder.application_name = %(application)s
      and holder.state = 'idle' and holder.state_change < clock_timestamp() - make_interval(secs => %(silence)s)
"""


@dataclass
class _Loop:
    """The leases of one event loop."""

    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: psycopg.AsyncConnection | None = None
    pulse: asyncio.Task[None] | None = None
    users: int = 0
    local: dict[int, tuple[asyncio.Lock, int]] = field(default_factory=dict)


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = weakref.WeakKeyDictionary()


def of_leg(session_id: UUID, provider: str) -> str:
    """The name of a leg's lease."""
    return f"leg/{session_id}/{provider}"


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"mk0r lease {name}".encode()).digest()[:8], "big", signed=True)


async def _connection(mine: _Loop) -> psycopg.AsyncConnection:
    async with mine.opening:
        if mine.connection is None or mine.connection.closed:
            params = connections["default"].get_connection_params()
            wanted = {key: value for key, value in params.items() if key not in _DJANGOS}
            wanted |= {"application_name": _APPLICATION, "connect_timeout": 10}
            await _end_pulse(mine)
            mine.connection = await psycopg.AsyncConnection.connect(**wanted, autocommit=True)
            mine.pulse = asyncio.create_task(_pulse(mine.connection), name="lease pulse")
        return mine.connection


async def _pulse(connection: psycopg.AsyncConnection) -> None:
    """Give signs of life, three in the time after which we count as dead, until the connection ends."""
    while not connection.closed:
        await asyncio.sleep(settings.MK0R_WORKER_SILENCE / 3)
        try:
            await connection.execute("select 1")
        except psycopg.Error:
            log.warning("lease_connection_lost")
            return


async def _end_pulse(mine: _Loop) -> None:
    if mine.pulse is not None:
        pulse, mine.pulse = mine.pulse, None
        pulse.cancel()
        await asyncio.gather(pulse, return_exceptions=True)


async def _release_connection(mine: _Loop) -> None:
    async with mine.opening:
        if mine.users == 0 and mine.connection is not None:
            closing, mine.connection = mine.connection, None
            await _end_pulse(mine)
            await closing.close()


@asynccontextmanager
async def hold(name: str) -> AsyncIterator[None]:
    """Wait until this task alone holds the lease `name`, then hold it for the body."""
    mine = _loops.setdefault(asyncio.get_running_loop(), _Loop())
    key = _key(name)
    lock, waiting = mine.local.get(key, (asyncio.Lock(), 0))
    mine.local[key] = (lock, waiting + 1)
    mine.users += 1
    try:
        async with lock:
            try:
                await _lock(mine, key)
                yield
            finally:  # also where cancellation came between the lock and its answer
                await to_the_end(_unlock(mine, key))
    finally:
        mine.users -= 1
        lock, waiting = mine.local[key]
        if waiting == 1:
            del mine.local[key]
        else:
            mine.local[key] = (lock, waiting - 1)
        await to_the_end(_release_connection(mine))


async def _lock(mine: _Loop, key: int) -> None:
    patience = settings.MK0R_WORKER_SILENCE
    look_at = time.monotonic() + patience / 3
    while True:
        connection = await _connection(mine)
        try:
            cursor = await connection.execute("select pg_try_advisory_lock(%s)", (key,))
            taken = await cursor.fetchone()
            if not (taken and taken[0]) and time.monotonic() > look_at:
                look_at = time.monotonic() + patience / 3
                await _evict_the_silent(connection, key, patience)
        except psycopg.OperationalError:
            if connection.closed:
                continue
            raise
        if taken and taken[0]:
            return
        await asyncio.sleep(_POLL)


async def _evict_the_silent(connection: psycopg.AsyncConnection, key: int, patience: float) -> None:
    wanted = {"high": (key >> 32) & 0xFFFFFFFF, "low": key & 0xFFFFFFFF, "application": _APPLICATION}
    cursor = await connection.execute(_EVICT, wanted | {"silence": patience})
    if cursor.rowcount > 0:
        log.warning("lease_taken_from_the_silent silence=%s", patience)


async def _unlock(mine: _Loop, key: int) -> None:
    connection = mine.connection
    if connection is None or connection.closed:
        return  # the lock went with the connection
    try:
        await connection.execute("select pg_advisory_unlock(%s)", (key,))
    except psycopg.OperationalError:
        log.warning("lease_connection_lost")
