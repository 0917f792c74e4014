"""The first page, the ledger, the sandboxes, and the list of operations faults can name."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from aiohttp import web

from localcloud import operator
from localcloud.cloud import Cloud, cloud_of
from localcloud.console import chrome
from localcloud.console.markup import Html, h, join, when
from localcloud.posthog.app import EVENTS
from localcloud.resend.app import MAILBOX
from localcloud.routes import by_vendor, routes

# Vendor, what it is, its icon, the kind that counts (one, many), the page that shows it.
VENDORS = {
    "posthog": ("PostHog", "analytics", "chart", "event", "events", "events"),
    "github": ("GitHub", "repositories", "repo", "repository", "repositories", "repositories"),
    "resend": ("Resend", "e-mail", "mail", "mail", "mails", "mailbox"),
    "e2b": ("E2B", "sandboxes", "box", "sandbox", "sandboxes", "sandboxes"),
    "neon": ("Neon", "databases", "db", "project", "projects", "databases"),
    "anthropic": ("Anthropic", "model", "model", "", "", ""),
}
MOST_ROWS = 500


async def overview(request: web.Request) -> web.Response:
    """One card per vendor: what stands behind it, and how much of it there is."""
    cloud = cloud_of(request)
    living = Counter((row["vendor"], row["kind"]) for row in cloud.store.ledger() if row["deleted_at"] is None)
    counts = {vendor: living[vendor, facts[3]] for vendor, facts in VENDORS.items()}
    counts["posthog"] = request.app[EVENTS].count() if EVENTS in request.app else 0
    counts["resend"] = len(request.app[MAILBOX].identities()) if MAILBOX in request.app else 0
    cards = join(_card(vendor, cloud.notes.get(vendor, ""), counts[vendor]) for vendor in VENDORS)
    rules = len(cloud.faults.rules)
    warning = (
        h(
            '<p class="strip">{} <a href="/_cloud/faults">{}</a></p>',
            chrome.state("warn", "Faults are in force."),
            f"{rules} rule{'s' if rules != 1 else ''}",
        )
        if rules
        else Html("")
    )
    mails = request.app[MAILBOX].recent(5) if MAILBOX in request.app else []
    latest = chrome.table(
        "Latest mail",
        ("To", "Subject", "When"),
        [
            (
                ", ".join(mail["to"]),
                h('<a href="/_cloud/mailbox/{}">{}</a>', mail["id"], mail["subject"]),
                when(mail["created_at"]),
            )
            for mail in mails
        ],
        empty="No mail was sent yet.",
    )
    body = h(
        '{}<dl class="cards">{}</dl>{}',
        warning,
        cards,
        chrome.block("Latest mail", latest, aside=h('<a href="/_cloud/mailbox">Mailbox</a>')),
    )
    lead = f"Six vendors on this machine, at {cloud.base_url}."
    return chrome.page("", "Overview", body, lead=lead)


def _card(vendor: str, note: str, number: int) -> Html:
    name, what, icon, one, many, page = VENDORS[vendor]
    figure = h('<dd class="big">{} <small>{}</small></dd>', number, one if number == 1 else many) if one else Html("")
    title = h("<b>{}</b> <span>{}</span>", name, what)
    linked = h('<a href="/_cloud/{}">{}</a>', page, title) if page else title
    return h('<div class="card"><dt>{}{}</dt>{}<dd class="note">{}</dd></div>', chrome.icon(icon), linked, figure, note)


async def ledger(request: web.Request) -> web.Response:
    """Every object ever made: JSON for programs, the newest of it for people."""
    rows = cloud_of(request).store.ledger()
    if operator.by_key(request):
        return web.json_response(rows)
    alive = sum(row["deleted_at"] is None for row in rows)
    listed = chrome.table(
        "Objects",
        ("State", "Vendor", "Kind", "Name", "Id", "Made", "Deleted"),
        [
            (
                chrome.state("live", "live") if row["deleted_at"] is None else chrome.state("gone", "gone"),
                row["vendor"],
                row["kind"],
                chrome.code(row["name"]),
                chrome.code(row["id"]),
                when(row["created_at"]),
                when(row["deleted_at"]) if row["deleted_at"] else "",
            )
            for row in rows[::-1][:MOST_ROWS]
        ],
        empty="Nothing was made yet.",
    )
    lead = f"{len(rows)} objects were made, {alive} live. The newest {MOST_ROWS} are shown."
    return chrome.page("ledger", "Ledger", chrome.block("Objects", listed), lead=lead)


async def sandboxes(request: web.Request) -> web.Response:
    """The sandboxes that live, with a way to their preview."""
    cloud = cloud_of(request)
    from localcloud.e2b.keys import SANDBOXES  # late: the console works when this stand-in cannot be loaded

    living = {box.id: box.state for box in request.app[SANDBOXES].all()} if SANDBOXES in request.app else {}
    rows = [
        (
            chrome.state("live", "running")
            if living.get(item.id) == "running"
            else chrome.state("gone", living.get(item.id, "gone")),
            chrome.code(item.name),
            chrome.code(item.id),
            when(item.created_at),
            h(
                '<a href="http://5173-{}.localhost:{}/" target="_blank" rel="noopener noreferrer">Preview</a>',
                item.id,
                cloud.config.port,
            ),
        )
        for item in cloud.store.all("e2b", "sandbox")[::-1]
    ]
    listed = chrome.table(
        "Sandboxes", ("State", "Name", "Id", "Started", "Port 5173"), rows, empty="No sandbox lives now."
    )
    kept = chrome.block("Templates and snapshots", _templates(cloud))
    body = join((chrome.block("Living", listed), kept))
    return chrome.page("sandboxes", "Sandboxes", body, lead=cloud.notes.get("e2b", ""))


def _templates(cloud: Cloud) -> Html:
    """What was built or kept here, newest first: each tag of it, or how its newest build stands."""
    rows: list[tuple[Html | str, ...]] = []
    for item in cloud.store.all("e2b", "template")[::-1]:
        template = item.data["template"]
        builds = list(template["builds"].values())
        newest = builds[-1]
        state = "live" if newest["status"] == "ready" else "gone"
        rows.append(
            (
                chrome.state(state, newest["status"]),
                chrome.code(item.name),
                "snapshot" if newest["source"] else "template",
                ", ".join(template["tags"]) or "–",
                when(newest["created_at"]),
            )
        )
    return chrome.table("Templates", ("State", "Name", "Kind", "Tags", "Since"), rows, empty="None was made here.")


async def operations(request: web.Request) -> web.Response:
    """Every operation a fault can name, by vendor."""
    return web.json_response(known_operations(request))


async def all_routes(request: web.Request) -> web.Response:
    """The requests that are those operations."""
    return web.json_response([asdict(route) for route in routes(request.app, cloud_of(request).routes)])


def known_operations(request: web.Request) -> dict[str, list[str]]:
    """Operations by vendor, as the handlers declare them."""
    return by_vendor(routes(request.app, cloud_of(request).routes))
