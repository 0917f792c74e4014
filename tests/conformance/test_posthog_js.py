"""PostHog as its browser client sees it: a page on loopback with posthog-js, driven in a Chromium."""

from __future__ import annotations

import functools
import http.server
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from tests.conformance.conftest import Exercised
from tests.conformance.stats import arrived, private, rows
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.packages import packages

pytestmark = [pytest.mark.client("posthog", "posthog-js in Chromium"), pytest.mark.browser]

# The page's client does not mind that a program drives the browser.
PAGE = b"""<!doctype html><meta charset="utf-8"><title>Tool library</title><button id="lend">Lend</button>
<script type="module">
import posthog from '/module.mjs'
window.start = (key, options) => { posthog.init(key, { ...options, defaults: '2025-11-30', disable_surveys: true,
  disable_session_recording: true, opt_out_useragent_filter: true }); window.posthog = posthog }
window.ready = true
</script>"""
NOTE_BEACONS = """const send = navigator.sendBeacon.bind(navigator)
navigator.sendBeacon = (url, body) => {
  localStorage.setItem('beacons', `${localStorage.getItem('beacons') ?? ''} ${url}`)
  return send(url, body)
}"""
OURS = "WHERE properties.$groups.app = {g}"


class _Pages(http.server.SimpleHTTPRequestHandler):
    """The page at every path that names no file, and the client as it was published."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}  # noqa: RUF012

    def do_GET(self) -> None:
        if "." in self.path:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    directory = packages() / "node_modules" / "posthog-js" / "dist"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Pages, directory=str(directory)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")  # its event loop must be gone before the next module's own
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def group() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


class Visit:
    """One page with the client started, and every request it made to the vendor."""

    def __init__(self, page: Page, cloud: CloudUnderTest, requests: list[Request]) -> None:
        self.page, self._cloud, self.requests = page, cloud, requests

    def start(self, site: str, **options: Any) -> Visit:
        self.page.goto(f"{site}/shelf")
        self.page.wait_for_function("window.ready")
        host = {"api_host": f"{self._cloud.base_url}/posthog"}
        self.page.evaluate("([key, options]) => start(key, options)", [self._cloud.keys["posthog"], host | options])
        return self

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the client."""
        return self.page.evaluate("([method, given]) => posthog[method](...given)", [method, list(arguments)])

    def sent(self, *paths: str) -> list[Request]:
        """The requests so far to any of these paths."""
        self.page.evaluate("0")  # what the browser did meanwhile is heard of while it is spoken to
        return [one for one in self.requests if any(f"/posthog{path}" in one.url for path in paths)]


@pytest.fixture
def visit(browser: Browser, well: CloudUnderTest) -> Iterator[Callable[[], Visit]]:
    """Makes visits, each of a browser without a past. An error in a page fails the test at its end."""
    errors: list[str] = []
    contexts = []

    def make() -> Visit:
        context = browser.new_context()
        contexts.append(context)
        page = context.new_page()
        requests: list[Request] = []
        page.on("request", lambda request: requests.append(request))
        page.on("pageerror", lambda error: errors.append(str(error)))
        return Visit(page, well, requests)

    yield make
    for context in contexts:
        context.close()
    assert not errors


def test_a_visitor_who_signs_in_is_one_person(
    well: CloudUnderTest, site: str, visit: Callable[[], Visit], group: str, exercised: Exercised
) -> None:
    visitor, ada = visit().start(site, person_profiles="always", capture_pageview=False), f"{group}-ada"
    visitor.call("group", "app", group, {"name": "Tool library"})
    visitor.call("capture", "looked", {"shelf": 3})
    anonymous = visitor.call("get_distinct_id")
    visitor.call("identify", ada, {"plan": "free"}, {"first": "today"})
    visitor.call("capture", "lent", {"tool": "saw"})
    arrived(well, group, {"looked": 1, "$identify": 1, "lent": 1, "$groupidentify": 1})
    exercised("capture")
    text = f"SELECT count(DISTINCT distinct_id), uniq(person_id) FROM events {OURS} AND event IN ('looked', 'lent')"
    assert rows(well, text, g=group) == [[2, 1]]
    (person,) = private(well, f"/persons/?distinct_id={anonymous}").json()["results"]
    assert (set(person["distinct_ids"]), person["is_identified"]) == ({anonymous, ada}, True)
    assert person["properties"] | {"plan": "free", "first": "today"} == person["properties"]
    exercised("identify")
    text = "SELECT properties.name FROM groups WHERE key = {g}"
    assert rows(well, text, g=group) == [["Tool library"]]
    exercised("group")
    visitor.call("reset")
    visitor.call("group", "app", group)
    visitor.call("capture", "came back")
    arrived(well, group, {"looked": 1, "$identify": 1, "lent": 1, "$groupidentify": 2, "came back": 1})
    text = f"SELECT uniq(person_id) FROM events {OURS} AND event IN ('lent', 'came back')"
    assert rows(well, text, g=group) == [[2]]
    exercised("reset")


