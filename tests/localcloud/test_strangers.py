"""A page of a stranger on another loopback port, in a real browser of the person who runs this machine.

Cookies ignore ports, so that page is sent Sam's cookie along with what it asks: it must still read nothing, and change
nothing. PostHog's capture and configuration alone are open to every page, as they are at PostHog.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.fixtures.cloud import CloudUnderTest

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.filterwarnings("ignore::ResourceWarning")]

READ = (
    "/_cloud/", "/_cloud/ledger", "/_cloud/faults", "/_cloud/api/mail", "/_cloud/api/events", "/_cloud/mailbox",
    "/_cloud/health", "/_cloud/api/operations",
    "/neon/api/v2/projects", "/resend/emails", "/github/user/repos", "/posthog/api/projects/1/groups/",
    "/e2b/v2/sandboxes", "/anthropic/v1/models",
)  # fmt: skip
CHANGE = (
    ("/_cloud/faults", "vendor=neon&operation=*&fault=hang&probability=1"),
    ("/_cloud/api/github/accept", '{"repository": "mk0r-local/x"}'),
    ("/neon/api/v2/projects", '{"project": {"name": "mallory"}}'),
    ("/resend/emails", '{"from": "m@m.example", "to": "a@b.example", "subject": "mallory", "text": "x"}'),
    ("/resend/audiences", '{"name": "mallory"}'),
    ("/github/user/repos", '{"name": "mallory"}'),
    ("/e2b/v2/sandboxes", '{"templateID": "base"}'),
)
# Every way a page has to ask another origin; each resolves to what the page could learn.
ASK = """async ({base, path, method, body}) => {
  const text = async (options) => {
    try {
      const reply = await fetch(base + path, {method, credentials: "include", body, ...options});
      return `${reply.type} ${reply.status} ${await reply.text()}`;
    } catch (error) { return "nothing"; }
  };
  const found = {
    cors: await text({mode: "cors"}),
    opaque: await text({mode: "no-cors"}),
    json: await text({mode: "cors", headers: {"Content-Type": "application/json", "Authorization": "Bearer x"}}),
    sandbox: await text({mode: "cors", headers: {"E2b-Sandbox-Id": "i00000000000000000000"}}),
  };
  if (method !== "GET") return found;
  const loaded = (tag, set) => new Promise((done) => {
    const element = document.createElement(tag);
    element.onload = () => done("loaded");
    element.onerror = () => done("nothing");
    set(element);
    document.body.append(element);
  });
  found.img = await loaded("img", (img) => { img.src = base + path; });
  found.script = await loaded("script", (script) => { script.src = base + path; });
  return found;
}"""
CONNECT = """(url) => new Promise((done) => {
  const socket = new WebSocket(url);
  socket.onopen = () => done("opened");
  socket.onerror = () => done("nothing");
})"""
SUBMIT = """({action, fields, type}) => {
  const form = document.createElement("form");
  Object.assign(form, {action, method: "post", enctype: type, target: "_blank"});
  for (const [name, value] of fields) {
    const field = document.createElement("input");
    Object.assign(field, {name, value, type: "hidden"});
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}"""


class _Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Mallory</title><body>")

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def stranger() -> Iterator[int]:
    """The port of Mallory's page."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["localhost", "127.0.0.1"])
def page(well: CloudUnderTest, chromium: str, stranger: int, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Mallory's page, in the browser in which Sam has opened the login link."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_context().new_page()
        shown.goto(json.loads((well.var / "cloud.json").read_text())["operator_login_url"])
        assert shown.title() != "Mallory"
        shown.goto(f"http://{request.param}:{stranger}/")
        yield shown
        browser.close()


def state(cloud: CloudUnderTest) -> list[Any]:
    """All that a request could have changed."""
    return [cloud.ledger(), cloud.operator("GET", "faults"), cloud.operator("GET", "api/mail")]


def test_a_strangers_page_reads_nothing(well: CloudUnderTest, page: Page) -> None:
    for name in ("localhost", "127.0.0.1"):
        for path in READ:
            asked = {"base": f"http://{name}:{well.port}", "path": path, "method": "GET"}
            learnt = page.evaluate(ASK, asked)
            opaque = learnt.pop("opaque")
            assert opaque in ("opaque 0 ", "nothing"), path
            assert set(learnt.values()) == {"nothing"}, (name, path, learnt)


def test_a_strangers_page_opens_no_socket(well: CloudUnderTest, page: Page) -> None:
    for path in ("/_cloud/", "/e2b/v2/sandboxes"):  # a few: a browser waits ever longer between failing ones
        assert page.evaluate(CONNECT, f"ws://localhost:{well.port}{path}") == "nothing"


def test_a_strangers_page_changes_nothing(well: CloudUnderTest, page: Page) -> None:
    before = state(well)
    for name in ("localhost", "127.0.0.1"):
        base = f"http://{name}:{well.port}"
        for path, body in CHANGE:
            for method in ("POST", "PUT", "DELETE"):
                learnt = page.evaluate(ASK, {"base": base, "path": path, "method": method, "body": body})
                assert set(learnt.values()) <= {"nothing", "opaque 0 "}, (name, path, learnt)
            pairs = [pair.split("=") for pair in body.split("&")] if "=" in body else [[body, ""]]
            for kind in ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
                with page.context.expect_page() as opened:
                    page.evaluate(SUBMIT, {"action": base + path, "fields": pairs, "type": kind})
                opened.value.wait_for_load_state()
                opened.value.close()
    assert state(well) == before


def test_a_strangers_frame_shows_no_page_of_the_operator(well: CloudUnderTest, page: Page) -> None:
    page.evaluate(
        "(src) => new Promise((done) => { const frame = document.createElement('iframe'); frame.src = src;"
        " frame.onload = done; document.body.append(frame); })",
        f"http://localhost:{well.port}/_cloud/",
    )
    assert "Databases" not in page.frames[1].content()
    assert page.evaluate("() => { try { return frames[0].document.title } catch (error) { return error.name } }") in (
        "SecurityError",
        "",
    )


def test_what_posthog_gives_to_every_page_holds_no_secret(well: CloudUnderTest, page: Page) -> None:
    public = well.keys["posthog"]
    for path in (f"/posthog/array/{public}/config", f"/posthog/flags/?v=2&token={public}"):
        asked = {"base": f"http://localhost:{well.port}", "path": path, "method": "GET"}
        learnt = page.evaluate(ASK, asked)["cors"]
        assert learnt.startswith("cors 200"), learnt
        for name, key in well.keys.items():
            assert name == "posthog" or key not in learnt
        assert well.info["operator_key"] not in learnt
        assert well.info["posthog_personal_key"] not in learnt
