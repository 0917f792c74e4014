"""A connection that goes away, for any reason, costs nothing but time."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.pages.line import Line
from tests.pages.steps import begun, ended, the_line_is_up

pytestmark = pytest.mark.browser

# What the page would do in more than two seconds it does not, until it is given `later` back.
NOT_BY_ITSELF = "window.later = setTimeout; window.setTimeout = (act, wait) => (wait > 2000 ? 0 : later(act, wait))"


def test_what_happened_meanwhile_appears_in_order(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1))
    page = visitor(scene).context.new_page()
    line = Line(page)
    page.goto(f"{stage.base}/s/{scene['slug']}")
    expect(page.locator(".run")).to_be_visible()
    line.cut()
    expect(page.locator(".line-status")).to_contain_text("Reconnecting")
    stage.play(scene, *ended(1, version=1), *begun(2, "Add a loan date"))
    page.locator("#prompt").fill("typed while away")
    line.mend()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator(".turn")).to_have_count(2)
    expect(page.locator(".proof")).to_have_count(1)
    expect(page.locator(".line-status")).to_have_count(0)
    expect(page.locator("#prompt")).to_have_value("typed while away")


def test_a_server_that_dies_and_comes_back_is_found_again(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1))
    page = visitor(scene).page(f"/s/{scene['slug']}")
    expect(page.locator(".tool")).to_have_count(2)
    stage.kill()
    expect(page.locator(".line-status")).to_contain_text("Reconnecting")
    page.locator("#prompt").fill("x")
    page.locator("#prompt").press("Escape")
    page.get_by_role("button", name="Try now").click()  # while nobody is there: later the page may have been quicker
    stage.revive()
    expect(page.locator(".line-status")).to_have_count(0, timeout=60_000)  # it waits longer from try to try
    expect(page.locator(".tool")).to_have_count(2)
    stage.play(scene, *ended(1, version=1))
    expect(page.locator(".proof")).to_be_visible()


def test_a_refused_prompt_keeps_its_text(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page = visitor(scene).page(f"/s/{scene['slug']}")
    the_line_is_up(page)
    page.locator("#prompt").fill("y" * 30_000)
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".compose [role=alert]")).to_contain_text("20,000")
    expect(page.locator("#prompt")).to_have_value("y" * 30_000)


def test_where_names_below_localhost_do_not_resolve_the_app_comes_by_a_port(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    ada = visitor(scene)
    ada.context.route("http://5173-app1.localhost:*/**", lambda route: route.abort("namenotresolved"))
    page = ada.page(f"/s/{scene['slug']}")
    expect(page.locator("#app-frame")).to_have_attribute(
        "src", re.compile(r"^http://127\.0\.0\.1:\d+/e2b/preview/app1/5173$")
    )
    expect(page.locator(".strip")).to_contain_text("Ready")
    expect(page.locator(".strip")).to_contain_text("by its own port")


def test_a_preview_nobody_reaches_says_so_and_is_tried_again(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    ada = visitor(scene)
    ada.context.add_init_script(NOT_BY_ITSELF)
    for address in ("http://5173-app1.localhost:*/**", "http://127.0.0.1:*/e2b/preview/**"):
        ada.context.route(address, lambda route: route.abort("connectionrefused"))
    page = ada.page(f"/s/{scene['slug']}")
    expect(page.get_by_text("The preview does not answer")).to_be_visible()
    page.evaluate(
        "() => { window.setTimeout = later }"
    )  # this look is a person's, and whatever follows the page's again
    ada.context.unroute_all()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".strip")).to_contain_text("Ready")
