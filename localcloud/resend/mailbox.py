"""The mailbox: every mail the stand-in took, when it leaves, and what became of it."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from localcloud.resend import bodies
from localcloud.store import Store, now

SCHEMA = """
CREATE TABLE IF NOT EXISTS resend_emails (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sender TEXT NOT NULL, created_at TEXT NOT NULL,
  due_at TEXT NOT NULL, last_event TEXT NOT NULL, trouble TEXT, mail TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS resend_emails_open ON resend_emails (due_at) WHERE last_event IN ('queued', 'scheduled');
"""
SINKS = {"bounced@resend.dev": "bounced", "complained@resend.dev": "complained"}


class Mailbox:
    """All mails, newest first where they are listed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.script(SCHEMA)

    def put(self, sender: str, mail: dict[str, Any], due: datetime | None) -> str:
        """Keep a mail of the key *sender*; returns its id."""
        identity, at = str(uuid.uuid4()), now()
        self._store.execute(
            "INSERT INTO resend_emails (id, sender, created_at, due_at, last_event, mail) VALUES (?, ?, ?, ?, ?, ?)",
            (identity, sender, at, _stamp(due) if due else at, "scheduled" if due else "queued", json.dumps(mail)),
        )
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
                "UPDATE resend_emails SET due_at = ? WHERE id = ? AND last_event = 'scheduled'", (_stamp(due), identity)
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
            "SELECT id, due_at FROM resend_emails WHERE last_event IN ('queued', 'scheduled') ORDER BY due_at LIMIT 1"
        )
        return (str(rows[0]["id"]), datetime.fromisoformat(rows[0]["due_at"])) if rows else None

    def settle(self, identity: str, event: str, trouble: str | None = None) -> None:
        """Record what became of a mail."""
        self._store.execute(
            "UPDATE resend_emails SET last_event = ?, trouble = ? WHERE id = ?", (event, trouble, identity)
        )

    def remove_all(self) -> None:
        """Empty the mailbox."""
        self._store.execute("DELETE FROM resend_emails WHERE last_event NOT IN ('queued', 'scheduled')")


def outcome(mail: dict[str, Any]) -> str:
    """What becomes of a mail by its first address: Resend's test addresses bounce or complain on purpose."""
    recipients: Sequence[str] = mail["to"]
    return next((SINKS[address.lower()] for address in recipients if address.lower() in SINKS), "delivered")


def answer(mail: dict[str, Any]) -> dict[str, Any]:
    """A mail as `GET /emails/{id}` shows it."""
    kept = ("to", "from", "subject", "html", "text", "bcc", "cc", "reply_to", "tags")
    return {
        "object": "email",
        "id": mail["id"],
        "message_id": f"<{mail['id']}@localcloud>",
        "created_at": bodies.moment(mail["created_at"]),
        "last_event": mail["last_event"],
        "scheduled_at": mail["due_at"] if mail["last_event"] == "scheduled" else None,
        **{member: mail[member] for member in kept},
    }


def listed(mail: dict[str, Any]) -> dict[str, Any]:
    """A mail as `GET /emails` lists it: what it says is left out."""
    left_out = ("object", "html", "text", "tags")
    return {member: value for member, value in answer(mail).items() if member not in left_out}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _whole(row: sqlite3.Row) -> dict[str, Any]:
    kept = ("id", "sender", "created_at", "due_at", "last_event", "trouble")
    return json.loads(row["mail"]) | {name: row[name] for name in kept}  # type: ignore[no-any-return]
