"""The mailbox: every mail the stand-in took, when it leaves, and what became of it.

A mail goes from `queued` or `scheduled` to `sent` when it leaves, and on to what happened to it. Each step is told to
the webhooks in the transaction that records it.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from localcloud.resend import bodies
from localcloud.store import Store, now, stamp

SCHEMA = """
CREATE TABLE IF NOT EXISTS resend_emails (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sender TEXT NOT NULL, created_at TEXT NOT NULL,
  due_at TEXT NOT NULL, last_event TEXT NOT NULL, trouble TEXT, mail TEXT NOT NULL
);
DROP INDEX IF EXISTS resend_emails_open;
CREATE INDEX IF NOT EXISTS resend_emails_leaving ON resend_emails (due_at)
  WHERE last_event IN ('queued', 'scheduled', 'sent');
"""
LEAVING = "('queued', 'scheduled', 'sent')"  # `sent` as well: one that was leaving when the process was killed
UNLISTED = ("object", "html", "text", "tags")

Announce = Callable[[str, dict[str, Any]], None]


class Mailbox:
    """All mails, newest first where they are listed. *announce* is told of every event with its data."""

    def __init__(self, store: Store, announce: Announce) -> None:
        self._store, self._announce = store, announce
        store.script(SCHEMA)

    def put(self, sender: str, mail: dict[str, Any], due: datetime | None) -> str:
        """Keep a mail of the key *sender*; returns its id."""
        identity, at = str(uuid.uuid4()), now()
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO resend_emails (id, sender, created_at, due_at, last_event, mail)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (identity, sender, at, stamp(due) if due else at, "scheduled" if due else "queued", json.dumps(mail)),
            )
            if due:
                self._announce("email.scheduled", _told(mail | {"id": identity, "created_at": at}))
        return identity

    def get(self, identity: str) -> dict[str, Any] | None:
        """One mail with everything in it, or None."""
        rows = self._store.query("SELECT * FROM resend_emails WHERE id = ?", (identity,))
        return _whole(rows[0]) if rows else None

    def recent(self, most: int = 200) -> list[dict[str, Any]]:
        """The newest mails, without their attachments' content."""
        rows = self._store.query("SELECT * FROM resend_emails ORDER BY number DESC LIMIT ?", (most,))
        return [_whole(row) for row in rows]

    def identities(self) -> list[str]:
        return [str(row["id"]) for row in self._store.query("SELECT id FROM resend_emails ORDER BY number DESC")]

    def reschedule(self, identity: str, due: datetime) -> bool:
        """Move a scheduled mail; False when it already left."""
        return bool(
            self._store.execute(
                "UPDATE resend_emails SET due_at = ? WHERE id = ? AND last_event = 'scheduled'", (stamp(due), identity)
            )
        )

    def cancel(self, identity: str) -> bool:
        """Stop a scheduled mail; False when it already left."""
        return bool(
            self._store.execute(
                "UPDATE resend_emails SET last_event = 'canceled' WHERE id = ? AND last_event = 'scheduled'",
                (identity,),
            )
        )

    def next_due(self) -> tuple[str, datetime] | None:
        """Which mail leaves next, and when."""
        rows = self._store.query(
            f"SELECT id, due_at FROM resend_emails WHERE last_event IN {LEAVING} ORDER BY due_at LIMIT 1"  # noqa: S608 -- fixed
        )
        return (str(rows[0]["id"]), datetime.fromisoformat(rows[0]["due_at"])) if rows else None

    def happened(self, identity: str, event: str, *, trouble: str | None = None, **detail: Any) -> None:
        """Record what happened to a mail, and tell of it with *detail*. Told once: the same event again is nothing."""
        with self._store.transaction():
            mail = self.get(identity)
            if mail is None or mail["last_event"] == event:
                return
            self._store.execute(
                "UPDATE resend_emails SET last_event = ?, trouble = ? WHERE id = ?", (event, trouble, identity)
            )
            self._announce(f"email.{event}", _told(mail) | detail)


def answer(mail: dict[str, Any]) -> dict[str, Any]:
    """A mail as `GET /emails/{id}` shows it."""
    kept = ("to", "from", "subject", "html", "text", "bcc", "cc", "reply_to", "tags")
    return {
        "object": "email",
        "id": mail["id"],
        "message_id": message_id(mail),
        "created_at": bodies.moment(mail["created_at"]),
        "last_event": mail["last_event"],
        "scheduled_at": mail["due_at"] if mail["last_event"] == "scheduled" else None,
        **{member: mail[member] for member in kept},
    }


def listed(mail: dict[str, Any]) -> dict[str, Any]:
    """A mail as `GET /emails` lists it: without what was written in it."""
    return {member: value for member, value in answer(mail).items() if member not in UNLISTED}


def message_id(mail: dict[str, Any]) -> str:
    return f"<{mail['id']}@localcloud>"


def _told(mail: dict[str, Any]) -> dict[str, Any]:
    """A mail as webhooks are told of it."""
    data = {"email_id": mail["id"], "message_id": message_id(mail), "created_at": mail["created_at"]}
    data |= {member: mail[member] for member in ("from", "to", "subject")}
    if mail["tags"]:
        data["tags"] = {tag["name"]: tag["value"] for tag in mail["tags"]}
    if mail["headers"]:
        data["headers"] = [{"name": name, "value": value} for name, value in mail["headers"].items()]
    return data


def _whole(row: sqlite3.Row) -> dict[str, Any]:
    kept = ("id", "sender", "created_at", "due_at", "last_event", "trouble")
    return json.loads(row["mail"]) | {name: row[name] for name in kept}  # type: ignore[no-any-return]
