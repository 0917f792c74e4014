"""Webhooks: who is told of what, and how the newest deliveries went."""

from __future__ import annotations

import json
import sqlite3

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.console import chrome
from localcloud.console.markup import Html, h, join, when
from localcloud.resend.app import DELIVERIES
from localcloud.resend.deliveries import Deliveries
from localcloud.store import Object

MOST_EVENTS = 100
GLYPHS = {"success": "live", "failed": "bad"}


async def listing(request: web.Request) -> web.Response:
    """The webhooks that are registered, and the newest events they were to be told of."""
    hooks = cloud_of(request).store.all("resend", "webhook")[::-1]
    deliveries = request.app.get(DELIVERIES)  # None where the stand-in could not be set up
    events = deliveries.recent(MOST_EVENTS) if deliveries is not None else []
    endpoints = {hook.id: str(hook.data["endpoint"]) for hook in hooks}
    told = join(_event(row, endpoints[row["webhook"]], deliveries) for row in events if deliveries is not None)
    inner = h('<ul class="rows">{}</ul>', told) if events else h('<p class="empty">Nobody was told anything yet.</p>')
    body = h(
        "{}{}",
        chrome.block("Registered", _registered(hooks)),
        chrome.block("Deliveries", inner, aside=f"newest {len(events)}"),
    )
    return chrome.page("webhooks", "Webhooks", body, lead="Resend tells these endpoints of mails and contacts.")


def _registered(hooks: list[Object]) -> Html:
    rows = [
        (
            chrome.state("live" if hook.data["status"] == "enabled" else "gone", hook.data["status"]),
            chrome.code(hook.data["endpoint"]),
            ", ".join(hook.data["events"]),
            when(hook.created_at),
        )
        for hook in hooks
    ]
    return chrome.table("Webhooks", ("State", "Endpoint", "Told of", "Made"), rows, empty="No webhook is registered.")


def _event(row: sqlite3.Row, endpoint: str, deliveries: Deliveries) -> Html:
    following = h('<p class="small">Next try: {}.</p>', when(row["next_at"])) if row["next_at"] else ""
    return h(
        "<li><details><summary>{}<b>{}</b><span class='faint clip'>{}</span><span class='push small'>{}</span>"
        "</summary>{}{}<pre>{}</pre></details></li>",
        chrome.state(GLYPHS.get(row["status"], "moving"), row["status"]),
        row["type"],
        endpoint,
        when(row["created_at"]),
        _attempts(row, deliveries),
        following,
        json.dumps(json.loads(row["payload"]), indent=2, ensure_ascii=False),
    )


def _attempts(row: sqlite3.Row, deliveries: Deliveries) -> Html:
    rows = [
        (str(attempt["http_status_code"] or "none"), when(attempt["sent_at"]), attempt["response"][:200])
        for attempt in deliveries.attempts(row["number"])
    ]
    caption = f"Attempts to deliver {row['id']}"
    return chrome.table(caption, ("Answer", "When", "What it said"), rows, empty="Not tried yet.")
