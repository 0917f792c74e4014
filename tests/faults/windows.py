"""The same in real Chromium windows: the page itself, reloaded, doubled, and taken offline while its legs come up."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import time
from typing import Any

from tests.faults.tab import signed
from tests.fixtures.ground import Ground

PATIENCE = 60_000  # milliseconds


def look_through_windows(ours: Ground, base: str, count: int, dice: random.Random) -> int:
    """Play `count` visitors in Chromium; 0 where none is installed, which CI does not accept."""
    program = os.environ.get("MK0R_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        assert os.environ.get("CI") != "true", "Chromium is missing in CI"
        return 0
    from playwright.sync_api import sync_playwright

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop runs in this thread; ours does not
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(count):
            _visit(ours, base, browser, dice)
        browser.close()
    return count


def _visit(ours: Ground, base: str, browser: Any, dice: random.Random) -> None:
    from playwright.sync_api import expect

    from sessions_app.models import Session
    from sessions_app.visitors import _visitor, cookie_name

    secret = secrets.token_hex(16)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    context.add_cookies([{"name": cookie_name(), "value": signed(secret), "url": f"http://{base}"}])
    one, two = context.new_page(), context.new_page()
    for page in (one, two):
        page.goto(f"http://{base}/")
        page.wait_for_selector("#home-live[data-live]")
    one.locator("#sentence").press_sequentially("A", delay=1)
    two.locator("#sentence").press_sequentially("B", delay=1)
    # A page that is left before its line is up has begun nothing, and the next begins only at another key.
    expect(one.locator('.chip[data-state="none"]')).to_have_count(0, timeout=PATIENCE)
    for _ in range(4):
        time.sleep(dice.uniform(0, 0.3))
        match dice.choice(["reload", "offline", "close"]):
            case "reload":
                one.reload()
            case "offline":
                context.set_offline(True)
                time.sleep(dice.uniform(0.2, 1))
                context.set_offline(False)
            case "close":
                two.close()
                two = context.new_page()
                two.goto(f"http://{base}/")
    for page in (one, two):
        expect(page.locator('.chip[data-state="ready"]')).to_have_count(5, timeout=PATIENCE)
    sessions = list(Session.objects.filter(visitor_hash=_visitor(secret).hash))
    assert [session.state for session in sessions] == ["open"], sessions
    states = set(sessions[0].resources.values_list("state", flat=True))
    assert states == {"ready"}, states
    assert len(ours.cloud.live(vendor="neon", name=f"mk0r-{sessions[0].slug}")) == 1
    context.close()
