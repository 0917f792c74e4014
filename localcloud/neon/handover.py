"""Giving everything in a copied database to roles of its own, with the rights they had from one another.

`REASSIGN OWNED` and `DROP OWNED` look at one database and at what all share. So they would take the original's database
from its owner as well; within the same transaction it is given back, and nobody else ever sees it gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

import psycopg
from psycopg import sql

from localcloud.neon.databases import run

Pairs = Sequence[tuple[str, str]]

PAIRS: LiteralString = """WITH pairs AS (SELECT o.oid, p.new FROM unnest(%s::text[], %s::text[]) p(old, new)
JOIN pg_roles o ON o.rolname = p.old) """
OPTION: LiteralString = "CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
# Each tells the statements that grant to a new role what the old one was granted by another.
GRANTS: tuple[LiteralString, ...] = (
    """SELECT format('GRANT %%s ON %%s %%I.%%I TO %%I', a.privilege_type, CASE c.relkind WHEN 'S' THEN 'SEQUENCE'
    ELSE 'TABLE' END, n.nspname, c.relname, p.new) || {option} FROM pg_class c JOIN pg_namespace n
    ON n.oid = c.relnamespace, aclexplode(c.relacl) a JOIN pairs p ON p.oid = a.grantee""",
    """SELECT format('GRANT %%s (%%I) ON TABLE %%I.%%I TO %%I', a.privilege_type, t.attname, n.nspname, c.relname,
    p.new) || {option} FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(t.attacl) a JOIN pairs p ON p.oid = a.grantee""",
    """SELECT format('GRANT %%s ON SCHEMA %%I TO %%I', a.privilege_type, n.nspname, p.new) || {option}
    FROM pg_namespace n, aclexplode(n.nspacl) a JOIN pairs p ON p.oid = a.grantee""",
    """SELECT format('GRANT %%s ON ROUTINE %%s TO %%I', a.privilege_type, f.oid::regprocedure, p.new) || {option}
    FROM pg_proc f, aclexplode(f.proacl) a JOIN pairs p ON p.oid = a.grantee""",
    """SELECT format('GRANT %%s ON TYPE %%s TO %%I', a.privilege_type, t.oid::regtype, p.new) || {option}
    FROM pg_type t, aclexplode(t.typacl) a JOIN pairs p ON p.oid = a.grantee""",
    """SELECT format('GRANT %%s ON LARGE OBJECT %%s TO %%I', a.privilege_type, l.oid, p.new) || {option}
    FROM pg_largeobject_metadata l, aclexplode(l.lomacl) a JOIN pairs p ON p.oid = a.grantee""",
    """SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %%I%%s GRANT %%s ON %%s TO %%s', o.new,
    coalesce(format(' IN SCHEMA %%I', n.nspname), ''), a.privilege_type, CASE d.defaclobjtype WHEN 'r' THEN 'TABLES'
    WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS'
    ELSE 'LARGE OBJECTS' END, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE format('%%I', coalesce(p.new,
    pg_get_userbyid(a.grantee))) END) || {option} FROM pg_default_acl d JOIN pairs o ON o.oid = d.defaclrole
    LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
    LEFT JOIN pairs p ON p.oid = a.grantee""",
)
POLICIES: LiteralString = """SELECT format('ALTER POLICY %%I ON %%I.%%I TO %%s', y.polname, n.nspname, c.relname,
    string_agg(CASE r.oid WHEN 0 THEN 'PUBLIC' ELSE format('%%I', coalesce(p.new, pg_get_userbyid(r.oid))) END, ', '))
    FROM pg_policy y JOIN pg_class c ON c.oid = y.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
    unnest(y.polroles) r(oid) LEFT JOIN pairs p ON p.oid = r.oid GROUP BY y.oid, y.polname, n.nspname, c.relname
    HAVING count(p.new) > 0"""
# What is taken from an old role outside of this database, and has to be given back.
ELSEWHERE: tuple[LiteralString, ...] = (
    """SELECT format('ALTER DATABASE %%I OWNER TO %%I', d.datname, r.rolname) FROM pg_database d
    JOIN pg_roles r ON r.oid = d.datdba JOIN pairs p ON p.oid = r.oid WHERE d.datname <> current_database()""",
    """SELECT format('GRANT %%s ON DATABASE %%I TO %%I', a.privilege_type, d.datname, r.rolname)
    FROM pg_database d, aclexplode(d.datacl) a JOIN pairs p ON p.oid = a.grantee JOIN pg_roles r ON r.oid = a.grantee
    WHERE d.datname <> current_database()""",
)


async def hand_over(inside: psycopg.AsyncConnection, roles: Pairs) -> None:
    """Give all in this database to the second of each pair of roles. All or nothing."""
    pairs = ([old for old, _ in roles], [new for _, new in roles])
    async with inside.transaction():
        elsewhere = await _statements(inside, ELSEWHERE, pairs)
        for old, new in roles:
            await run(inside, "REASSIGN OWNED BY {} TO {}", old, new)
        await _execute(inside, await _statements(inside, (*GRANTS, POLICIES), pairs))
        for old, _ in roles:
            await run(inside, "DROP OWNED BY {}", old)
        await _execute(inside, elsewhere)


async def _statements(
    connection: psycopg.AsyncConnection, queries: Sequence[LiteralString], pairs: tuple[list[str], list[str]]
) -> list[str]:
    found: list[str] = []
    for query in queries:
        cursor = await connection.execute(sql.SQL(PAIRS + query).format(option=sql.SQL(OPTION)), pairs)
        found += [str(row[0]) for row in await cursor.fetchall()]
    return found


async def _execute(connection: psycopg.AsyncConnection, statements: Sequence[str]) -> None:
    for statement in statements:  # every name in them was quoted by Postgres
        await connection.execute(sql.SQL(statement))
