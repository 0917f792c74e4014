"""The five legs as a visitor sees them: each live at its own time, one failing alone, and brought in by Retry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.builder_page import home, until
from tests.fixtures.installation import Installation

pytestmark = [pytest.mark.browser, pytest.mark.isolation, pytest.mark.slow]

WATCH_CHIPS = """() => {
  window.liveAt = {};
  const look = () => {
    for (const chip of document.querySelectorAll('.chip[data-state=ready]')) {
      window.liveAt[chip.dataset.provider] ??= performance.now();
    }
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


@pytest.fixture
def cloud(product: Installation) -> Iterator[Any]:
    product.cloud.clear_faults()
    yield product.cloud
    product.cloud.clear_faults()


def _state(page: Page) -> dict[str, Any]:
    return dict(
        page.evaluate("""async () => {
      const socket = new WebSocket(`ws://${location.host}/ws/session/`);
      const snapshot = await new Promise((done) => { socket.onmessage = (message) => done(JSON.parse(message.data)); });
      socket.close();
      return snapshot.session;
    }""")
    )


def test_each_chip_turns_live_at_its_own_time(
    product: Installation, cloud: Any, visitor: Callable[..., BrowserContext]
) -> None:
    delays = {
        ("resend", "create_audience"): 0.1,
        ("github", "create_repository"): 0.5,
        ("e2b", "create_sandbox"): 2.0,
        ("neon", "create_project"): 5.0,
    }
    cloud.set_faults(
        [
            {"vendor": vendor, "operation": operation, "fault": "latency", "probability": 1, "seconds": seconds}
            for (vendor, operation), seconds in delays.items()
        ]
    )
    page = visitor().new_page()
    home(page, "/")
    page.evaluate(WATCH_CHIPS)
    page.get_by_label("What should the app do?").press_sequentially("A list")
    until(lambda: len(page.evaluate("window.liveAt")) == 5, "five live chips", 40)
    live_at: dict[str, float] = page.evaluate("window.liveAt")
    order = sorted(live_at, key=live_at.__getitem__)
    assert order[0] == "posthog"
    assert order.index("github") < order.index("neon")
    assert live_at["neon"] - live_at["posthog"] > 2_500
    assert live_at["neon"] - live_at["github"] > 1_000
    legs = {leg["provider"]: leg for leg in _state(page)["resources"]}
    began = min(datetime.fromisoformat(leg["started_at"]) for leg in legs.values())
    settled = max(datetime.fromisoformat(leg["settled_at"]) for leg in legs.values())
    # Side by side, not one after another. The exact overhead is measured by bench/fanout.py, on a quiet machine.
    assert (settled - began).total_seconds() * 1000 < sum(leg["elapsed_ms"] for leg in legs.values())


def test_one_leg_fails_alone_and_retry_brings_it_in(
    product: Installation, cloud: Any, visitor: Callable[..., BrowserContext]
) -> None:
    cloud.set_faults([{"vendor": "resend", "operation": "*", "fault": "status:500", "probability": 1}])
    page = visitor().new_page()
    home(page, "/")
    page.get_by_label("What should the app do?").fill("A list of boats with a name")
    page.get_by_role("button", name=re.compile("^Build")).click()
    page.wait_for_url(re.compile(r"/s/[a-z0-9]{12}"))
    slug = page.url.rsplit("/", 1)[1].split("#")[0]
    why = page.locator('.back-why[data-provider="resend"]').first
    expect(why).to_be_visible(timeout=60_000)
    expect(why).to_contain_text("Resend")
    expect(why).to_contain_text("500")
    expect(why).to_contain_text(re.compile("mail", re.IGNORECASE))

    def names() -> list[str]:
        return list(page.request.get(f"/api/sessions/{slug}").json()["env"])

    def states() -> dict[str, str]:
        legs = page.request.get(f"/api/sessions/{slug}").json()["resources"]
        return {leg["provider"]: leg["state"] for leg in legs}

    until(lambda: set(states().values()) <= {"ready", "failed"}, "the end of every leg", 60)
    assert states() == {"posthog": "ready", "github": "ready", "resend": "failed", "e2b": "ready", "neon": "ready"}
    assert {"DATABASE_URL", "GITHUB_REPO", "VITE_POSTHOG_KEY"} <= set(names())
    assert not [name for name in names() if name.startswith("RESEND")]

    cloud.clear_faults()
    page.get_by_role("button", name="Retry Resend").first.click()
    expect(why).to_be_hidden(timeout=30_000)
    until(lambda: {"RESEND_API_KEY", "RESEND_AUDIENCE_ID"} <= set(names()), "the names of Resend in .env")
