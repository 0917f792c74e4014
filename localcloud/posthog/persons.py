"""Persons: whose events are whose.

Every distinct id belongs to one person. `$identify` and `$create_alias` make two of them the same person's, unless the
one that would be given up was identified before, as in PostHog. Who sends only events without a profile is counted as a
person but not listed as one.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from typing import Any

from localcloud.posthog.parsing import Event
from localcloud.store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS posthog_persons (
  id TEXT PRIMARY KEY, created_at TEXT NOT NULL, is_identified INTEGER NOT NULL, profile INTEGER NOT NULL,
  properties TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS posthog_distinct_ids (distinct_id TEXT PRIMARY KEY, person TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS posthog_distinct_ids_by_person ON posthog_distinct_ids (person);
"""
NAMESPACE = uuid.UUID("6f2d3c1e-51d8-4f0f-9a3e-0d6f6f7c2b5a")
MERGING = {"$identify": "$anon_distinct_id", "$create_alias": "alias", "$merge_dangerously": "alias"}


class Persons:
    """All persons of this installation. Writing joins the transaction it is called in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.script(SCHEMA)

    def empty(self) -> bool:
        return not self._store.query("SELECT 1 FROM posthog_distinct_ids LIMIT 1")

    def seen(self, event: Event) -> None:
        """Take from an event who it is about and what it says of them."""
        person = self._person(event.distinct_id, event.timestamp)
        if event.event in MERGING:
            other = event.properties.get(MERGING[event.event])
            if isinstance(other, str) and other and other != event.distinct_id:
                self._merge(person, self._person(other, event.timestamp), anyway=event.event == "$merge_dangerously")
        if event.event == "$identify":
            self._store.execute("UPDATE posthog_persons SET is_identified = 1 WHERE id = ?", (person,))
        if event.properties.get("$process_person_profile") is not False:
            self._tell(person, event.properties)

    def _person(self, distinct_id: str, at: str) -> str:
        rows = self._store.query("SELECT person FROM posthog_distinct_ids WHERE distinct_id = ?", (distinct_id,))
        if rows:
            return str(rows[0]["person"])
        person = str(uuid.uuid5(NAMESPACE, distinct_id))
        self._store.execute("INSERT OR IGNORE INTO posthog_persons VALUES (?, ?, 0, 0, '{}')", (person, at))
        self._store.execute("INSERT INTO posthog_distinct_ids VALUES (?, ?)", (distinct_id, person))
        return person

    def _merge(self, kept: str, given_up: str, *, anyway: bool) -> None:
        if kept == given_up:
            return
        rows = self._store.query("SELECT * FROM posthog_persons WHERE id = ?", (given_up,))
        if not rows or (rows[0]["is_identified"] and not anyway):
            return
        old = json.loads(rows[0]["properties"])
        mine = json.loads(self._store.query("SELECT * FROM posthog_persons WHERE id = ?", (kept,))[0]["properties"])
        self._store.execute("UPDATE posthog_distinct_ids SET person = ? WHERE person = ?", (kept, given_up))
        self._store.execute("DELETE FROM posthog_persons WHERE id = ?", (given_up,))
        self._store.execute(
            "UPDATE posthog_persons SET properties = ?, created_at = min(created_at, ?), is_identified = 1"
            " WHERE id = ?",
            (json.dumps(old | mine), rows[0]["created_at"], kept),
        )

    def _tell(self, person: str, properties: dict[str, Any]) -> None:
        kept = json.loads(
            self._store.query("SELECT properties FROM posthog_persons WHERE id = ?", (person,))[0]["properties"]
        )
        told = _object(properties, "$set_once") | kept | _object(properties, "$set")
        unset = properties.get("$unset")
        for name in unset if isinstance(unset, list) else ():
            told.pop(str(name), None)
        self._store.execute(
            "UPDATE posthog_persons SET profile = 1, properties = ? WHERE id = ?", (json.dumps(told), person)
        )

    # Reading

    def listed(self, *, distinct_id: str | None, search: str | None) -> list[sqlite3.Row]:
        """Persons with a profile, newest first."""
        return self._store.query(
            "SELECT p.* FROM posthog_persons p WHERE p.profile AND (?1 IS NULL OR EXISTS"
            " (SELECT 1 FROM posthog_distinct_ids d WHERE d.person = p.id AND d.distinct_id = ?1))"
            " AND (?2 IS NULL OR instr(lower(p.properties), lower(?2)) OR EXISTS"
            " (SELECT 1 FROM posthog_distinct_ids d WHERE d.person = p.id AND instr(lower(d.distinct_id), lower(?2))))"
            " ORDER BY p.created_at DESC, p.id",
            (distinct_id, search),
        )

    def get(self, person: str) -> sqlite3.Row | None:
        rows = self._store.query("SELECT * FROM posthog_persons WHERE id = ? AND profile", (person,))
        return rows[0] if rows else None

    def of(self, distinct_id: str) -> sqlite3.Row | None:
        """Whose distinct id this is."""
        rows = self._store.query(
            "SELECT p.* FROM posthog_persons p JOIN posthog_distinct_ids d ON d.person = p.id WHERE d.distinct_id = ?",
            (distinct_id,),
        )
        return rows[0] if rows else None

    def distinct_ids(self, person: str) -> list[str]:
        rows = self._store.query("SELECT distinct_id FROM posthog_distinct_ids WHERE person = ?", (person,))
        return [str(row["distinct_id"]) for row in rows]

    def forget(self, person: str) -> Sequence[str]:
        """Remove a person; returns the distinct ids they had."""
        had = self.distinct_ids(person)
        self._store.execute("DELETE FROM posthog_distinct_ids WHERE person = ?", (person,))
        self._store.execute("DELETE FROM posthog_persons WHERE id = ?", (person,))
        return had


def _object(properties: dict[str, Any], name: str) -> dict[str, Any]:
    found = properties.get(name)
    return found if isinstance(found, dict) else {}
