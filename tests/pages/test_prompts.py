"""What a person wrote or asked for is never lost, whatever the line, the server or another tab does meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.pages.steps import begun, ended, restored

pytestmark = pytest.mark.browser

Heard = Callable[[dict[str, Any], Callable[[], None]], None]


class Wire:
    """The lines of a page to the server. `said` and `told` get each frame of the first one, and what passes it on."""

    def __init__(self, page: Page, said: Heard | None = None, told: Heard | None = None) -> None:
        self.lines: list[WebSocketRoute] = []
        self._said, self._told = said, told
        page.route_web_socket("**/ws/session/**", self._open)

    def _open(self, here: WebSocketRoute) -> None:
        there = here.connect_to_server()
        self.lines.append(here)
        if len(self.lines) > 1:
            return
        if (said := self._said) is not None:
            here.on_message(lambda text: said(json.loads(text), lambda: there.send(text)))
        if (told := self._told) is not None:
            there.on_message(lambda text: told(json.loads(text), lambda: here.send(text)))


def _deaf_to(kind: str) -> Heard:
    """Frames of this type get lost on their way."""
    return lambda frame, go_on: go_on() if frame["type"] != kind else None


def _opened(visitor: Any, scene: dict[str, Any], **wire: Any) -> tuple[Page, Wire]:
    ada = visitor(scene)
    page = ada.context.new_page()
    lines = Wire(page, **wire)
    page.goto(f"{ada.base}/s/{scene['slug']}")
    page.wait_for_selector("#page[data-live]")
    return page, lines


def test_a_queued_prompt_that_is_refused_joins_what_is_in_the_box(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1))
    page, _ = _opened(visitor, scene)
    page.fill("#prompt", "Sort by name")
    page.locator("#prompt").press("Control+Enter")
    page.fill("#prompt", "And with colours")
    stage.ask("rules", turns=1)
    stage.play(scene, *ended(1, version=1))
    expect(page.locator(".compose [role=alert]")).to_contain_text("All 1 turns")
    expect(page.locator("#prompt")).to_have_value("Sort by name\nAnd with colours")
    page.reload()
    expect(page.locator("#prompt")).to_have_value("Sort by name\nAnd with colours")


def test_a_queued_prompt_goes_although_the_page_knew_of_the_end_before_the_log_told(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1))
    held: list[Callable[[], None]] = []
    late = False

    def told(frame: dict[str, Any], go_on: Callable[[], None]) -> None:
        nonlocal late
        if late and "seq" in frame:
            held.append(go_on)
            return
        if frame["type"] == "notice":
            stage.play(scene, *ended(1, version=1), ("notice", {"level": "info", "text": "Said after the end."}))
            late = True
        go_on()

    page, _ = _opened(visitor, scene, told=told)
    page.fill("#prompt", "Sort by name")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".queue")).to_contain_text("Sort by name")
    stage.play(scene, ("notice", {"level": "info", "text": "Nearly there."}))
    expect(page.locator(".run")).to_have_count(0)  # the state it asked for said so
    late = False
    for go_on in held:
        go_on()
    expect(page.locator(".turn .said").nth(1)).to_have_text("Sort by name")


def test_the_turn_of_another_tab_is_not_taken_for_ones_own(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    late: list[Callable[[], None]] = []

    def said(frame: dict[str, Any], go_on: Callable[[], None]) -> None:
        if frame["type"] == "prompt":
            stage.play(scene, ("prompt", "From another tab"))
        go_on()

    def told(frame: dict[str, Any], go_on: Callable[[], None]) -> None:
        if frame["type"] == "error" and late == []:
            late.append(go_on)  # until the page has heard of the other tab's turn
            return
        go_on()
        if frame["type"] == "turn.started":
            late.append(lambda: None)
            late[0]()

    page, _ = _opened(visitor, scene, said=said, told=told)
    page.fill("#prompt", "Sort by name")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".turn[data-turn] .said")).to_have_text("From another tab")
    expect(page.locator(".compose [role=alert]")).to_contain_text("still at work")
    expect(page.locator("#prompt")).to_have_value("Sort by name")


def test_a_sentence_that_never_arrived_is_in_the_box_after_a_reload(visitor: Any, stage: Any) -> None:
    ada = visitor()
    page = ada.context.new_page()
    Wire(page, said=_deaf_to("prompt"))
    page.goto(ada.base)
    page.wait_for_selector("#home-live[data-live]")
    page.fill("#sentence", "A poll for lunch")
    page.locator("#sentence").press("Control+Enter")
    page.wait_for_url("**/s/*")
    expect(page.get_by_label("Prompt being sent")).to_contain_text("A poll for lunch")
    page.reload()
    expect(page.locator("#prompt")).to_have_value("A poll for lunch")
    expect(page.locator(".turn")).to_have_count(0)
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".turn[data-turn] .said")).to_have_text("A poll for lunch")
    expect(page.locator("#prompt")).to_have_value("")


def test_a_line_that_has_fallen_silent_is_given_up(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page, wire = _opened(visitor, scene, said=_deaf_to("prompt"))
    page.clock.install()
    page.fill("#prompt", "Sort by name")
    page.locator("#prompt").press("Control+Enter")
    page.clock.run_for(16_000)
    expect(page.locator(".compose [role=alert]")).to_contain_text("has not confirmed")
    expect(page.locator("#prompt")).to_have_value("Sort by name")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".turn[data-turn] .said")).to_have_text("Sort by name")
    assert len(wire.lines) == 2


def test_a_stop_that_the_line_lost_can_be_asked_for_again(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1))
    page, wire = _opened(visitor, scene, said=_deaf_to("cancel"))
    stop = page.get_by_role("button", name="Stop")
    stop.click()
    expect(page.locator(".run-what")).to_contain_text("Stopping")
    wire.lines[0].close(code=1011)
    expect(page.locator(".run-what")).to_contain_text("Running npm run check")
    stop.click()
    expect(page.locator(".run-what")).to_contain_text("Stopping")


def test_going_back_is_no_longer_announced_once_it_has_failed(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1), *ended(1, version=1), *begun(2, "More"), *ended(2, version=2))
    page, wire = _opened(visitor, scene, said=_deaf_to("restore"))
    page.evaluate("location.hash = 'versions'")
    announced = page.get_by_text("Putting the files of version 1 back")

    def go_back() -> None:
        page.get_by_role("button", name="Go to version 1", exact=True).click()
        page.locator("dialog").get_by_role("button", name="Go to version 1").click()

    go_back()
    expect(announced).to_be_visible()
    stage.play(scene, ("notice", {"level": "error", "text": "Version 1 could not be restored."}))
    expect(announced).to_have_count(0)
    go_back()
    expect(announced).to_be_visible()
    wire.lines[0].close(code=1011)  # nobody heard it
    expect(announced).to_have_count(0)


def test_going_to_what_is_there_already_announces_no_version(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1), *ended(1, version=1), *begun(2, "More"), *ended(2, version=2), restored(3, 1))
    page, _ = _opened(visitor, scene, said=_deaf_to("restore"))
    page.evaluate("location.hash = 'versions'")
    page.get_by_role("button", name="Go to version 1", exact=True).click()
    expect(page.locator("dialog")).to_contain_text("as they are saved in version 3")
    page.locator("dialog").get_by_role("button", name="Go to version 1").click()
    expect(page.locator("dialog")).not_to_be_visible()
    expect(page.get_by_text("Putting the files of version 1 back")).to_have_count(0)


def test_undo_goes_to_the_version_it_named_although_a_turn_ended_while_it_asked(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1), *ended(1, version=1), *begun(2, "More"), *ended(2, version=2))
    sent: list[dict[str, Any]] = []

    def said(frame: dict[str, Any], go_on: Callable[[], None]) -> None:
        sent.append(frame)
        go_on()

    page, _ = _opened(visitor, scene, said=said)
    page.get_by_role("button", name="Undo: go to version 1").click()
    stage.play(scene, *begun(3, "And more"), *ended(3, version=3))
    expect(page.locator('[aria-label="Undo: go to version 2"]')).to_be_attached()
    page.locator("dialog").get_by_role("button", name="Go to version 1").click()
    expect(page.locator("dialog")).not_to_be_visible()
    assert sent[-1] == {"type": "restore", "number": 1}


def test_a_frame_that_got_lost_is_asked_for_once(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page, wire = _opened(visitor, scene, told=_deaf_to("agent.text"))
    stage.play(scene, *begun(1), *ended(1, version=1))
    expect(page.locator(".prose strong")).to_have_text("add")
    expect(page.locator(".proof")).to_be_visible()
    assert len(wire.lines) == 2


def test_a_limit_that_has_passed_holds_nobody_back(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1), *ended(1, version=1))
    stage.ask("rules", turns=1)
    page, _ = _opened(visitor, scene)
    expect(page.locator("#prompt-note")).to_contain_text("All turns of the last 24 hours are used")
    page.wait_for_load_state("networkidle")  # it reads the state once more after the log
    stage.ask("rules")
    page.clock.install()
    page.fill("#prompt", "Sort by name")
    page.clock.run_for(80_000)
    expect(page.locator("#prompt-note")).not_to_contain_text("are used")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".turn[data-turn] .said").nth(1)).to_have_text("Sort by name")


def test_time_that_was_given_to_a_session_is_shown(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.ask("set", slug=scene["slug"], expires_in=400)
    page, _ = _opened(visitor, scene)
    expect(page.locator(".badge-warn")).to_contain_text("ends in 6 min")
    stage.ask("set", slug=scene["slug"], expires_in=8 * 3600)
    stage.play(scene, ("notice", {"level": "info", "text": "This app now lives longer."}))
    expect(page.get_by_text("ends in 7 h")).to_be_visible()
