"""Sending and reading: `/emails` and `/emails/batch`, each at most once per `Idempotency-Key`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.faults import operation
from localcloud.resend import bodies, messages
from localcloud.resend.api_keys import ApiKeys
from localcloud.resend.idempotency import Idempotency
from localcloud.resend.mailbox import Mailbox, answer, listed
from localcloud.resend.outbox import Outbox

MOST_IN_BATCH = 100


class Emails:
    """Handlers of `/emails`."""

    def __init__(self, cloud: Cloud, keys: ApiKeys, mailbox: Mailbox, outbox: Outbox) -> None:
        self._keys, self._mailbox, self._outbox = keys, mailbox, outbox
        self._idempotency = Idempotency(cloud.store)

    @operation("resend", "send_email")
    async def send(self, request: web.Request) -> web.Response:
        sender = self._keys.check(request, sending=True)
        with self._idempotency.key_of(request) as key:
            wished = await bodies.read_object(request)

            def put() -> dict[str, Any]:
                return {"id": self._mailbox.put(sender, messages.read(wished), messages.due(wished))}

            made = self._idempotency.once(key, request.path, wished, put)
        self._outbox.wake()
        return web.json_response(made)

    @operation("resend", "send_batch")
    async def batch(self, request: web.Request) -> web.Response:
        sender = self._keys.check(request, sending=True)
        permissive = request.headers.get("x-batch-validation", "strict") == "permissive"
        with self._idempotency.key_of(request) as key:
            wished = await bodies.read(request)
            if not isinstance(wished, list) or not 1 <= len(wished) <= MOST_IN_BATCH:
                raise bodies.invalid(f"A batch must be a list of 1 to {MOST_IN_BATCH} emails.")

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

            made = self._idempotency.once(key, request.path, wished, put)
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
