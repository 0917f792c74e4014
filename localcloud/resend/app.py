"""Routes of the Resend stand-in under `/resend`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from aiohttp import web

from localcloud.cloud import Cloud, Handler
from localcloud.resend import bodies
from localcloud.resend.api_keys import ApiKeys
from localcloud.resend.audiences import Audiences
from localcloud.resend.contacts import Contacts
from localcloud.resend.deliveries import Deliveries
from localcloud.resend.emails import Emails
from localcloud.resend.mailbox import Mailbox
from localcloud.resend.outbox import Outbox
from localcloud.resend.webhooks import Webhooks

log = logging.getLogger("localcloud.resend")

MAILBOX: web.AppKey[Mailbox] = web.AppKey("resend_mailbox", Mailbox)
DELIVERIES: web.AppKey[Deliveries] = web.AppKey("resend_deliveries", Deliveries)


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the routes, and the outbox that lives as long as the application."""
    cloud.error_bodies["resend"] = bodies.error
    cloud.limit_forms["resend"] = bodies.LIMIT_FORM
    deliveries = app[DELIVERIES] = Deliveries(cloud.store, cloud.config.webhook_hosts)
    mailbox = app[MAILBOX] = Mailbox(cloud.store, deliveries.announce)
    outbox, keys, contacts = Outbox(mailbox, cloud.config.email_url), ApiKeys(cloud), Contacts(cloud, deliveries)
    audiences, emails = Audiences(cloud, contacts), Emails(cloud, keys, mailbox, outbox)
    webhooks = Webhooks(cloud, deliveries)
    cloud.notes["resend"] = (
        "Mail stays in the mailbox here and is also handed to the SMTP server of EMAIL_URL."
        if cloud.config.email_url
        else "Mail stays in the mailbox here; nothing leaves this machine."
    )

    def add(method: str, path: str, handler: Handler, *, sending: bool = False) -> None:
        app.router.add_route(method, f"/resend{path}", _known(keys, handler, sending=sending))

    add("POST", "/emails", emails.send, sending=True)
    add("POST", "/emails/batch", emails.batch, sending=True)
    add("GET", "/emails", emails.all)
    add("GET", "/emails/{id}", emails.get)
    add("PATCH", "/emails/{id}", emails.update)
    add("POST", "/emails/{id}/cancel", emails.cancel)
    add("POST", "/api-keys", keys.create)
    add("GET", "/api-keys", keys.all)
    add("PATCH", "/api-keys/{id}", keys.update)
    add("DELETE", "/api-keys/{id}", keys.delete)
    add("POST", "/audiences", audiences.create_audience)
    add("GET", "/audiences", audiences.list_audiences)
    add("GET", "/audiences/{id}", audiences.get_audience)
    add("DELETE", "/audiences/{id}", audiences.delete_audience)
    add("POST", "/segments", audiences.create_segment)
    add("GET", "/segments", audiences.list_segments)
    add("GET", "/segments/{id}", audiences.get_segment)
    add("PATCH", "/segments/{id}", audiences.update_segment)
    add("DELETE", "/segments/{id}", audiences.delete_segment)
    for base in ("", "/audiences/{audience}", "/segments/{audience}"):
        add("POST", f"{base}/contacts", contacts.create)
        add("GET", f"{base}/contacts", contacts.all)
        add("GET", f"{base}/contacts/{{contact}}", contacts.get)
        add("PATCH", f"{base}/contacts/{{contact}}", contacts.update)
        add("DELETE", f"{base}/contacts/{{contact}}", contacts.delete)
    add("GET", "/contacts/{contact}/segments", contacts.segments)
    add("POST", "/contacts/{contact}/segments/{segment}", contacts.join)
    add("DELETE", "/contacts/{contact}/segments/{segment}", contacts.leave)

    add("POST", "/webhooks", webhooks.create)
    add("GET", "/webhooks", webhooks.all)
    add("GET", "/webhooks/{id}", webhooks.get)
    add("PATCH", "/webhooks/{id}", webhooks.update)
    add("DELETE", "/webhooks/{id}", webhooks.delete)
    add("POST", "/webhooks/{id}/signing-secret/rotate", webhooks.rotate)
    add("GET", "/webhooks/{id}/events", webhooks.events)
    add("GET", "/webhooks/{id}/events/{event}", webhooks.event)
    add("GET", "/webhooks/{id}/events/{event}/attempts", webhooks.attempts)
    add("POST", "/webhooks/{id}/events/{event}/replay", webhooks.replay)

    async def sending(_app: web.Application) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(outbox.run(), name="resend outbox"),
            asyncio.create_task(deliveries.run(), name="resend webhooks"),
        ]
        for task in tasks:
            task.add_done_callback(_note_end)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    app.cleanup_ctx.append(sending)


def _note_end(task: asyncio.Task[None]) -> None:
    """A task of ours ends with the process only; if one fails, nothing is sent any more, and the log must say so."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s failed; nothing more is sent until localcloud is started again", task.get_name(), exc_info=error)


def _known(keys: ApiKeys, handler: Handler, *, sending: bool) -> Handler:
    """Let only keys in that may do this, and answer refusals in Resend's form."""

    async def check(request: web.Request) -> web.StreamResponse:
        try:
            keys.check(request, sending=sending)
            if "id" in request.match_info:
                bodies.check_id(request.match_info["id"])
            return await handler(request)
        except bodies.RefusedError as refused:
            return refused.answer()

    check.operation = handler.operation  # type: ignore[attr-defined]
    return check
