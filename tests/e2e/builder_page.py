"""What a visitor does on the two pages, in words a test can use."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import FrameLocator, Page, expect

SERVICES = ("posthog", "github", "resend", "e2b", "neon")
BUILT_MS = 150_000


def home(page: Page, url: str) -> None:
    """Open the home page and wait until its script has taken it over: keys that come earlier are lost."""
    page.goto(url)
    page.locator("#home-live[data-live]").wait_for()


def build(page: Page, url: str, sentence: str) -> str:
    """Type `sentence` on the home page and press Build; returns the session's slug once the builder shows."""
    home(page, url)
    page.get_by_label("What should the app do?").press_sequentially(sentence[:12])
    page.get_by_label("What should the app do?").fill(sentence)
    page.get_by_role("button", name=re.compile("^Build")).click()
    page.wait_for_url(re.compile(r"/s/[a-z0-9]{12}"))
    return page.url.rsplit("/", 1)[1].split("#")[0]


def wait_for_version(page: Page, number: int) -> None:
    """Wait until version `number` is the current one."""
    expect(page.get_by_text(re.compile(rf"\bVersion {number}\b")).first).to_be_visible(timeout=BUILT_MS)


def app(page: Page) -> FrameLocator:
    """The built app inside its frame."""
    return page.frame_locator("iframe")


def until(fetch: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Ask again and again until `fetch` gives something; the page's CSP forbids a condition evaluated in it."""
    deadline = time.monotonic() + seconds
    while not (found := fetch()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.2)
    return found
