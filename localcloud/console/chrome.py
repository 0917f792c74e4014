"""What all pages share: frame, navigation, tables, glyphs, and the headers that keep them harmless."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from localcloud.console.markup import Html, h, join

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all a browser calls the origin of our own forms null
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SECTIONS = (
    ("", "Overview"),
    ("databases", "Databases"),
    ("mailbox", "Mailbox"),
    ("webhooks", "Webhooks"),
    ("repositories", "Repositories"),
    ("events", "Events"),
    ("sandboxes", "Sandboxes"),
    ("faults", "Faults"),
    ("limits", "Limits"),
    ("ledger", "Ledger"),
)
SPRITE = Html(
    '<svg class="sprite" aria-hidden="true">'
    '<symbol id="i-db" viewBox="0 0 16 16"><ellipse cx="8" cy="4" rx="5" ry="2"/>'
    '<path d="M3 4v8c0 1.1 2.2 2 5 2s5-.9 5-2V4M3 8c0 1.1 2.2 2 5 2s5-.9 5-2"/></symbol>'
    '<symbol id="i-mail" viewBox="0 0 16 16"><rect x="2" y="3.5" width="12" height="9" rx="1"/>'
    '<path d="m2.5 4.7 5.5 4 5.5-4"/></symbol>'
    '<symbol id="i-repo" viewBox="0 0 16 16"><circle cx="5" cy="3.5" r="1.5"/><circle cx="5" cy="12.5" r="1.5"/>'
    '<circle cx="11" cy="5.5" r="1.5"/><path d="M5 5v6M11 7c0 2.6-6 1.4-6 4"/></symbol>'
    '<symbol id="i-chart" viewBox="0 0 16 16"><path d="M2.5 13.5h11M4.5 11V8M8 11V4M11.5 11V6.2"/></symbol>'
    '<symbol id="i-box" viewBox="0 0 16 16">'
    '<path d="m8 2 5.5 3v6L8 14l-5.5-3V5zM2.5 5 8 8l5.5-3M8 8v6"/></symbol>'
    '<symbol id="i-model" viewBox="0 0 16 16"><rect x="2.5" y="3" width="11" height="8" rx="1.5"/>'
    '<path d="M5.5 14h5M8 11v3M5.5 6.8l1.4-1.3M9.5 8h2"/></symbol>'
    '<symbol id="s-live" viewBox="0 0 14 14"><circle cx="7" cy="7" r="6" fill="currentColor"/>'
    '<path class="cut" d="m4.3 7.2 1.9 1.9 3.6-4" fill="none"/></symbol>'
    '<symbol id="s-gone" viewBox="0 0 14 14"><circle class="stroke" cx="7" cy="7" r="5.2"/>'
    '<path class="stroke" d="M4.6 7h4.8"/></symbol>'
    '<symbol id="s-bad" viewBox="0 0 14 14"><rect x="1.2" y="1.2" width="11.6" height="11.6" rx="1.5" '
    'fill="currentColor"/><path class="cut" d="m4.7 4.7 4.6 4.6M9.3 4.7 4.7 9.3" fill="none"/></symbol>'
    '<symbol id="s-moving" viewBox="0 0 14 14"><path class="stroke" d="M7 1.8A5.2 5.2 0 1 1 1.8 7"/></symbol>'
    '<symbol id="s-warn" viewBox="0 0 14 14"><path d="M7 1.2 13.2 12.4H.8z" fill="currentColor"/>'
    '<path class="cut" d="M7 5.2v3.2M7 10.4v.01" fill="none"/></symbol>'
    "</svg>"
)


def page(section: str, title: str, body: Html, *, lead: Html | str = "", status: int = 200) -> web.Response:
    """A whole page of the section."""
    links = join(
        h('<a href="/_cloud/{}"{}>{}</a>', path, Html(' aria-current="page"' if path == section else ""), name)
        for path, name in SECTIONS
    )
    text = h(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title} · localcloud</title>'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/_cloud/static/console.css">'
        '<script type="module" src="/_cloud/static/console.js"></script></head><body>{sprite}'
        '<a class="skip" href="#main">Skip to content</a>'
        '<header class="top"><a class="logo" href="/_cloud/">localcloud</a>'
        '<nav aria-label="Sections">{links}</nav></header>'
        '<main class="wrap" id="main"><div class="head"><h1>{title}</h1><p class="dim">{lead}</p></div>'
        '<div id="live">{body}</div></main></body></html>',
        title=title,
        sprite=SPRITE,
        links=links,
        lead=lead,
        body=body,
    )
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


def bare(title: str, text: str, *, status: int) -> web.Response:
    """A page for someone who is not in."""
    body = h(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>{0} · localcloud</title>'
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/_cloud/static/console.css"></head>'
        '<body><main class="wrap alone"><h1>{0}</h1><p class="dim">{1}</p></main></body></html>',
        title,
        text,
    )
    return web.Response(text=body, status=status, content_type="text/html", headers=HEADERS)


def icon(name: str) -> Html:
    return h('<svg class="i" aria-hidden="true"><use href="#i-{}"/></svg>', name)


def state(glyph: str, word: str) -> Html:
    """A status: shape and word, then colour."""
    return h('<span class="st st-{0}"><svg aria-hidden="true"><use href="#s-{0}"/></svg> {1}</span>', glyph, word)


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Html | str]], *, empty: str) -> Html:
    """A table that scrolls by itself on a narrow screen; a sentence where there is nothing to show."""
    if not rows:
        return h('<p class="empty">{}</p>', empty)
    head = join(h('<th scope="col">{}</th>', name) for name in heads)
    body = join(h("<tr>{}</tr>", join(h("<td>{}</td>", cell) for cell in row)) for row in rows)
    return h(
        '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>",
        caption,
        head,
        body,
    )


def block(title: str, inner: Html, *, aside: Html | str = "") -> Html:
    return h(
        '<section class="sheet"><div class="sheet-head"><h2>{}</h2><span class="faint small">{}</span></div>'
        "{}</section>",
        title,
        aside,
        inner,
    )


def code(text: str) -> Html:
    return h('<code class="clip">{}</code>', text)


def fold(summary: str, inner: Html) -> Html:
    return h("<details><summary>{}</summary>{}</details>", summary, inner)
