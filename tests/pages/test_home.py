"""The home page: nothing begins by itself, the first keystroke begins it, and building leads into the builder."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.pages.line import Line
from tests.pages.steps import begun, ended

pytestmark = pytest.mark.browser


def _ready(page: Page) -> Page:
    page.wait_for_selector("#home-live[data-live]")
    return page


def test_five_chips_wait_and_nothing_begins_until_a_key(visitor: Any, stage: Any) -> None:
    page = _ready(visitor().page())
    expect(page.locator(".chip")).to_have_count(5)
    expect(page.locator('.chip[data-state="none"]')).to_have_count(5)
    expect(page.locator(".chip .where").first).to_have_text("local")
    expect(page.locator(".fall")).to_have_count(0)
    expect(page.locator("#sentence")).to_be_focused()


def test_typing_moves_each_chip_at_its_own_time(visitor: Any, stage: Any) -> None:
    stage.ask("legs", delays={"github": 0.2, "resend": 1, "e2b": 2.4, "neon": 4}, preview=stage.preview)
    page = _ready(visitor().page())
    page.evaluate("""() => {
      window.seen = {}
      const look = () => document.querySelectorAll('.chip[data-state="ready"]').forEach((chip) => {
        window.seen[chip.dataset.provider] ??= performance.now()
      })
      new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true})
    }""")
    page.locator("#sentence").press_sequentially("A poll", delay=20)
    expect(page.locator('.chip[data-provider="neon"][data-state="creating"]')).to_be_visible()
    expect(page.locator(".bar-moving").first).to_be_visible()
    expect(page.locator('.chip[data-state="ready"]')).to_have_count(5)
    seen = page.evaluate("window.seen")
    order = sorted(seen, key=seen.get)
    assert order == ["posthog", "github", "resend", "e2b", "neon"]
    assert seen["neon"] - seen["github"] > 1000
    expect(page.locator(".ask-sum")).to_contain_text("5 of 5 live in")


def test_build_becomes_the_builder_without_loading_a_page(visitor: Any, stage: Any) -> None:
    page = _ready(visitor().page())
    page.evaluate("window.kept = true")
    page.fill("#sentence", "A tool library for our street")
    page.locator("#sentence").press("Control+Enter")
    expect(page.locator(".turn[data-turn] .said")).to_have_text("A tool library for our street")
    assert re.search(r"/s/[a-z0-9]{12}$", page.url)
    assert page.evaluate("window.kept") is True
    page.reload()
    expect(page.locator(".turn .said")).to_have_text("A tool library for our street")
    page.goto(stage.base)
    expect(_ready(page).locator(".app b")).to_have_text("A tool library for our street")
    expect(page.locator("#sentence")).to_have_value("")


def test_a_draft_survives_a_reload_and_an_example_fills_the_box(visitor: Any) -> None:
    page = _ready(visitor().page())
    page.fill("#sentence", "A half-written wi")
    page.reload()
    expect(_ready(page).locator("#sentence")).to_have_value("A half-written wi")
    page.locator(".tries button").first.click()
    expect(page.locator("#sentence")).to_have_value(re.compile(".{40}"))
    expect(page.locator(".fall-row[data-provider]")).to_have_count(5)


def test_two_tabs_begin_one_session(visitor: Any) -> None:
    ada = visitor()
    one, two = _ready(ada.page()), _ready(ada.page())
    one.fill("#sentence", "A")
    two.fill("#sentence", "B")
    for page in (one, two):
        expect(page.locator('.chip[data-state="ready"]')).to_have_count(5)
    two.locator("#sentence").press("Control+Enter")
    two.wait_for_url("**/s/*")
    slug = two.url.rsplit("/", 1)[1]
    expect(two.locator(".turn[data-turn] .said")).to_have_text("B")
    one.reload()
    expect(one.locator(f'.app[href="/s/{slug}"]')).to_be_visible()


def test_without_cookies_the_page_says_so_and_keeps_the_text(visitor: Any) -> None:
    ada = visitor()
    page = _ready(ada.page())
    # What a browser without cookies comes down to: the socket is opened with none.
    ada.context.clear_cookies()
    with page.expect_websocket():
        page.context.set_offline(True)
        page.context.set_offline(False)
    page.fill("#sentence", "A poll for lunch")
    expect(page.locator('.ask .note[role="alert"]')).to_contain_text("Allow cookies")
    expect(page.locator("#sentence")).to_have_value("A poll for lunch")


def test_a_network_that_has_begun_enough_is_told_until_when_and_build_asks_again(visitor: Any, stage: Any) -> None:
    stage.ask("rules", per_network="1/h")
    first = _ready(visitor().page())
    first.fill("#sentence", "A poll")
    expect(first.locator('.chip[data-state="ready"]')).to_have_count(5)
    page = _ready(visitor().page())
    page.fill("#sentence", "A poll for")
    told = page.locator('.ask .note[role="alert"]')
    expect(told).to_contain_text("Your network has begun 1 app within one hour")
    expect(told).to_contain_text("in 60 minutes")
    page.locator("#sentence").press_sequentially(" lunch")
    expect(told).to_contain_text("Your network")
    page.locator("#sentence").press("Control+Enter")
    expect(page.get_by_role("button", name="Build")).to_be_visible()
    expect(told).to_contain_text("Your network")
    expect(page.locator("#sentence")).to_have_value("A poll for lunch")
    stage.ask("rules")
    page.locator("#sentence").press("Control+Enter")
    page.wait_for_url("**/s/*")
    expect(page.locator(".turn .said")).to_have_text("A poll for lunch")


def test_a_beginning_that_the_line_lost_is_asked_for_again(visitor: Any) -> None:
    ada = visitor()
    page = ada.context.new_page()
    lines: list[WebSocketRoute] = []

    def line(here: WebSocketRoute) -> None:
        lines.append(here)
        there = here.connect_to_server()
        if len(lines) == 1:  # what is said on the first is heard by nobody, and then it breaks
            here.on_message(lambda _: here.close(code=1011))
        else:
            here.on_message(there.send)

    page.route_web_socket("**/ws/session/**", line)
    page.goto(ada.base)
    _ready(page).fill("#sentence", "A poll for lunch")
    expect(page.locator('.chip[data-state="ready"]')).to_have_count(5)
    assert len(lines) > 1


def test_a_tab_whose_session_another_tab_built_in_builds_in_one_of_its_own(visitor: Any) -> None:
    ada = visitor()
    one, two = _ready(ada.page()), _ready(ada.page())
    one.fill("#sentence", "A poll")
    two.fill("#sentence", "A shelf")
    for page in (one, two):
        expect(page.locator('.chip[data-state="ready"]')).to_have_count(5)
    two.locator("#sentence").press("Control+Enter")
    two.wait_for_url("**/s/*")
    expect(one.locator('.chip[data-state="none"]')).to_have_count(5)
    one.locator("#sentence").press("Control+Enter")
    one.wait_for_url("**/s/*")
    expect(one.locator(".turn .said")).to_have_text("A poll")
    assert one.url != two.url


def test_a_session_that_ended_while_the_line_was_down_is_followed_by_another(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page = visitor(scene).context.new_page()
    line = Line(page)
    page.goto(stage.base)
    _ready(page).fill("#sentence", "A poll for lunch")
    expect(page.locator('.chip[data-state="ready"]')).to_have_count(5)
    line.cut()
    expect(page.locator(".line-status")).to_contain_text("Reconnecting")
    page.locator("#sentence").press("Control+Enter")
    expect(page.locator("#sentence-note")).to_contain_text("goes on as soon as the line is up")
    stage.ask("end", slug=scene["slug"])
    line.mend()
    page.wait_for_url("**/s/*")
    expect(page.locator(".turn .said")).to_have_text("A poll for lunch")
    assert scene["slug"] not in page.url


def test_a_beginning_lost_beside_an_app_that_is_open_is_asked_for_again(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1), *ended(1, version=1))
    page = visitor(scene).context.new_page()
    lines: list[WebSocketRoute] = []

    def line(here: WebSocketRoute) -> None:
        lines.append(here)
        there = here.connect_to_server()
        if len(lines) == 1:
            here.on_message(lambda _: here.close(code=1011))
        else:
            here.on_message(there.send)

    page.route_web_socket("**/ws/session/**", line)
    page.goto(stage.base)
    _ready(page).fill("#sentence", "A poll for lunch")
    expect(page.locator('.chip[data-state="ready"]')).to_have_count(5)


def test_back_and_forward_lead_to_the_page_that_the_address_names(visitor: Any) -> None:
    page = _ready(visitor().page())
    page.fill("#sentence", "A poll for lunch")
    page.locator("#sentence").press("Control+Enter")
    expect(page.locator('.turn[data-turn="1"]')).to_contain_text("A poll for lunch")
    page.go_back()
    expect(_ready(page).locator(".app b")).to_have_text("A poll for lunch")
    page.go_forward()
    expect(page.locator(".turn .said")).to_have_text("A poll for lunch")


def test_without_script_the_page_says_what_it_needs(visitor: Any) -> None:
    page = visitor(java_script_enabled=False).page()
    expect(page.locator(".chip")).to_have_count(5)
    assert "<b>mk0r needs JavaScript.</b>" in page.content()


def test_a_leg_that_queues_says_for_how_long_and_a_reload_says_the_same(visitor: Any, stage: Any) -> None:
    stage.ask("legs", queued={"github": 75}, preview=stage.preview)
    page = _ready(visitor().page())
    page.locator("#sentence").press_sequentially("A poll", delay=20)
    chip = page.locator('.chip[data-provider="github"]')
    expect(chip).to_contain_text("queued")
    expect(page.locator('.chip[data-state="ready"]')).to_have_count(4)
    line = page.locator('.fall-row[data-provider="github"] .fall-wait')
    expect(line).to_contain_text(re.compile(r"Queued, about (1 min \d\d|\d\d) s: GitHub takes only so many at a time"))
    before = line.inner_text()
    expect(line).not_to_have_text(before)  # it counts down
    page.reload()
    expect(_ready(page).locator('.fall-row[data-provider="github"] .fall-wait')).to_contain_text("Queued, about")
