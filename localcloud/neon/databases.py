"""The Postgres cluster behind the Neon stand-in, and what one project has in it: one role, one database.

A project's role can log in to its own database and to no other; it may not make roles or databases, and the number of
its connections and the space of its temporary files are limited. All steps can be repeated: a process that was killed
half-way does them again at its next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from embedded.postgres import Cluster, PostgresUnavailable

log = logging.getLogger("localcloud.neon")

CONNECTION_LIMIT = 20
TEMP_SPACE = "256MB"
# Apps may use all connections but these, so that projects can still be made and destroyed.
OUR_CONNECTIONS = 12
SETTINGS = {"max_connections": "500", "superuser_reserved_connections": str(OUR_CONNECTIONS + 3)}
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 20


class DatabaseDown(Exception):
    """The cluster cannot be used; the message says why."""


class Databases:
    """The cluster under one directory. `start` before use, `stop` at the end."""

    def __init__(self, directory: Path, port: int) -> None:
        self._cluster = Cluster(directory, port, SETTINGS)
        self._starting = asyncio.Lock()
        self._ours = asyncio.Semaphore(OUR_CONNECTIONS)
        self.version = 0
        self.trouble: str | None = "the cluster has not been started"

    @property
    def port(self) -> int:
        """The port it listens on; known for certain only after `start`."""
        return self._cluster.port

    async def start(self) -> None:
        """Start or adopt the cluster. Sets `trouble` instead of raising, so the other stand-ins run without it."""
        async with self._starting:
            try:
                await asyncio.to_thread(self._cluster.start)
                async with self._connection() as connection:
                    self.version = connection.info.server_version // 10000
                    for database in ("postgres", "template1"):
                        await _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
            except (PostgresUnavailable, psycopg.Error, OSError) as error:
                self.trouble = f"The local Postgres cannot be used: {error}"
                log.error("%s", self.trouble)
            else:
                self.trouble = None

    async def stop(self) -> None:
        """Stop the cluster in order."""
        try:
            await asyncio.to_thread(self._cluster.stop)
        except PostgresUnavailable:
            log.exception("the cluster did not stop")

    async def make_role(self, role: str, password: str) -> None:
        """Make the role, or set the password of the one that is there."""
        async with self._admin() as connection:
            found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
            verb = "ALTER" if await found.fetchone() else "CREATE"
            options = f"LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT {CONNECTION_LIMIT}"
            await connection.execute(
                sql.SQL("{} ROLE {} {} PASSWORD {}").format(
                    sql.SQL(verb), sql.Identifier(role), sql.SQL(options), sql.Literal(password)
                )
            )
            await _run(connection, f"ALTER ROLE {{}} SET temp_file_limit = '{TEMP_SPACE}'", role)

    async def make_database(self, database: str, owner: str) -> None:
        """Make the database for its owner alone; nothing happens when it is there."""
        async with self._admin() as connection:
            found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
            if await found.fetchone() is None:
                # ALLOW_CONNECTIONS stays off until nobody else may come in.
                await _run(
                    connection,
                    "CREATE DATABASE {} OWNER {} STRATEGY wal_log ALLOW_CONNECTIONS false",
                    database,
                    owner,
                )
            await _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
            await _run(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS true", database)

    async def drop(self, database: str, role: str) -> None:
        """Remove both, ending whatever still uses them; nothing happens when they are gone."""
        async with self._admin() as connection:
            await _run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)
            await _run(connection, "DROP ROLE IF EXISTS {}", role)

    async def size(self, database: str) -> int:
        """Bytes the database takes on disk."""
        async with self._admin() as connection:
            found = await connection.execute("SELECT pg_database_size(%s)", (database,))
            row = await found.fetchone()
            return int(row[0]) if row else 0

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection as superuser; starts the cluster again when it died. Raises `DatabaseDown`."""
        if self.trouble:
            await self.start()
        if self.trouble:
            raise DatabaseDown(self.trouble)
        try:
            async with self._ours, self._connection() as connection:
                yield connection
        except psycopg.OperationalError as error:
            self.trouble = f"The local Postgres does not answer: {error}"
            raise DatabaseDown(self.trouble) from error

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        connection = await psycopg.AsyncConnection.connect(
            self._cluster.admin_dsn,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            options=f"-c statement_timeout={STATEMENT_SECONDS * 1000}",
        )
        try:
            yield connection
        finally:
            await connection.close()


async def _run(connection: psycopg.AsyncConnection, statement: str, *names: str) -> None:
    await connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
