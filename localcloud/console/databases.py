"""Databases: how to connect, and what is in their tables.

A database is read as its own role, never as the superuser: what is in it was written by a stranger, and a view or a
function there runs with the rights of whoever looks.
"""

from __future__ import annotations

import asyncio

import psycopg
from aiohttp import web
from psycopg import sql

from localcloud.cloud import cloud_of
from localcloud.console import chrome
from localcloud.console.markup import Html, h, join, size, when
from localcloud.neon import branch_bodies
from localcloud.neon.records import Records, Thing
from localcloud.store import Object

MOST_ROWS = 50
MOST_TABLES = 30
MOST_SHOWN = 200  # characters of a value
READ_SECONDS = 5
Row = tuple[str | None, ...]
TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'
ORDER BY 1, 2 LIMIT %s
"""


async def listing(request: web.Request) -> web.Response:
    """All projects."""
    cloud = cloud_of(request)
    records = Records(cloud.store)
    rows = [
        (
            _state(item),
            h('<a href="/_cloud/databases/{}">{}</a>', item.id, chrome.code(item.name)),
            str(len(records.branches(item.id))),
            when(item.created_at),
        )
        for item in records.projects()[::-1]
    ]
    listed = chrome.table("Projects", ("State", "Project", "Branches", "Made"), rows, empty="No database yet.")
    lead = cloud.notes.get("neon", "")
    return chrome.page("databases", "Databases", chrome.block("Projects", listed), lead=lead)


def _state(item: Object) -> Html:
    statuses = {operation["status"] for operation in item.data["operations"]}
    if "failed" in statuses:
        return chrome.state("bad", "failed")
    return chrome.state("live", "ready") if statuses == {"finished"} else chrome.state("moving", "starting")


async def one(request: web.Request) -> web.Response:
    """One database: its connection string and its tables. The default branch's first, unless others are asked for."""
    cloud = cloud_of(request)
    records = Records(cloud.store)
    item = records.project(request.match_info["project"])
    branches = records.branches(item.id) if item else []
    wished = request.query.get("branch") or (item.data["default_branch"] if item else "")
    branch = next((one for one in branches if one.id == wished), None)
    if item is None or branch is None:
        raise web.HTTPNotFound(text="There is no such project or branch.")
    uris = [_uri(branch, database, cloud.postgres_port) for database in branch.data["databases"]]
    number = int(request.query["database"]) if request.query.get("database", "").isdecimal() else 0
    if number >= len(uris):
        raise web.HTTPNotFound(text="There is no such database.")
    try:
        async with asyncio.timeout(READ_SECONDS):
            tables, used = await _read(uris[number])
        shown = join(_table(*found) for found in tables) or h('<p class="empty">There are no tables yet.</p>')
        aside = size(used)
    except (psycopg.Error, TimeoutError) as error:
        shown, aside = h('<p class="empty">The database cannot be read now: {}</p>', str(error)), ""
    address = h("<pre>psql '{}'</pre>", uris[number])
    body = h(
        '<p class="crumb"><a href="/_cloud/databases">Databases</a></p>{}{}{}',
        chrome.block("Connect", chrome.fold("Show the command with its password", address)),
        chrome.block("Tables", shown, aside=aside),
        chrome.block("Branches", _branches(item, branches)),
    )
    return chrome.page("databases", item.name, body, lead=chrome.code(branch.data["databases"][number]["name"]))


def _uri(branch: Object, database: Thing, port: int) -> str:
    owner = next(role for role in branch.data["roles"] if role["name"] == database["owner"])
    return branch_bodies.uri(owner, database, port)


def _branches(project: Object, branches: list[Object]) -> Html:
    """Every database of every branch, with a way to it."""
    rows = [
        (
            branch.name,
            h(
                '<a href="/_cloud/databases/{}?branch={}&amp;database={}">{}</a>',
                project.id,
                branch.id,
                number,
                chrome.code(database["name"]),
            ),
            when(branch.created_at),
        )
        for branch in branches
        for number, database in enumerate(branch.data["databases"])
    ]
    return chrome.table("Branches", ("Branch", "Database", "Made"), rows, empty="No branch has a database.")


async def _read(uri: str) -> tuple[list[tuple[str, int, list[str], list[Row]]], int]:
    """Tables with their number of rows, columns and newest rows, and the size of it all."""
    options = "-c default_transaction_read_only=on -c statement_timeout=2000"
    connection = await psycopg.AsyncConnection.connect(uri, connect_timeout=3, options=options)
    async with connection:
        found = []
        for schema, name in await (await connection.execute(TABLES, (MOST_TABLES,))).fetchall():
            label = sql.Identifier(schema, name)
            counted = await connection.execute(sql.SQL("SELECT count(*) FROM {}").format(label))
            number = await counted.fetchone()
            described = await connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(label))
            columns = [column.name for column in described.description or ()]
            rows = await (await connection.execute(_rows(label, columns))).fetchall()
            title = name if schema == "public" else f"{schema}.{name}"
            found.append((title, int(number[0]) if number else 0, columns, rows))
        measured = await (await connection.execute("SELECT pg_database_size(current_database())")).fetchone()
    return found, int(measured[0]) if measured else 0


def _rows(table: sql.Identifier, columns: list[str]) -> sql.Composed:
    """The first rows, each value as Postgres writes it, since Python has no year 10,000, and no more than is shown."""
    values = [
        sql.SQL("pg_catalog.left({}::pg_catalog.text, {})").format(sql.Identifier(column), sql.Literal(MOST_SHOWN))
        for column in columns
    ]
    return sql.SQL("SELECT {} FROM {} LIMIT {}").format(sql.SQL(", ").join(values), table, sql.Literal(MOST_ROWS))


def _table(name: str, number: int, columns: list[str], rows: list[Row]) -> Html:
    cells = [[Html('<span class="faint">null</span>') if v is None else v for v in row] for row in rows]
    return h(
        '<div class="part"><h3>{} <span class="faint">{}</span></h3>{}</div>',
        name,
        f"{number} row{'' if number == 1 else 's'}",
        chrome.table(name, columns, cells, empty="No rows."),
    )
