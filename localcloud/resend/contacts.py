"""Contacts: one list for the whole account, each a member of any number of segments.

An address is one contact, whatever its capitals. Creating it again under another audience makes the same contact a
member of that audience too. `/audiences/{id}/contacts` shows and changes members of that audience only.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable
from email.utils import parseaddr
from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.faults import operation
from localcloud.resend import bodies
from localcloud.resend.deliveries import Deliveries
from localcloud.store import Store, now

SCHEMA = """
CREATE TABLE IF NOT EXISTS resend_contacts (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, email TEXT NOT NULL UNIQUE COLLATE NOCASE,
  first_name TEXT, last_name TEXT, unsubscribed INTEGER NOT NULL, properties TEXT NOT NULL, created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS resend_members (
  contact TEXT NOT NULL, segment TEXT NOT NULL, PRIMARY KEY (contact, segment)
);
"""


class Contacts:
    """Handlers of `/contacts`, `/audiences/{audience}/contacts` and `/segments/{audience}/contacts`."""

    def __init__(self, cloud: Cloud, deliveries: Deliveries) -> None:
        self._store: Store = cloud.store
        self._deliveries = deliveries
        self._store.script(SCHEMA)

    def forget_segment(self, segment: str) -> None:
        """End all memberships of a segment; the contacts stay, as in the real service."""
        self._store.execute("DELETE FROM resend_members WHERE segment = ?", (segment,))

    # Finding

    def _segment(self, identity: str, what: str = "Segment") -> str:
        if self._store.get("resend", "audience", identity) is None:
            raise bodies.not_found(what)
        return identity

    def _scope(self, request: web.Request) -> str | None:
        audience = request.match_info.get("audience")
        return self._segment(audience, "Audience") if audience is not None else None

    def _rows(self, segment: str | None) -> list[sqlite3.Row]:
        if segment is None:
            return self._store.query("SELECT * FROM resend_contacts ORDER BY number DESC")
        return self._store.query(
            "SELECT c.* FROM resend_contacts c JOIN resend_members m ON m.contact = c.id AND m.segment = ?"
            " ORDER BY c.number DESC",
            (segment,),
        )

    def _one(self, request: web.Request) -> sqlite3.Row:
        wanted, scope = request.match_info["contact"], self._scope(request)
        rows = self._store.query(
            "SELECT * FROM resend_contacts c WHERE (c.id = ?1 OR c.email = ?1) AND (?2 IS NULL OR EXISTS"
            " (SELECT 1 FROM resend_members m WHERE m.contact = c.id AND m.segment = ?2))",
            (wanted, scope),
        )
        if not rows:
            raise bodies.not_found("Contact")
        return rows[0]

    @staticmethod
    def _body(row: sqlite3.Row) -> dict[str, Any]:
        return {
            "id": row["id"],
            "email": row["email"],
            "first_name": row["first_name"],
            "last_name": row["last_name"],
            "created_at": bodies.moment(row["created_at"]),
            "unsubscribed": bool(row["unsubscribed"]),
        }

    # Writing

    def _save(self, wished: dict[str, Any], segments: Iterable[str]) -> str:
        email = _address(wished.get("email"))
        values = _values(wished)
        with self._store.transaction():
            found = self._store.query("SELECT id FROM resend_contacts WHERE email = ?", (email,))
            identity = str(found[0]["id"]) if found else str(uuid.uuid4())
            if not found:
                self._store.execute(
                    "INSERT INTO resend_contacts (id, email, unsubscribed, properties, created_at)"
                    " VALUES (?, ?, 0, '{}', ?)",
                    (identity, email, now()),
                )
            self._change(identity, values)
            for segment in segments:
                self._store.execute("INSERT OR IGNORE INTO resend_members VALUES (?, ?)", (identity, segment))
            self._deliveries.announce(f"contact.{'updated' if found else 'created'}", self._told(identity))
        return identity

    def _told(self, identity: str) -> dict[str, Any]:
        """A contact as it is now, as webhooks are told of it."""
        row = self._store.query("SELECT * FROM resend_contacts WHERE id = ?", (identity,))[0]
        members = self._store.query("SELECT segment FROM resend_members WHERE contact = ?", (identity,))
        segments = [str(member["segment"]) for member in members]
        told = self._body(row) | {"created_at": row["created_at"], "updated_at": now(), "segment_ids": segments}
        return told | {"audience_id": segments[0] if segments else ""}

    def _change(self, identity: str, values: dict[str, Any]) -> None:
        for column, value in values.items():  # columns come from `_values`, never from a client
            self._store.execute(f"UPDATE resend_contacts SET {column} = ? WHERE id = ?", (value, identity))  # noqa: S608

    # Handlers

    @operation("resend", "create_contact")
    async def create(self, request: web.Request) -> web.Response:
        wished = await bodies.read_object(request)
        scope = self._scope(request) or wished.get("audience_id")
        wanted = wished.get("segments") or []
        if not isinstance(wanted, list):
            raise bodies.invalid("The `segments` field must be a list.")
        identities = [item.get("id") if isinstance(item, dict) else item for item in wanted]
        segments = [self._segment(str(item)) for item in [*identities, *([scope] if scope else [])]]
        return web.json_response({"object": "contact", "id": self._save(wished, segments)}, status=201)

    @operation("resend", "list_contacts")
    async def all(self, request: web.Request) -> web.Response:
        scope = self._scope(request)
        if scope is None and "segment_id" in request.query:
            scope = self._segment(request.query["segment_id"])
        found, more = bodies.page(request.query, self._rows(scope), lambda row: str(row["id"]))
        return bodies.listed([self._body(row) for row in found], more)

    @operation("resend", "get_contact")
    async def get(self, request: web.Request) -> web.Response:
        row = self._one(request)
        kept = json.loads(row["properties"])
        return web.json_response({"object": "contact"} | self._body(row) | {"properties": kept})

    @operation("resend", "update_contact")
    async def update(self, request: web.Request) -> web.Response:
        row = self._one(request)
        values = _values(await bodies.read_object(request))
        with self._store.transaction():
            self._change(row["id"], values)
            self._deliveries.announce("contact.updated", self._told(row["id"]))
        return web.json_response({"object": "contact", "id": row["id"]})

    @operation("resend", "delete_contact")
    async def delete(self, request: web.Request) -> web.Response:
        row, scope = self._one(request), self._scope(request)
        with self._store.transaction():
            told = self._told(row["id"])
            self._store.execute(
                "DELETE FROM resend_members WHERE contact = ?1 AND (?2 IS NULL OR segment = ?2)", (row["id"], scope)
            )
            gone = self._store.execute(
                "DELETE FROM resend_contacts WHERE id = ?1 AND NOT EXISTS"
                " (SELECT 1 FROM resend_members WHERE contact = ?1)",
                (row["id"],),
            )
            if gone:
                self._deliveries.announce("contact.deleted", told)
            else:
                self._deliveries.announce("contact.updated", self._told(row["id"]))
        return web.json_response({"object": "contact", "id": row["id"], "contact": row["id"], "deleted": True})

    @operation("resend", "list_contact_segments")
    async def segments(self, request: web.Request) -> web.Response:
        row = self._one(request)
        kept = self._store.query("SELECT segment FROM resend_members WHERE contact = ?", (row["id"],))
        every = [found for item in kept if (found := self._store.get("resend", "audience", item["segment"]))]
        page, more = bodies.page(request.query, every, lambda item: item.id)
        return bodies.listed(
            [{"id": it.id, "name": it.name, "created_at": bodies.moment(it.created_at)} for it in page], more
        )

    @operation("resend", "add_contact_segment")
    async def join(self, request: web.Request) -> web.Response:
        row, segment = self._one(request), self._segment(request.match_info["segment"])
        self._store.execute("INSERT OR IGNORE INTO resend_members VALUES (?, ?)", (row["id"], segment))
        return web.json_response(
            {"object": "contact_segment", "id": segment, "contact_id": row["id"], "segment_id": segment}
        )

    @operation("resend", "remove_contact_segment")
    async def leave(self, request: web.Request) -> web.Response:
        row, segment = self._one(request), self._segment(request.match_info["segment"])
        self._store.execute("DELETE FROM resend_members WHERE contact = ? AND segment = ?", (row["id"], segment))
        body = {"object": "contact_segment", "id": segment, "contact_id": row["id"], "segment_id": segment}
        return web.json_response(body | {"deleted": True})


def _address(value: Any) -> str:
    if value is None or value == "":
        raise bodies.missing("email")
    if not isinstance(value, str) or len(value) > 254:
        raise bodies.invalid("Invalid `email` field.")
    name, address = parseaddr(value)
    if name or address != value.strip() or "@" not in address.strip("@") or any(c.isspace() for c in address):
        raise bodies.invalid("Invalid `email` field. The email address needs to follow the `email@example.com` format.")
    return address


def _values(wished: dict[str, Any]) -> dict[str, Any]:
    """The columns a request sets. Raises `RefusedError`."""
    values: dict[str, Any] = {}
    for member in ("first_name", "last_name"):
        if member in wished:
            if not isinstance(wished[member], str | None):
                raise bodies.invalid(f"The `{member}` field must be a string.")
            values[member] = wished[member]
    if wished.get("unsubscribed") is not None:
        if not isinstance(wished["unsubscribed"], bool):
            raise bodies.invalid("The `unsubscribed` field must be a boolean.")
        values["unsubscribed"] = int(wished["unsubscribed"])
    if wished.get("properties") is not None:
        if not isinstance(wished["properties"], dict):
            raise bodies.invalid("The `properties` field must be an object.")
        values["properties"] = json.dumps(wished["properties"])
    return values
