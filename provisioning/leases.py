"""Who may work on a leg: one holder at a time, in all processes, and none after a crash.

A lease is a Postgres advisory lock held by a connection of this process, so it ends with the process, however that
ends. All leases of an event loop share one connection, opened with the first and closed with the last. Advisory locks
are re-entrant per connection, so tasks of one loop exclude each other by an `asyncio.Lock` first.

A process may also be stopped, or its machine cut off, with the connection still there. So the connection says something
every `BEAT` seconds, and whoever waits for a lease whose holder has been silent for `SILENCE` seconds has Postgres end
that connection. The late holder may then overlap with the next one; the ledger's attempt numbers keep that harmless.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg
from django.db import connections

from provisioning.shielding import to_the_end

log = logging.getLogger(__name__)
_POLL = 0.25  # seconds between tries while another process holds the lease
BEAT = 3.0
SILENCE = 20.0
_LOOK = 2.0  # seconds between looks at whether the holder still lives

# One bigint key lies in pg_locks as two halves, with objsubid 1 (PostgreSQL, "pg_locks").
_END_SILENT = """
select pg_terminate_backend(held.pid) from pg_locks held join pg_stat_activity holder using (pid)
where held.locktype = 'advisory' and held.granted and held.objsubid = 1 and held.pid <> pg_backend_pid()
  and held.database = (select oid from pg_database where datname = current_database())
  and held.classid = ((%(key)s::bigint >> 32) & 4294967295)::oid and held.objid = (%(key)s::bigint & 4294967295)::oid
  and holder.state_change < clock_timestamp() - make_interval(secs => %(silence)s)
"""


@dataclass
class _Loop:
    """The leases of one event loop."""

    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: psycopg.AsyncConnection | None = None
    users: int = 0
    beat: asyncio.Task[None] | None = None
    local: dict[int, tuple[asyncio.Lock, int]] = field(default_factory=dict)


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = weakref.WeakKeyDictionary()


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"mk0r lease {name}".encode()).digest()[:8], "big", signed=True)


async def _connection(mine: _Loop) -> psycopg.AsyncConnection:
    async with mine.opening:
        if mine.connection is None or mine.connection.closed:
            params = connections["default"].get_connection_params()
            wanted = {key: params[key] for key in ("host", "port", "user", "password", "dbname") if params.get(key)}
            await _stop_beating(mine)
            mine.connection = await psycopg.AsyncConnection.connect(**wanted, autocommit=True, connect_timeout=10)
            mine.beat = asyncio.create_task(_keep_beating(mine.connection), name="leases-beat")
        return mine.connection


async def _release_connection(mine: _Loop) -> None:
    async with mine.opening:
        if mine.users == 0 and mine.connection is not None:
            closing, mine.connection = mine.connection, None
            await _stop_beating(mine)
            await closing.close()


async def _keep_beating(connection: psycopg.AsyncConnection) -> None:
    """Show now and then that this process still runs."""
    while not connection.closed:
        await asyncio.sleep(BEAT)
        try:
            await connection.execute("select 1")
        except psycopg.OperationalError:
            log.warning("lease_connection_lost")
            return


async def _stop_beating(mine: _Loop) -> None:
    if mine.beat is not None:
        beat, mine.beat = mine.beat, None
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)


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
    looked = asyncio.get_running_loop().time()
    while True:
        connection = await _connection(mine)
        try:
            cursor = await connection.execute("select pg_try_advisory_lock(%s)", (key,))
            taken = await cursor.fetchone()
        except psycopg.OperationalError:
            if connection.closed:
                continue
            raise
        if taken and taken[0]:
            return
        if asyncio.get_running_loop().time() - looked > _LOOK:
            looked = asyncio.get_running_loop().time()
            await _end_a_silent_holder(connection, key)
        await asyncio.sleep(_POLL)


async def _end_a_silent_holder(connection: psycopg.AsyncConnection, key: int) -> None:
    try:
        cursor = await connection.execute(_END_SILENT, {"key": key, "silence": SILENCE})
    except psycopg.OperationalError:
        return  # the next try opens another connection
    if await cursor.fetchone():
        log.warning("lease_taken_over")


async def _unlock(mine: _Loop, key: int) -> None:
    connection = mine.connection
    if connection is None or connection.closed:
        return  # the lock went with the connection
    try:
        await connection.execute("select pg_advisory_unlock(%s)", (key,))
    except psycopg.OperationalError:
        log.warning("lease_connection_lost")
