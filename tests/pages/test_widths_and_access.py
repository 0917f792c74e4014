"""Phone and desk, light and dark: nothing scrolls sideways, and an automated check finds nothing serious."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.pages.steps import begun, ended

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def _serious(page: Page) -> list[str]:
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    found = Axe().run(page, options={**options, "iframes": False})
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def _sideways(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_home(visitor: Any, stage: Any, size: str, scheme: str) -> None:
    page = visitor(**(PHONE if size == "phone" else {}), color_scheme=scheme, reduced_motion="reduce").page()
    page.wait_for_selector("#home-live[data-live]")
    assert _serious(page) == []
    stage.ask("legs", failing=["resend"], delays={"neon": 30}, preview="")
    page.fill("#sentence", "A poll")
    expect(page.locator('.chip[data-state="failed"]')).to_be_visible()
    assert _serious(page) == []
    assert _sideways(page) <= 0


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_builder(visitor: Any, stage: Any, size: str, scheme: str) -> None:
    stage.ask("legs", failing=["resend"], preview=stage.preview)
    scene = stage.session()
    stage.play(scene, *begun(1), *ended(1, version=1), *begun(2, "w" * 300))
    page = visitor(scene, **(PHONE if size == "phone" else {}), color_scheme=scheme, reduced_motion="reduce").page(
        f"/s/{scene['slug']}"
    )
    expect(page.locator(".proof")).to_be_attached()
    page.evaluate("document.querySelectorAll('details.tool, details.fold').forEach((one) => { one.open = true })")
    found = _serious(page)
    sideways = _sideways(page)
    for place in ("#panel", "#backend", "#versions"):
        page.evaluate("(place) => { location.hash = place }", place)
        tab = place.replace("panel", "preview")
        expect(page.locator(f"#tab-{tab[1:]}")).to_have_attribute("aria-selected", "true")
        found += _serious(page)
        sideways = max(sideways, _sideways(page))
    assert found == []
    assert sideways <= 0


def test_a_phone_shows_one_pane_and_keeps_it_over_a_reload(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page = visitor(scene, **PHONE).page(f"/s/{scene['slug']}")
    expect(page.locator(".chat")).to_be_visible()
    expect(page.locator("#app-frame")).not_to_be_visible()
    page.get_by_role("navigation", name="Panes").get_by_text("App").click()
    expect(page.locator("#app-frame")).to_be_visible()
    expect(page.locator(".chat")).not_to_be_visible()
    page.reload()
    expect(page.locator("#app-frame")).to_be_visible()
    page.go_back()
    expect(page.locator(".chat")).to_be_visible()


def test_whoever_asked_for_less_motion_gets_none(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1))
    page = visitor(scene, reduced_motion="reduce").page(f"/s/{scene['slug']}")
    expect(page.locator(".run .arc")).to_be_visible()
    assert page.locator(".run .arc").evaluate("(arc) => getComputedStyle(arc).animationName") == "none"


def test_below_1200_the_versions_are_a_sheet_that_escape_closes(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1), *ended(1, version=1))
    page = visitor(scene, viewport={"width": 1000, "height": 800}).page(f"/s/{scene['slug']}")
    page.get_by_role("button", name="all versions").click()
    expect(page.locator(".rail")).to_have_css("position", "fixed")
    page.keyboard.press("Escape")
    expect(page.locator(".rail")).to_have_count(0)
