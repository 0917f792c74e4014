"""Who may work on a leg: one holder at a time, in all processes, and none after a crash.

A lease is a Postgres advisory lock held by a connection of this process, so it ends with the process, however that
ends. All leases of an event loop share one connection, opened with the first and closed with the last. Advisory locks
are re-entrant per connection, so tasks of one loop exclude each other by an `asyncio.Lock` first. If the connection is
lost two holders may overlap for a moment; the attempt numbers in the ledger keep that harmless for the rows.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from django.db import connections

from provisioning.shielding import to_the_end

log = logging.getLogger(__name__)
_POLL = 0.25  # seconds between tries while another process holds the lease


def leg(session_id: UUID, provider: str) -> str:
    """The name of the lease without which nobody makes, adopts or destroys what that leg owns."""
    return f"leg/{session_id}/{provider}"


@dataclass
class _Loop:
    """The leases of one event loop."""

    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: psycopg.AsyncConnection | None = None
    users: int = 0
    local: dict[int, tuple[asyncio.Lock, int]] = field(default_factory=dict)


_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = weakref.WeakKeyDictionary()


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"mk0r lease {name}".encode()).digest()[:8], "big", signed=True)


async def _connection(mine: _Loop) -> psycopg.AsyncConnection:
    async with mine.opening:
        if mine.connection is None or mine.connection.closed:
            params = connections["default"].get_connection_params()
            wanted = {key: params[key] for key in ("host", "port", "user", "password", "dbname") if params.get(key)}
            mine.connection = await psycopg.AsyncConnection.connect(**wanted, autocommit=True, connect_timeout=10)
        return mine.connection


async def _release_connection(mine: _Loop) -> None:
    async with mine.opening:
        if mine.users == 0 and mine.connection is not None:
            closing, mine.connection = mine.connection, None
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
        await asyncio.sleep(_POLL)


async def _unlock(mine: _Loop, key: int) -> None:
    connection = mine.connection
    if connection is None or connection.closed:
        return  # the lock went with the connection
    try:
        await connection.execute("select pg_advisory_unlock(%s)", (key,))
    except psycopg.OperationalError:
        log.warning("lease_connection_lost")
