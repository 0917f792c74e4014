"""Takes the screenshots of these documents from a real installation: `make screenshots`.

Every picture is of the product as `manage.py up` runs it, with the stand-in model building; nothing is staged but the
one leg that is told to fail.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.fixtures.installation import Installation, run_installation

FOLDER = Path(__file__).parent / "screenshots"
SENTENCE = (
    "A sign-up list for a choir: people leave a name, an e-mail address, a voice (soprano, alto, tenor or bass) "
    "and whether they can read music. Newest first, and send a mail for each one."
)
DESKTOP, PHONE = (1440, 900), (390, 844)


@contextmanager
def _page(browser: Browser, product: Installation, size: tuple[int, int], scheme: str = "light") -> Iterator[Page]:
    context = browser.new_context(
        base_url=product.url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def _shoot(page: Page, name: str) -> None:
    page.screenshot(path=FOLDER / f"{name}.png")
    sys.stdout.write(f"{name}.png\n")


def _begin(page: Page, text: str) -> None:
    page.goto("/")
    page.get_by_label("What should the app do?").press_sequentially(text[:24], delay=12)


def _build(page: Page, text: str) -> None:
    _begin(page, text)
    page.get_by_label("What should the app do?").fill(text)
    page.get_by_role("button", name=re.compile("^Build")).click()
    page.wait_for_url(re.compile(r"/s/[a-z0-9]{12}"))


def _ready(page: Page) -> None:
    expect(page.locator('.turn[data-state="done"]').first).to_be_visible(timeout=120_000)
    expect(page.frame_locator("#app-frame").locator("form").first).to_be_visible(timeout=30_000)
    time.sleep(2)


def _use(page: Page) -> None:
    form = page.frame_locator("#app-frame").locator("form").first
    for field, value in (("Name", "Clara Lindqvist"), ("mail", "clara@example.org")):
        form.get_by_label(re.compile(field, re.IGNORECASE)).first.fill(value)
    form.locator("select").first.select_option(index=2)
    form.locator("button[type=submit]").first.click()
    time.sleep(2)


def _home(browser: Browser, product: Installation) -> None:
    for name, size, scheme in (
        ("home", DESKTOP, "light"),
        ("home-dark", DESKTOP, "dark"),
        ("home-phone", PHONE, "light"),
    ):
        with _page(browser, product, size, scheme) as page:
            _begin(page, SENTENCE)
            page.get_by_label("What should the app do?").fill(SENTENCE)
            page.wait_for_selector(".chip[data-state=ready] >> nth=4", timeout=40_000)
            time.sleep(0.5)
            _shoot(page, name)


def _provisioning(browser: Browser, product: Installation) -> None:
    slow = {"fault": "latency", "probability": 1, "operation": "create_project", "vendor": "neon", "seconds": 3}
    product.cloud.set_faults([slow])
    with _page(browser, product, DESKTOP) as page:
        _begin(page, SENTENCE)
        page.wait_for_selector(".chip[data-state=ready] >> nth=2", timeout=40_000)
        time.sleep(0.6)
        _shoot(page, "provisioning")
    product.cloud.clear_faults()


def _failed_leg(browser: Browser, product: Installation) -> None:
    product.cloud.set_faults([{"vendor": "resend", "operation": "*", "fault": "status:500", "probability": 1}])
    with _page(browser, product, DESKTOP) as page:
        _build(page, "A list of boats: name, berth and whether it is out")
        expect(page.locator('.back-why[data-provider="resend"]').first).to_be_visible(timeout=60_000)
        time.sleep(6)
        _shoot(page, "failed-leg")
    product.cloud.clear_faults()


def _builder(browser: Browser, product: Installation) -> None:
    with _page(browser, product, DESKTOP) as page:
        _build(page, SENTENCE)
        page.wait_for_selector(".tool >> nth=6", timeout=90_000)
        _shoot(page, "building")
        _ready(page)
        _use(page)
        _shoot(page, "builder")
        page.get_by_role("tab", name=re.compile("Backend")).click()
        time.sleep(0.5)
        _shoot(page, "backend")
        page.emulate_media(color_scheme="dark")
        page.get_by_role("tab", name=re.compile("Preview")).click()
        time.sleep(1)
        _shoot(page, "builder-dark")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        page.goto(page.url.split("#")[0])
        time.sleep(2)
        _shoot(page, "builder-phone")
        page.goto(page.url.split("#")[0] + "#panel")
        time.sleep(3)
        _shoot(page, "app-phone")


def _console(browser: Browser, product: Installation) -> None:
    """The staff console, as the first member of staff finds it after a few sessions."""
    product.cloud.set_faults([{"vendor": "resend", "operation": "*", "fault": "status:429", "probability": 0.5}])
    for _ in range(6):
        httpx.post(f"{product.url}/api/sessions", timeout=20)
    time.sleep(40)
    product.cloud.clear_faults()
    with _page(browser, product, DESKTOP) as page:
        page.goto("/admin/")
        _sign_in(page, product)
        page.goto("/admin/?range=1h")
        _shoot_all(page, "staff-dashboard")
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        _shoot(page, "staff-phone")
        page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
        page.goto("/admin/sessions_app/session/")
        for box in page.locator("input[name=_selected_action]").all()[:2]:
            box.check()
        page.get_by_role("button", name="End and destroy").click()
        page.wait_for_url("**/admin/sessions_app/session/**")
        expect(page.get_by_role("heading", name=re.compile("End and destroy"))).to_be_visible()
        _shoot(page, "staff-teardown")
        page.goto("/admin/sessions_app/session/")
        page.goto(str(page.locator("a[href*='/admin/sessions/']").last.get_attribute("href")))
        _shoot_all(page, "staff-session")
        page.get_by_role("link", name="Reveal").first.click()
        page.get_by_label("Why").fill("The visitor asked what is wrong with their database.")
        _shoot(page, "staff-reveal")
        page.goto("/admin/orphans/")
        page.get_by_role("button", name="Dry run").click()
        page.get_by_role("button", name=re.compile("Sweep|Dry run|Hold")).last.click()
        time.sleep(8)
        page.goto("/admin/orphans/")
        _shoot_all(page, "staff-orphans")


def _sign_in(page: Page, product: Installation) -> None:
    told = re.search(r"Sign in as (\S+) with the one-time password (\S+)", (product.var / "up.log").read_text())
    assert told is not None
    page.get_by_label("Username").fill(told[1])
    page.get_by_label("Password").fill(told[2])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("New password:").fill("a password for pictures")
    page.get_by_label("New password confirmation").fill("a password for pictures")
    page.get_by_role("button", name="Choose it and go on").click()
    page.wait_for_url("**/admin/")


def _shoot_all(page: Page, name: str) -> None:
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    sys.stdout.write(f"{name}.png\n")


def main(only: str = "") -> None:
    """Take all of them, or those whose maker's name holds `only`."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as var,
        run_installation(Path(var), MK0R_SCRIPTED_PACE="0.5") as product,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for take in (_home, _provisioning, _failed_leg, _builder, _console):
            if only in take.__name__:
                take(browser, product)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