def test_flags_are_asked_for_and_there_are_none(
    site: str, visit: Callable[[], Visit], group: str, exercised: Exercised
) -> None:
    visitor = visit().start(site)
    visitor.call("identify", group)
    heard = visitor.page.evaluate("() => new Promise((go) => posthog.onFeatureFlags((flags) => go(flags)))")
    assert heard == []
    assert not visitor.call("isFeatureEnabled", "beta")
    asked = visitor.sent("/flags/")
    answers = [found for one in asked if (found := one.response())]
    assert answers
    assert {answer.status for answer in answers} == {200}
    exercised("feature flags")


def test_events_go_out_in_batches(
    well: CloudUnderTest, site: str, visit: Callable[[], Visit], group: str, exercised: Exercised
) -> None:
    visitor = visit().start(site, capture_pageview=False)
    visitor.call("register", {"$groups": {"app": group}})
    before = len(visitor.sent("/e/", "/i/v0/e/"))
    visitor.page.evaluate("for (let number = 0; number < 25; number += 1) posthog.capture('lent', { number })")
    arrived(well, group, {"lent": 25})
    batches = visitor.sent("/e/", "/i/v0/e/")[before:]
    assert 1 <= len(batches) <= 3
    assert {one.method for one in batches} == {"POST"}
    assert rows(well, f"SELECT sum(properties.number) FROM events {OURS}", g=group) == [[300]]
    exercised("batching")


def test_what_is_pending_leaves_with_the_page(
    well: CloudUnderTest, site: str, visit: Callable[[], Visit], group: str, exercised: Exercised
) -> None:
    visitor = visit()
    visitor.page.add_init_script(NOTE_BEACONS)
    own = {"capture_pageview": False, "capture_pageleave": True}  # by itself it may miss the group
    visitor.start(site, request_queue_config={"flush_interval_ms": 5000}, **own)
    visitor.call("register", {"$groups": {"app": group}})
    visitor.call("capture", "left in a hurry")
    visitor.page.goto(f"{site}/elsewhere")
    arrived(well, group, {"left in a hurry": 1, "$pageleave": 1})
    beacons = str(visitor.page.evaluate("localStorage.getItem('beacons')")).split()
    assert beacons
    assert all(one.startswith(f"{well.base_url}/posthog/") for one in beacons)
    exercised("sendBeacon on leaving")


def test_clicks_and_views_are_captured_by_themselves_and_not_from_who_opted_out(
    well: CloudUnderTest, site: str, visit: Callable[[], Visit], group: str, exercised: Exercised
) -> None:
    visitor = visit().start(site, capture_pageview=False)
    visitor.call("register", {"$groups": {"app": group}})
    visitor.call("capture", "$pageview")
    visitor.page.wait_for_function("posthog.autocapture?.isEnabled")
    visitor.page.click("#lend")
    arrived(well, group, {"$pageview": 1, "$autocapture": 1})
    text = f"SELECT properties.$pathname FROM events {OURS} AND event = '$pageview'"
    assert rows(well, text, g=group) == [["/shelf"]]
    exercised("autocapture")
    visitor.call("opt_out_capturing")
    before = len(visitor.sent("/e/", "/i/v0/e/"))
    visitor.call("capture", "unseen")
    visitor.page.goto("about:blank")
    visitor.page.wait_for_timeout(500)
    assert len(visitor.sent("/e/", "/i/v0/e/")) == before
    assert rows(well, f"SELECT count() FROM events {OURS} AND event = 'unseen'", g=group) == [[0]]
    exercised("opt_out_capturing")
