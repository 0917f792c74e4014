"""Sending: `/emails` and `/emails/batch`, each at most once per `Idempotency-Key`."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.faults import operation
from localcloud.resend import bodies, messages
from localcloud.resend.api_keys import ApiKeys
from localcloud.resend.mailbox import Mailbox, answer, listed
from localcloud.resend.outbox import Outbox

SCHEMA = """
CREATE TABLE IF NOT EXISTS resend_idempotency (
  key TEXT PRIMARY KEY, digest TEXT NOT NULL, answer TEXT NOT NULL, at TEXT NOT NULL
);
"""
MOST_IN_BATCH = 100
REMEMBERED = timedelta(hours=24)


class Emails:
    """Handlers of `/emails`."""

    def __init__(self, cloud: Cloud, keys: ApiKeys, mailbox: Mailbox, outbox: Outbox) -> None:
        self._store, self._keys, self._mailbox, self._outbox = cloud.store, keys, mailbox, outbox
        self._store.script(SCHEMA)

    @operation("resend", "send_email")
    async def send(self, request: web.Request) -> web.Response:
        sender, wished = self._keys.check(request, sending=True), await bodies.read_object(request)

        def put() -> dict[str, Any]:
            return {"id": self._mailbox.put(sender, messages.read(wished), messages.due(wished))}

        return self._once(request, wished, put)

    @operation("resend", "send_batch")
    async def batch(self, request: web.Request) -> web.Response:
        sender, wished = self._keys.check(request, sending=True), await bodies.read(request)
        if not isinstance(wished, list) or not 1 <= len(wished) <= MOST_IN_BATCH:
            raise bodies.invalid(f"A batch must be a list of 1 to {MOST_IN_BATCH} emails.")
        permissive = request.headers.get("x-batch-validation", "strict") == "permissive"

        def put() -> dict[str, Any]:
            mails, errors = [], []
            for index, item in enumerate(wished):
                try:
                    mails.append((messages.read(item), messages.due(item)))
                except bodies.RefusedError as refused:
                    if not permissive:
                        raise
                    errors.append({"index": index, "message": refused.message})
            made: dict[str, Any] = {"data": [{"id": self._mailbox.put(sender, *mail)} for mail in mails]}
            return made | {"errors": errors} if permissive else made

        return self._once(request, wished, put)

    def _once(self, request: web.Request, wished: Any, put: Any) -> web.Response:
        """Do *put* unless this idempotency key was used within a day; then answer as before."""
        key = request.headers.get("Idempotency-Key")
        if key is None:
            with self._store.transaction():
                made = put()
            self._outbox.wake()
            return web.json_response(made)
        if not 1 <= len(key) <= 256:
            raise bodies.RefusedError(
                400, "invalid_idempotency_key", "The idempotency key must be between 1 and 256 characters."
            )
        oldest = (datetime.now(UTC) - REMEMBERED).isoformat()
        digest = hashlib.sha256(f"{request.path} {json.dumps(wished, sort_keys=True)}".encode()).hexdigest()
        with self._store.transaction():
            self._store.execute("DELETE FROM resend_idempotency WHERE at < ?", (oldest,))
            found = self._store.query("SELECT * FROM resend_idempotency WHERE key = ?", (key,))
            if found and found[0]["digest"] != digest:
                raise bodies.RefusedError(
                    409,
                    "invalid_idempotent_request",
                    "This idempotency key has been used on a request that was different from this one.",
                )
            if found:
                return web.json_response(json.loads(found[0]["answer"]))
            made = put()
            self._store.execute(
                "INSERT INTO resend_idempotency VALUES (?, ?, ?, ?)",
                (key, digest, json.dumps(made), datetime.now(UTC).isoformat()),
            )
        self._outbox.wake()
        return web.json_response(made)

    def _one(self, request: web.Request) -> dict[str, Any]:
        found = self._mailbox.get(request.match_info["id"])
        if found is None:
            raise bodies.not_found("Email")
        return found

    @operation("resend", "list_emails")
    async def all(self, request: web.Request) -> web.Response:
        page, more = bodies.page(request.query, self._mailbox.identities(), str)
        return bodies.listed([listed(mail) for identity in page if (mail := self._mailbox.get(identity))], more)

    @operation("resend", "get_email")
    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(answer(self._one(request)))

    @operation("resend", "update_email")
    async def update(self, request: web.Request) -> web.Response:
        found = self._one(request)
        due = messages.due(await bodies.read_object(request))
        if due is None:
            raise bodies.missing("scheduled_at")
        if not self._mailbox.reschedule(found["id"], due):
            raise bodies.invalid("Only scheduled emails can be updated.")
        self._outbox.wake()
        return web.json_response({"object": "email", "id": found["id"]})

    @operation("resend", "cancel_email")
    async def cancel(self, request: web.Request) -> web.Response:
        found = self._one(request)
        if not self._mailbox.cancel(found["id"]):
            raise bodies.invalid("Only scheduled emails can be canceled.")
        return web.json_response({"object": "email", "id": found["id"]})
