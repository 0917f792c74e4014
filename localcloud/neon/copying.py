"""Copies of whole databases, each with roles of its own, as a branch needs them.

A copy is made of files, by `CREATE DATABASE … TEMPLATE`, not by a dump that is played back: what is in a database was
written by a stranger, and parts of it (the checks of a domain, for one) run with the rights of whoever plays it back.
For that moment nobody may be connected to what is copied: those who are lose their connection, those who come wait.

In the copy everything still belongs to the roles of the original; it is handed over to the copy's own.
"""

from __future__ import annotations

import asyncio
import contextlib

import psycopg

from localcloud.neon.databases import Databases, run
from localcloud.neon.handover import Pairs, hand_over

# Settings that hold in one database (`ALTER DATABASE … SET`), which a copy of its files lacks.
SETTINGS = """INSERT INTO pg_db_role_setting (setdatabase, setrole, setconfig)
SELECT t.oid, coalesce(n.oid, s.setrole), s.setconfig FROM pg_db_role_setting s
JOIN pg_database f ON f.oid = s.setdatabase AND f.datname = %s JOIN pg_database t ON t.datname = %s
LEFT JOIN pg_roles o ON o.oid = s.setrole LEFT JOIN unnest(%s::text[], %s::text[]) p(old, new) ON p.old = o.rolname
LEFT JOIN pg_roles n ON n.rolname = p.new"""


class Copier:
    """Makes copies in one cluster, one at a time."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._one = asyncio.Lock()  # a copy takes two of our connections, and must not wait for the second forever

    async def copy(self, source: str, target: str, roles: Pairs) -> None:
        """Make *target* a closed copy of *source*, given to the second of each pair of roles.

        The roles must be there. Begins anew when repeated. Raises `psycopg.Error` and `DatabaseDown`.
        """
        async with self._one:
            await self._databases.drop([target])
            await self._copy_files(source, target)
            async with self._databases.admin() as connection:
                await run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", target)
            async with self._databases.within(target) as inside:
                await hand_over(inside, roles)
            async with self._databases.admin() as connection:  # last: they would hold for us as well
                pairs = [old for old, _ in roles], [new for _, new in roles]
                await connection.execute(SETTINGS, (source, target, *pairs))

    async def _copy_files(self, source: str, target: str) -> None:
        """Those connected to *source* are sent out again and again until Postgres sees nobody else there."""
        async with self._databases.admin() as connection:
            await connection.execute("SET statement_timeout = 0")
            statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log ALLOW_CONNECTIONS false"
            copying = asyncio.create_task(run(connection, statement, target, source))
            try:
                while not (await asyncio.wait({copying}, timeout=0.02))[0]:
                    await self._databases.end_sessions([source])
                await copying
            finally:
                copying.cancel()
                with contextlib.suppress(asyncio.CancelledError, psycopg.Error):
                    await copying
