"""The event store by group."""

from __future__ import annotations

import json
from urllib.parse import quote

from aiohttp import web

from localcloud.cloud import cloud_of
from localcloud.console import chrome
from localcloud.console.markup import h, join, when
from localcloud.posthog.app import EVENTS


async def listing(request: web.Request) -> web.Response:
    """Groups, and the newest events of all or of one."""
    events = request.app[EVENTS]
    kind, _, key = request.query.get("group", "").partition(":")
    found = events.recent(kind=kind, key=key, most=100) if key else events.recent(most=100)
    groups = chrome.table(
        "Groups",
        ("Group", "Type", "Events", "First seen"),
        [
            (
                h(
                    '<a href="?group={}">{}</a>',
                    quote(f"{row['group_type']}:{row['group_key']}", safe=":"),
                    chrome.code(row["group_key"]),
                ),
                row["group_type"],
                str(row["events"]),
                when(row["created_at"]),
            )
            for row in events.groups()[:100]
        ],
        empty="No app has named its group yet.",
    )
    rows = join(
        h(
            "<li><details><summary><b>{}</b><span class='faint clip'>{}</span><span class='push small'>{}</span>"
            "</summary><pre>{}</pre></details></li>",
            event["event"],
            str(event["properties"].get("$current_url", event["distinct_id"])),
            when(event["timestamp"]),
            json.dumps(event["properties"], indent=2, ensure_ascii=False),
        )
        for event in found
    )
    inner = h('<ul class="rows">{}</ul>', rows) if found else h('<p class="empty">No event came in yet.</p>')
    aside = h('<a href="/_cloud/events">All groups</a>') if key else "newest 100"
    title = f"Events of {key}" if key else "Events"
    body = h("{}{}", chrome.block("Groups", groups), chrome.block(title, inner, aside=aside))
    return chrome.page("events", "Events", body, lead=cloud_of(request).notes.get("posthog", ""))


async def as_json(request: web.Request) -> web.Response:
    """The newest events, of one group with `?group=<type>:<key>`, of one name with `?event=`."""
    kind, _, key = request.query.get("group", "").partition(":")
    events = request.app[EVENTS]
    found = events.recent(kind=kind, key=key, most=1000) if key else events.recent(most=1000)
    name = request.query.get("event")
    return web.json_response([event for event in found if name in (None, event["event"])])
