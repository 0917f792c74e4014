"""The console in a browser, for tests that look at it or use it: a web process, Chromium, and what no page may have."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from embedded.ports import free_port
from tests.fixtures.cloud import ROOT

SHOTS = os.environ.get("MK0R_SHOTS", "")  # a folder that gets a picture of each page, for whoever works on the look
SIZES = {"desk": (1280, 900), "tablet": (820, 1100), "phone": (390, 844)}
PATIENCE = 30_000  # milliseconds; a busy machine is no fault of the page
_START_SECONDS = 90
# Vendors that nobody asks: keys for all, and addresses that are this machine's where a real one would refuse the start.
_NOBODY = {
    "NEON_API_KEY": "k", "RESEND_API_KEY": "k", "GITHUB_TOKEN": "k", "E2B_API_KEY": "k", "POSTHOG_PROJECT_KEY": "k",
    "E2B_API_URL": "http://127.0.0.1:1", "E2B_SANDBOX_URL": "http://127.0.0.1:1",
}  # fmt: skip
# Drawn by Django's own code: what stands in its forms for accounts beside our fields.
_DJANGOS = {"exclude": [[".selector"], [".datetime"]]}


@contextmanager
def web(folder: Path, **environment: str) -> Iterator[str]:
    """Address of a web process of the product's own on the test's database, until the block ends.

    `environment` adds to its settings; without vendors among them it knows only such as nobody asks.
    """
    port, told = free_port(), connection.settings_dict
    database = f"postgres://{told['USER']}:{told['PASSWORD']}@{told['HOST']}:{told['PORT']}/{told['NAME']}"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MK0R_", "DJANGO_"))}
    own = {
        "DATABASE_URL": database, "SECRET_KEY": settings.SECRET_KEY, "MK0R_PORT": str(port), "MK0R_VAR": str(folder),
        "MK0R_ENCRYPTION_KEYS": settings.MK0R_ENCRYPTION_KEYS, "PUBLIC_URL": f"http://localhost:{port}",
        "MK0R_DAILY_USD": "120",
    }  # fmt: skip
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "web"], cwd=ROOT, env=inherited | _NOBODY | own | environment,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait(process, f"http://localhost:{port}/admin/login/", folder / "web.log")
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < until, "the web process does not answer"
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return


@contextmanager
def chromium_at(path: str) -> Iterator[Browser]:
    """Chromium; its driver has a loop of its own in this thread, which Django's checks take for ours."""
    kept = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            expect.set_options(timeout=PATIENCE)
            yield browser
            browser.close()
    finally:
        if kept is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def key_of(user: User) -> str:
    """The cookie of a browser in which that account is signed in."""
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


class Seat:
    """One browser of one person. What it complains of, a script's error or a refusal of the policy, is in `said`."""

    def __init__(
        self, browser: Browser, site: str, key: str = "", *, size: str = "desk", scheme: str = "light"
    ) -> None:
        width, height = SIZES[size]
        self.name = f"{size}-{scheme}"
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            base_url=site,
            reduced_motion="reduce",
        )
        if key:
            self.context.add_cookies([{"name": "sessionid", "value": key, "url": site}])
        self.said: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def _heard(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(message.text)

    def go(self, address: str, *, status: int = 200) -> Page:
        """Open a page, which has to answer so."""
        answer = self.page.goto(address)
        assert answer is not None
        assert answer.status == status, (address, answer.status)
        return self.page

    def faults(self, name: str) -> list[str]:
        """What is wrong with the page that is shown, each line beginning with its name; a picture where wanted."""
        if SHOTS:
            self.page.screenshot(path=f"{SHOTS}/{name}-{self.name}.png", full_page=True)
        over = int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))
        found = [f"{over} px sideways"] * (over > 0) + serious(self.page) + self.said
        self.said.clear()
        return [f"{name} {self.name}: {one}" for one in found]


def serious(page: Page) -> list[str]:
    """What axe finds serious or critical."""
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "iframes": False}
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in Axe().run(page, context=_DJANGOS, options=options).response["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]
