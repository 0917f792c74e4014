"""The store of events: each once by its uuid, found again by group and by person."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.posthog.parsing import Event
from localcloud.posthog.persons import Persons
from localcloud.store import Store, now

SCHEMA = """
CREATE TABLE IF NOT EXISTS posthog_events (
  number INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, event TEXT NOT NULL, distinct_id TEXT NOT NULL,
  timestamp TEXT NOT NULL, received_at TEXT NOT NULL, properties TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS posthog_events_by_time ON posthog_events (timestamp);
CREATE TABLE IF NOT EXISTS posthog_group_types (place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS posthog_event_groups (
  place INTEGER NOT NULL, key TEXT NOT NULL, event INTEGER NOT NULL, PRIMARY KEY (place, key, event)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS posthog_event_groups_by_event ON posthog_event_groups (event, place);
CREATE INDEX IF NOT EXISTS posthog_events_by_distinct_id ON posthog_events (distinct_id);
CREATE TABLE IF NOT EXISTS posthog_groups (
  place INTEGER NOT NULL, key TEXT NOT NULL, created_at TEXT NOT NULL, properties TEXT NOT NULL,
  PRIMARY KEY (place, key)
);
"""
MOST_GROUP_TYPES = 5
KEPT = ("uuid", "event", "distinct_id", "timestamp")


class Events:
    """All events of this installation."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.script(SCHEMA)
        self.persons = Persons(store)
        if self.persons.empty():
            self._learn_persons()

    def _learn_persons(self) -> None:
        """Find the persons of an installation whose events are older than its persons."""
        with self._store.transaction():
            for row in self._store.query("SELECT * FROM posthog_events ORDER BY number"):
                body = _body(row)
                self.persons.seen(Event(**{name: body[name] for name in KEPT}, properties=body["properties"]))

    def add(self, events: Iterable[Event]) -> int:
        """Keep these events; returns how many were not known before."""
        new = 0
        with self._store.transaction():
            for event in events:
                new += self._add(event)
        return new

    def _add(self, event: Event) -> int:
        if not self._store.execute(
            "INSERT OR IGNORE INTO posthog_events (uuid, event, distinct_id, timestamp, received_at, properties)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (event.uuid, event.event, event.distinct_id, event.timestamp, now(), json.dumps(event.properties)),
        ):
            return 0
        number = self._store.query("SELECT last_insert_rowid() AS number")[0]["number"]
        self.persons.seen(event)
        for kind, key in event.groups.items():
            place = self._place(kind)
            if place is None:
                continue
            self._store.execute("INSERT OR IGNORE INTO posthog_event_groups VALUES (?, ?, ?)", (place, key, number))
            self._store.execute("INSERT OR IGNORE INTO posthog_groups VALUES (?, ?, ?, '{}')", (place, key, now()))
            told = event.properties.get("$group_set")
            if event.event == "$groupidentify" and isinstance(told, dict):
                self._store.execute(
                    "UPDATE posthog_groups SET properties = json_patch(properties, ?) WHERE place = ? AND key = ?",
                    (json.dumps(told), place, key),
                )
        return 1

    def _place(self, kind: str) -> int | None:
        """The index of a group type; None for a sixth one, which PostHog ignores too."""
        rows = self._store.query("SELECT place FROM posthog_group_types WHERE name = ?", (kind,))
        if rows:
            return int(rows[0]["place"])
        place = int(self._store.query("SELECT count(*) AS number FROM posthog_group_types")[0]["number"])
        if place >= MOST_GROUP_TYPES:
            return None
        self._store.execute("INSERT INTO posthog_group_types VALUES (?, ?)", (place, kind))
        return place

    def recent(self, *, kind: str | None = None, key: str | None = None, most: int = 200) -> list[dict[str, Any]]:
        """The newest events, of one group when *kind* and *key* are given."""
        if key is None:
            rows = self._store.query("SELECT * FROM posthog_events ORDER BY number DESC LIMIT ?", (most,))
        else:
            rows = self._store.query(
                "SELECT e.* FROM posthog_event_groups g JOIN posthog_group_types t ON t.place = g.place"
                " JOIN posthog_events e ON e.number = g.event WHERE t.name = ? AND g.key = ?"
                " ORDER BY e.number DESC LIMIT ?",
                (kind, key, most),
            )
        return [_body(row) for row in rows]

    def listed(
        self,
        *,
        before: str | None,
        after: str | None,
        event: str | None,
        distinct_id: str | None,
        person: str | None,
        limit: int,
    ) -> list[dict[str, Any]]:
        """Events by when they happened, newest first, between two moments."""
        rows = self._store.query(
            "SELECT * FROM posthog_events e WHERE (?1 IS NULL OR e.timestamp < ?1) AND (?2 IS NULL OR e.timestamp > ?2)"
            " AND (?3 IS NULL OR e.event = ?3) AND (?4 IS NULL OR e.distinct_id = ?4)"
            " AND (?5 IS NULL OR e.distinct_id IN (SELECT distinct_id FROM posthog_distinct_ids WHERE person = ?5))"
            " ORDER BY e.timestamp DESC, e.number DESC LIMIT ?6",
            (before, after, event, distinct_id, person, limit),
        )
        return [_body(row) for row in rows]

    def get(self, identity: str) -> dict[str, Any] | None:
        """One event by its uuid."""
        rows = self._store.query("SELECT * FROM posthog_events WHERE uuid = ?", (identity,))
        return _body(rows[0]) if rows else None

    def forget(self, persons: Iterable[str], *, events: bool) -> None:
        """Remove persons, and with *events* all that they did."""
        with self._store.transaction():
            for person in persons:
                for distinct_id in self.persons.forget(person):
                    if events:
                        self._remove(distinct_id)

    def _remove(self, distinct_id: str) -> None:
        self._store.execute(
            "DELETE FROM posthog_event_groups WHERE event IN (SELECT number FROM posthog_events WHERE distinct_id = ?)",
            (distinct_id,),
        )
        self._store.execute("DELETE FROM posthog_events WHERE distinct_id = ?", (distinct_id,))

    def group_types(self) -> list[dict[str, Any]]:
        rows = self._store.query("SELECT * FROM posthog_group_types ORDER BY place")
        return [{"group_type": row["name"], "group_type_index": row["place"]} for row in rows]

    def groups(self, place: int | None = None) -> list[dict[str, Any]]:
        """Groups with how many events each has, newest first."""
        rows = self._store.query(
            "SELECT g.*, t.name AS kind, (SELECT count(*) FROM posthog_event_groups e WHERE e.place = g.place"
            " AND e.key = g.key) AS events FROM posthog_groups g JOIN posthog_group_types t ON t.place = g.place"
            " WHERE ?1 IS NULL OR g.place = ?1 ORDER BY g.created_at DESC",
            (place,),
        )
        return [
            {
                "group_type": row["kind"],
                "group_type_index": row["place"],
                "group_key": row["key"],
                "group_properties": json.loads(row["properties"]),
                "created_at": row["created_at"],
                "events": row["events"],
            }
            for row in rows
        ]

    def count(self) -> int:
        return int(self._store.query("SELECT count(*) AS number FROM posthog_events")[0]["number"])

    def select(self, statement: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        """Run a SELECT that `hogql` wrote. Raises `sqlite3.OperationalError`."""
        return self._store.query(statement, values)


def _body(row: sqlite3.Row) -> dict[str, Any]:
    return {name: row[name] for name in (*KEPT, "received_at")} | {"properties": json.loads(row["properties"])}
