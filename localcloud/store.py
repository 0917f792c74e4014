"""What localcloud remembers: one SQLite file whose `objects` table is also the ledger.

Every object a stand-in ever made has a row that is never removed; deleting an object only dates its `deleted_at`, and
recovering it takes the date back. That makes leaks countable from outside: what was made, under which name, and whether
it still lives.

Writes are committed before a method returns and survive a SIGKILL of this process. All methods are synchronous and
take well under a millisecond, so they are called on the event loop; a lock makes them safe from threads too.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  number INTEGER PRIMARY KEY,
  vendor TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
  created_at TEXT NOT NULL, deleted_at TEXT, data TEXT NOT NULL,
  UNIQUE (vendor, kind, id)
);
CREATE INDEX IF NOT EXISTS objects_by_name ON objects (vendor, kind, name);
CREATE INDEX IF NOT EXISTS objects_alive ON objects (vendor, kind, deleted_at);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

COLUMNS = "vendor, kind, id, name, created_at, deleted_at, data"


@dataclass(frozen=True, slots=True)
class Object:
    """One thing a stand-in made. `created_at` and `deleted_at` are ISO 8601 in UTC with microseconds."""

    vendor: str
    kind: str
    id: str
    name: str
    created_at: str
    deleted_at: str | None
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        return self.deleted_at is None


def now() -> str:
    """The present moment as the store writes it."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """A moment as the store writes it: in UTC, so that moments compare as their texts do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Store:
    """The SQLite file behind one localcloud. Use one instance per process; `close` it at the end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # Objects

    def add(self, vendor: str, kind: str, id: str, name: str, data: dict[str, Any] | None = None) -> Object:  # noqa: A002
        """Record a new object. Raises `sqlite3.IntegrityError` when the id was ever used for this vendor and kind."""
        made = Object(vendor, kind, id, name, now(), None, data or {})
        self.execute(
            f"INSERT INTO objects ({COLUMNS}) VALUES (?, ?, ?, ?, ?, NULL, ?)",  # noqa: S608 -- fixed columns
            (vendor, kind, id, name, made.created_at, json.dumps(made.data)),
        )
        return made

    def get(self, vendor: str, kind: str, id: str, *, deleted: bool = False) -> Object | None:  # noqa: A002
        """The object with this id, or None; a deleted one only when *deleted* is true."""
        return next(self._objects("id = ?", (vendor, kind, id), deleted=deleted), None)

    def named(self, vendor: str, kind: str, name: str) -> list[Object]:
        """All living objects with exactly this name, oldest first."""
        return list(self._objects("name = ?", (vendor, kind, name)))

    def all(self, vendor: str, kind: str, *, deleted: bool = False) -> list[Object]:
        """All living objects of a kind, oldest first; with *deleted* the dead ones as well."""
        return list(self._objects("1", (vendor, kind), deleted=deleted))

    def having(self, vendor: str, kind: str, member: str, value: str) -> list[Object]:
        """All living objects of a kind whose data has *value* under *member*, oldest first."""
        where = "json_extract(data, '$.' || ?) = ?"
        return list(self._objects(where, (vendor, kind, member, value)))

    def update(self, vendor: str, kind: str, id: str, **changes: Any) -> Object:  # noqa: A002
        """Merge *changes* into the object's data. Raises `KeyError` when it does not live."""
        with self.transaction():
            found = self.get(vendor, kind, id)
            if found is None:
                raise KeyError((vendor, kind, id))
            data = found.data | changes
            self.execute(
                "UPDATE objects SET data = ? WHERE vendor = ? AND kind = ? AND id = ?",
                (json.dumps(data), vendor, kind, id),
            )
        return Object(found.vendor, found.kind, found.id, found.name, found.created_at, None, data)

    def rename(self, vendor: str, kind: str, id: str, name: str) -> None:  # noqa: A002
        """Give a living object another name."""
        self.execute(
            "UPDATE objects SET name = ? WHERE vendor = ? AND kind = ? AND id = ? AND deleted_at IS NULL",
            (name, vendor, kind, id),
        )

    def delete(self, vendor: str, kind: str, id: str) -> bool:  # noqa: A002
        """Date the object's end. True when it lived until now, False when it was gone or never was."""
        return bool(
            self.execute(
                "UPDATE objects SET deleted_at = ? WHERE vendor = ? AND kind = ? AND id = ? AND deleted_at IS NULL",
                (now(), vendor, kind, id),
            )
        )

    def revive(self, vendor: str, kind: str, id: str) -> bool:  # noqa: A002
        """Let a deleted object live again. True when it was dead until now."""
        return bool(
            self.execute(
                "UPDATE objects SET deleted_at = NULL WHERE vendor = ? AND kind = ? AND id = ? "
                "AND deleted_at IS NOT NULL",
                (vendor, kind, id),
            )
        )

    def ledger(self) -> list[dict[str, Any]]:
        """Every object ever made, oldest first, without its data."""
        rows = self.query("SELECT vendor, kind, id, name, created_at, deleted_at FROM objects ORDER BY number")
        return [dict(row) for row in rows]

    def _objects(self, where: str, values: Sequence[str], *, deleted: bool = False) -> Iterator[Object]:
        alive = "" if deleted else "AND deleted_at IS NULL"
        statement = f"SELECT {COLUMNS} FROM objects WHERE vendor = ? AND kind = ? AND {where} {alive} ORDER BY number"  # noqa: S608 -- fixed parts
        for row in self.query(statement, values):
            yield Object(
                row["vendor"],
                row["kind"],
                row["id"],
                row["name"],
                row["created_at"],
                row["deleted_at"],
                json.loads(row["data"]),
            )

    # Single values

    def meta(self, name: str) -> Any:
        """The remembered value under *name*, or None."""
        rows = self.query("SELECT value FROM meta WHERE name = ?", (name,))
        return json.loads(rows[0]["value"]) if rows else None

    def set_meta(self, name: str, value: Any) -> None:
        self.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    # A stand-in's own tables

    def script(self, statements: str) -> None:
        """Run a `CREATE … IF NOT EXISTS` script for tables that only one stand-in uses."""
        with self._lock:
            self._connection.executescript(statements)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run one writing statement and commit it; returns the number of rows touched."""
        with self._lock:
            return self._connection.execute(statement, values).rowcount

    def query(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """Rows of one SELECT, addressable by position and by column name."""
        with self._lock:
            cursor = self._connection.execute(statement, values)
            cursor.row_factory = sqlite3.Row
            return cursor.fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing for the statements inside. Must not span an `await`; nesting joins the outer one."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
