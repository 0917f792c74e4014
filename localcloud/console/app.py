"""Routes of `/_cloud/` for people, and of the JSON that tests and tools read."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.console import databases, door, events, faults, limits, mailbox, overview, repositories, webhooks
from localcloud.console.door import private

STATIC = Path(__file__).parent / "static"
STATIC_TYPES = {"console.css": "text/css", "console.js": "text/javascript"}


def setup(app: web.Application, _cloud: Cloud) -> None:
    """Add the pages."""
    router = app.router
    router.add_get("/_cloud", _to_overview)
    router.add_get("/_cloud/login", door.login)
    router.add_get("/_cloud/static/{name}", static)
    for path, handler in (
        ("", overview.overview),
        ("ledger", overview.ledger),
        ("databases", databases.listing),
        ("databases/{project}", databases.one),
        ("mailbox", mailbox.listing),
        ("mailbox/{id}", mailbox.one),
        ("mailbox/{id}/html", mailbox.html),
        ("mailbox/{id}/attachments/{number}", mailbox.attachment),
        ("webhooks", webhooks.listing),
        ("repositories", repositories.listing),
        ("repositories/{owner}/{name}", repositories.one),
        ("repositories/{owner}/{name}/file", repositories.file),
        ("events", events.listing),
        ("sandboxes", overview.sandboxes),
        ("faults", faults.page),
        ("limits", limits.page),
    ):
        router.add_get(f"/_cloud/{path}", private(handler))
    router.add_post("/_cloud/faults", private(faults.change))
    router.add_get("/_cloud/api/mail", private(mailbox.as_json))
    router.add_get("/_cloud/api/mail/{id}", private(mailbox.one_as_json))
    router.add_get("/_cloud/api/events", private(events.as_json))
    router.add_get("/_cloud/api/operations", private(overview.operations))
    router.add_get("/_cloud/api/routes", private(overview.all_routes))


async def _to_overview(_request: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/_cloud/")


async def static(request: web.Request) -> web.StreamResponse:
    """Our own style and script; nothing else is served from here."""
    kind = STATIC_TYPES.get(request.match_info["name"])
    if kind is None:
        raise web.HTTPNotFound
    text = (STATIC / request.match_info["name"]).read_text()
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return web.Response(text=text, content_type=kind, headers=headers)
