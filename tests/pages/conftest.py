"""What the page tests share: the product's web process with a played backend, an app to preview, and browsers on it."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from embedded.postgres import Cluster

PATIENCE = 30_000  # milliseconds; a busy machine is no fault of the page
expect.set_options(timeout=PATIENCE)
APP = """<!doctype html><meta charset="utf-8"><title>Tool library</title><h1>Tool library</h1>
<button id="break">Break</button><script>
const say = (data) => parent.postMessage({source: 'mk0r-preview', ...data}, '*')
say({type: 'ready', title: document.title}); say({type: 'location', path: '/shelf?x=1'})
const broken = {type: 'error', message: '<b>no such route</b>', where: 'App.tsx:7'}
document.getElementById('break').onclick = () => say(broken)
</script>"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _App(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(APP.encode())

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def app_port() -> Iterator[int]:
    """Port of an app that a preview can show, under any name below localhost."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@dataclass
class Stage:
    """The running web process and the door that prepares scenes in it."""

    base: str
    preview: str
    process: subprocess.Popen[bytes]
    log: Path
    start: Callable[[], subprocess.Popen[bytes]]

    def ask(self, what: str, **data: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.base}/_stage/{what}", json.dumps(data).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    def session(self, **more: Any) -> dict[str, Any]:
        """A session with its cookie; every leg live unless `bare`."""
        return self.ask("session", secret=uuid.uuid4().hex, **more)

    def play(self, scene: dict[str, Any], *steps: tuple[str, Any]) -> int:
        """Append to the log; returns its last number."""
        return int(self.ask("play", slug=scene["slug"], steps=steps)["seq"])

    def wait(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                with urllib.request.urlopen(self.base, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError("the web process does not answer")

    def kill(self) -> None:
        """End the process the hard way."""
        self.process.kill()
        self.process.wait()

    def revive(self) -> None:
        """Start it again on the same port."""
        self.process = self.start()
        self.wait()


@pytest.fixture(scope="session")
def stage_process(tmp_path_factory: pytest.TempPathFactory, app_port: int) -> Iterator[Stage]:
    """One web process with a database of its own for all page tests."""
    folder = tmp_path_factory.mktemp("stage")
    cluster = Cluster(folder / "postgres", 0, {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"})
    cluster.start()
    port, vendor = free_port(), f"http://127.0.0.1:{app_port}"
    vendors = ["E2B_SANDBOX_URL", "E2B_API_URL", "POSTHOG_HOST", "GITHUB_API_URL", "RESEND_API_URL", "NEON_API_URL"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MK0R_", "DJANGO_"))} | {
        **dict.fromkeys([*vendors, "ANTHROPIC_BASE_URL"], vendor),
        "DATABASE_URL": cluster.dsn(), "SECRET_KEY": "x" * 60, "PUBLIC_URL": f"http://localhost:{port}",
        "MK0R_ENCRYPTION_KEYS": "t1:dGVzdC1vbmx5LTMyLWJ5dGVzLWtleS0wMDAwMDAwMDA=", "MK0R_PORT": str(port),
        "MK0R_VAR": str(folder),
    }  # fmt: skip

    def start() -> subprocess.Popen[bytes]:
        with (folder / "log").open("ab") as log:
            script = str(Path(__file__).with_name("stage.py"))
            return subprocess.Popen([sys.executable, script, str(port)], env=environment, stdout=log, stderr=log)

    stage = Stage(f"http://localhost:{port}", f"http://5173-app1.localhost:{app_port}/", start(), folder / "log", start)
    try:
        stage.wait()
        yield stage
    finally:
        stage.process.terminate()
        stage.process.wait(60)
        cluster.stop()


@pytest.fixture
def stage(stage_process: Stage) -> Stage:
    """The web process, with legs that settle at once, an app in the preview, and no limits."""
    stage_process.ask("rules")
    stage_process.ask("legs", delays={}, failing=[], preview=stage_process.preview)
    return stage_process


@pytest.fixture(scope="module")  # its event loop must be gone before the next module's own
def browser(chromium: str) -> Iterator[Browser]:
    """A Chromium for all page tests."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


class Visitor:
    """A browser of one person. Script errors and refusals of the content policy fail the test at its end."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context, self.base = context, base
        self.faults: list[str] = []

    def page(self, path: str = "/") -> Page:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.goto(self.base + path)
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error" and ("Content Security Policy" in text or "Error:" in text) and "WebSocket" not in text:
            self.faults.append(text)


@pytest.fixture
def visitor(browser: Browser, stage: Stage) -> Iterator[Callable[..., Visitor]]:
    """Makes browsers: `visitor(scene)` has the cookie of a scene's session; other arguments are the context's."""
    made: list[Visitor] = []

    def make(scene: dict[str, Any] | None = None, **options: Any) -> Visitor:
        settings = {"viewport": {"width": 1440, "height": 900}, **options}
        one = Visitor(browser.new_context(**settings), stage.base)
        if scene:
            one.context.add_cookies([{"name": scene["name"], "value": scene["value"], "url": stage.base}])
        made.append(one)
        return one

    yield make
    faults = [fault for one in made for fault in one.faults]
    for one in made:
        one.context.close()
    assert not faults
