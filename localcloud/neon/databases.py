"""The Postgres cluster behind the Neon stand-in: roles, databases, and who may come in.

A role can log in to the databases of its own branch and to no other; it may not make roles or databases, and the number
of its connections and the space of its temporary files are limited. All steps can be repeated: a process that was
killed half-way does them again at its next start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
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
# Whoever owns a database may set these for all who connect to it; for us they must not hold. Names, above all, are
# looked for where no stranger can have put a function under one of them.
OUR_SETTINGS = {"search_path": "pg_catalog", "role": "none", "default_transaction_read_only": "off"}
STATEMENT_SECONDS = 60  # to drop a database Postgres writes down all that it holds in memory


class DatabaseDown(Exception):
    """The cluster cannot be used; the message says why."""


class Databases:
    """The cluster under one directory. `start` before use, `stop` at the end. *moved* is told of another port."""

    def __init__(self, directory: Path, port: int, moved: Callable[[int], None]) -> None:
        self._cluster = Cluster(directory, port, SETTINGS)
        self._moved = moved
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
                before = self.port
                await asyncio.to_thread(self._cluster.start)
                if self.port != before:
                    self._moved(self.port)
                async with self._connection() as connection:
                    self.version = connection.info.server_version // 10000
                    for database in ("postgres", "template1"):
                        await run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
            except (PostgresUnavailable, psycopg.Error, OSError) as error:
                self.trouble = f"The local Postgres cannot be used: {error}"
                log.error("%s", self.trouble)
            else:
                self.trouble = None

    async def ensure(self) -> None:
        """Start the cluster again when it died. Raises `DatabaseDown` when it cannot be used."""
        if self.trouble:
            await self.start()
        if self.trouble:
            raise DatabaseDown(self.trouble)

    async def stop(self) -> None:
        """Stop the cluster in order."""
        try:
            await asyncio.to_thread(self._cluster.stop)
        except PostgresUnavailable:
            log.exception("the cluster did not stop")

    # Roles

    async def make_role(self, role: str, password: str, *, login: bool = True) -> None:
        """Make the role, or give the one that is there this password and leave to log in."""
        async with self.admin() as connection:
            found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
            verb = "ALTER" if await found.fetchone() else "CREATE"
            options = (
                f"{'LOGIN' if login else 'NOLOGIN'} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION "
                f"CONNECTION LIMIT {CONNECTION_LIMIT}"
            )
            await connection.execute(
                sql.SQL("{} ROLE {} {} PASSWORD {}").format(
                    sql.SQL(verb), sql.Identifier(role), sql.SQL(options), sql.Literal(password)
                )
            )
            await run(connection, f"ALTER ROLE {{}} SET temp_file_limit = '{TEMP_SPACE}'", role)

    async def drop_role(self, role: str, owners: dict[str, str]) -> None:
        """Remove a role; what it has in these databases becomes their owners'. Nothing happens when it is gone."""
        async with self.admin() as connection:
            found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
            if await found.fetchone() is None:
                return
        for database, owner in owners.items():
            async with self.within(database) as inside, inside.transaction():
                await run(inside, "REASSIGN OWNED BY {} TO {}", role, owner)
                await run(inside, "DROP OWNED BY {}", role)
        async with self.admin() as connection:
            await run(connection, "DROP ROLE IF EXISTS {}", role)

    # Databases

    async def make_database(self, database: str, owner: str, users: Sequence[str]) -> None:
        """Make the database for these roles alone and give it to *owner*; what is there already is kept."""
        async with self.admin() as connection:
            if not await _exists(connection, database):
                # ALLOW_CONNECTIONS stays off until nobody else may come in.
                statement = "CREATE DATABASE {} OWNER {} STRATEGY wal_log ALLOW_CONNECTIONS false"
                await run(connection, statement, database, owner)
            await run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
            await run(connection, "ALTER DATABASE {} OWNER TO {}", database, owner)
            for user in users:
                await run(connection, "GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}", database, user)

    async def exists(self, database: str) -> bool:
        async with self.admin() as connection:
            return await _exists(connection, database)

    async def open(self, databases: Sequence[str]) -> None:
        """Let the roles come in."""
        async with self.admin() as connection:
            for database in databases:
                await run(connection, "ALTER DATABASE {} CONNECTION LIMIT -1", database)
                await run(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS true", database)

    async def close(self, databases: Sequence[str]) -> None:
        """Let nobody in any more, and send everybody out. Databases that are not there are left out."""
        async with self.admin() as connection:
            for database in databases:
                if await _exists(connection, database):
                    await run(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS false", database)
        await self.end_sessions(databases)

    async def end_sessions(self, databases: Sequence[str]) -> None:
        """Send everybody out who is connected now, and wait until they are."""
        async with self.admin() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE datname = ANY(%s)",
                (list(databases),),
            )

    async def sessions(self, databases: Sequence[str]) -> int:
        """How many are connected now."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY(%s) AND backend_type = 'client backend'"
        async with self.admin() as connection:
            found = await (await connection.execute(query, (list(databases),))).fetchone()
            return int(found[0]) if found else 0

    async def rename_database(self, database: str, name: str) -> None:
        """Give a closed database another name; nothing happens when that was done before."""
        async with self.admin() as connection:
            if not await _exists(connection, name):
                await run(connection, "ALTER DATABASE {} RENAME TO {}", database, name)

    async def rename_role(self, role: str, name: str) -> None:
        """Give a role another name, and let it keep all it has; nothing happens when that was done before."""
        async with self.admin() as connection:
            found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
            if await found.fetchone() is None:
                await run(connection, "ALTER ROLE {} RENAME TO {}", role, name)

    async def drop(self, databases: Sequence[str], roles: Sequence[str] = ()) -> None:
        """Remove them, ending whatever still uses them; nothing happens when they are gone."""
        async with self.admin() as connection:
            for database in databases:
                await run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)
            for role in roles:
                await run(connection, "DROP ROLE IF EXISTS {}", role)

    async def log_position(self) -> str:
        """Where the cluster's log stands now: an LSN."""
        async with self.admin() as connection:
            found = await (await connection.execute("SELECT pg_current_wal_lsn()")).fetchone()
            return str(found[0]) if found else ""

    # Connections

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection as superuser; starts the cluster again when it died. Raises `DatabaseDown`."""
        await self.ensure()
        try:
            async with self._ours, self._connection() as connection:
                yield connection
        except psycopg.errors.QueryCanceled:  # it was slow, which does not say that it is down
            raise
        except psycopg.OperationalError as error:
            self.trouble = f"The local Postgres does not answer: {error}"
            raise DatabaseDown(self.trouble) from error

    @asynccontextmanager
    async def within(self, database: str) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection as superuser inside a database, even a closed one, which stays closed for everybody else.

        Nothing that a stranger wrote may be run over it.
        """
        async with self.admin() as connection:
            found = await connection.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", (database,))
            closed = await found.fetchone() == (False,)
            if closed:  # the limit does not hold for a superuser
                await run(connection, "ALTER DATABASE {} CONNECTION LIMIT 0", database)
                await run(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS true", database)
        async with self._ours, self._connection(database) as connection:
            yield connection
        if closed:
            async with self.admin() as connection:
                await run(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS false", database)

    @asynccontextmanager
    async def _connection(self, database: str = "postgres") -> AsyncIterator[psycopg.AsyncConnection]:
        settings = OUR_SETTINGS | {"statement_timeout": str(STATEMENT_SECONDS * 1000)}
        connection = await psycopg.AsyncConnection.connect(
            self._cluster.dsn(database),
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
        )
        try:
            yield connection
        finally:
            await connection.close()


async def run(connection: psycopg.AsyncConnection, statement: str, *names: str) -> None:
    """Run a statement with these names put in, quoted."""
    await connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


async def _exists(connection: psycopg.AsyncConnection, database: str) -> bool:
    found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
    return await found.fetchone() is not None
