"""A whole installation, and a browser that looks at it as a visitor would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from tests.fixtures.installation import Installation, run_installation

NewPage = Callable[..., Page]
expect.set_options(timeout=30_000)  # milliseconds; a busy machine is no fault of the page


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """All of mk0r, started by `manage.py up`."""
    with run_installation(tmp_path_factory.mktemp("installation")) as running:
        yield running


@pytest.fixture(scope="session")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own for tests that mistreat it: three seconds for a leg, no patience with a model."""
    deadlines = {f"{vendor}_DEADLINE": "3" for vendor in ("NEON", "RESEND", "GITHUB", "E2B")}
    patience = {"MK0R_AGENT_RETRIES": "0", "MK0R_MODEL_SILENCE": "5"}
    with run_installation(tmp_path_factory.mktemp("hasty"), **patience, **deadlines) as running:
        yield running


@pytest.fixture(scope="module")  # its event loop must be gone before the next module's own
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync", "--disable-gpu"],
        )  # fmt: skip
        yield running
        running.close()


@pytest.fixture
def visitor(browser: Browser, product: Installation, tmp_path: Path) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser contexts, each a visitor with cookies of its own; errors on our own pages fail the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def hear(error: Error) -> None:
        """An app in its frame may break for a moment: its dev server starts anew under it with each new `.env`."""
        if "//5173-" not in (error.stack or ""):
            complaints.append(str(error))

    def arrive(width: int = 1440, height: int = 900, *, scheme: str = "light") -> BrowserContext:
        context = browser.new_context(
            base_url=product.url,
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        context.on("weberror", lambda heard: hear(heard.error))
        contexts.append(context)
        return context

    yield arrive
    for number, context in enumerate(contexts):
        for page in context.pages:
            page.screenshot(path=tmp_path / f"last-{number}.png")
        context.close()
    assert complaints == []
