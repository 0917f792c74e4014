"""The mailbox: who was written to, and each mail as its reader would see it."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import quote

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.console import chrome
from localcloud.console.markup import Html, h, join, size, when
from localcloud.resend.app import MAILBOX

# The mail of a stranger: no script, no form, no origin, nothing loaded from anywhere.
FRAME_CSP = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
GLYPHS = {"delivered": "live", "queued": "moving", "sent": "moving", "scheduled": "moving", "canceled": "gone"}


def _mail(request: web.Request) -> dict[str, Any]:
    found = request.app[MAILBOX].get(request.match_info["id"])
    if found is None:
        raise web.HTTPNotFound(text="There is no such mail.")
    return found


def _state(mail: dict[str, Any]) -> Html:
    return chrome.state(GLYPHS.get(mail["last_event"], "bad"), mail["last_event"])


async def listing(request: web.Request) -> web.Response:
    """All mails, newest first."""
    mails = request.app[MAILBOX].recent()
    items = join(_item(mail) for mail in mails)
    inner = h('<ul class="mails">{}</ul>', items) if mails else h('<p class="empty">No mail was sent yet.</p>')
    lead = cloud_of(request).notes.get("resend", "")
    return chrome.page("mailbox", "Mailbox", chrome.block("Sent", inner, aside=f"newest {len(mails)}"), lead=lead)


def _item(mail: dict[str, Any]) -> Html:
    return h(
        '<li><a href="/_cloud/mailbox/{}"><span class="mail-to clip">{}</span><span class="mail-what clip"><b>{}</b> '
        '<span class="faint">{}</span></span><span class="mail-when small">{}</span></a></li>',
        mail["id"],
        ", ".join(mail["to"]),
        mail["subject"],
        _glance(mail),
        when(mail["created_at"]),
    )


def _glance(mail: dict[str, Any]) -> str:
    text = mail["text"] or re.sub(r"<[^>]*>", " ", (mail["html"] or "")[:2000])
    return " ".join(text.split())[:120]


async def one(request: web.Request) -> web.Response:
    """One mail: its envelope, and its body in a frame that can do nothing."""
    mail = _mail(request)
    sender = cloud_of(request).store.get("resend", "api_key", mail["sender"], deleted=True)
    facts = [("From", mail["from"]), ("To", ", ".join(mail["to"]))]
    facts += [(name, ", ".join(mail[member])) for name, member in (("Cc", "cc"), ("Bcc", "bcc")) if mail[member]]
    facts += [("Reply to", ", ".join(mail["reply_to"]))] if mail["reply_to"] else []
    facts += [("Sent with", sender.name if sender else "the account's key")]
    rows = join(h("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in facts)
    trouble = h('<p class="strip">{} {}</p>', chrome.state("bad", "Not handed on."), mail["trouble"])
    shown = (
        h('<iframe class="mail" sandbox="" src="/_cloud/mailbox/{}/html" title="The mail"></iframe>', mail["id"])
        if mail["html"] is not None
        else Html("")
    )
    text = h('<pre class="mail-text">{}</pre>', mail["text"]) if mail["text"] is not None else Html("")
    if mail["html"] is not None and mail["text"] is not None:
        text = chrome.fold("Plain text", text)
    source = chrome.fold("HTML source", h("<pre>{}</pre>", mail["html"])) if mail["html"] is not None else Html("")
    body = h(
        '<p class="crumb"><a href="/_cloud/mailbox">Mailbox</a></p>{}<section class="sheet"><dl class="facts">{}'
        "<div><dt>State</dt><dd>{} {}</dd></div></dl>{}{}{}{}</section>",
        trouble if mail["trouble"] else "",
        rows,
        _state(mail),
        when(mail["created_at"]),
        shown,
        text,
        _attachments(mail),
        source,
    )
    return chrome.page("mailbox", mail["subject"], body)


def _attachments(mail: dict[str, Any]) -> Html:
    if not mail["attachments"]:
        return Html("")
    items = join(
        h(
            '<li><a href="/_cloud/mailbox/{}/attachments/{}" download>{}</a> <span class="faint">{}</span></li>',
            mail["id"],
            number,
            item["filename"],
            size(len(item["content"]) * 3 // 4),
        )
        for number, item in enumerate(mail["attachments"])
    )
    return h('<ul class="attached">{}</ul>', items)


async def html(request: web.Request) -> web.Response:
    """The mail's HTML, for the frame alone: sandboxed by its own header too, so opening it directly is as harmless."""
    headers = chrome.HEADERS | {"Content-Security-Policy": FRAME_CSP}
    return web.Response(text=_mail(request)["html"] or "", content_type="text/html", headers=headers)


async def attachment(request: web.Request) -> web.Response:
    """One attachment, always as a download of no type."""
    mail, number = _mail(request), request.match_info["number"]
    if not number.isdigit() or len(number) > 4 or int(number) >= len(mail["attachments"]):
        raise web.HTTPNotFound(text="There is no such attachment.")
    item = mail["attachments"][int(number)]
    named = f"attachment; filename*=UTF-8''{quote(item['filename'])}"
    return web.Response(
        body=base64.b64decode(item["content"]),
        content_type="application/octet-stream",
        headers=chrome.HEADERS | {"Content-Disposition": named},
    )


async def as_json(request: web.Request) -> web.Response:
    """The newest mails, of one recipient with `?to=`, of one key's name with `?key=`."""
    store = cloud_of(request).store
    wanted, key = request.query.get("to", "").lower(), request.query.get("key")
    mails = []
    for mail in request.app[MAILBOX].recent():
        sender = store.get("resend", "api_key", mail["sender"], deleted=True)
        mail["key_name"] = sender.name if sender else None
        if key in (None, mail["key_name"]) and (not wanted or any(wanted in to.lower() for to in mail["to"])):
            mails.append(mail)
    return web.json_response(mails)


async def one_as_json(request: web.Request) -> web.Response:
    return web.json_response(_mail(request))
