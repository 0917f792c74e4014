"""The builder: the conversation as the log tells it, the preview, the backend, the versions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.pages.steps import begun, ended, restored, the_line_is_up

pytestmark = pytest.mark.browser


def test_a_running_turn_is_shown_as_it_happens(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page = visitor(scene).page(f"/s/{scene['slug']}")
    expect(page.get_by_role("heading", name="Nothing asked yet")).to_be_visible()
    stage.play(scene, *begun(1))
    expect(page.locator(".prose strong")).to_have_text("add")
    expect(page.locator(".run-what")).to_contain_text("Running npm run check")
    edit = page.locator('.tool[data-tool="Edit"]')
    expect(edit.locator(".add")).to_have_text("+1")
    edit.locator("summary").click()
    expect(edit.locator(".plus")).to_contain_text("const c = 3")
    expect(edit.locator(".minus")).to_contain_text("const b = 2")
    stage.play(scene, *ended(1, version=1))
    card = page.locator('.proof[data-state="done"]')
    expect(card).to_contain_text("Version 1 is in the preview")
    expect(card).to_contain_text("1 min 04 s")
    expect(card).to_contain_text("stand-in model")
    expect(page.locator(".run")).to_have_count(0)


def _told(page: Page) -> str:
    """The conversation once all of the log has come, without what depends on the moment."""
    expect(page.locator(".proof")).to_have_count(1)
    expect(page.locator(".run-what")).to_contain_text("Running npm run check")
    return re.sub(r"\d+ m?s|not seen yet|no errors", "", page.locator(".talk").inner_text())


def test_a_reload_and_a_second_tab_show_the_same(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1), *ended(1, version=1), *begun(2, "Add a loan date"))
    ada = visitor(scene)
    page = ada.page(f"/s/{scene['slug']}")
    talk = _told(page)
    page.reload()
    other = ada.page(f"/s/{scene['slug']}")
    assert _told(page) == talk
    assert _told(other) == talk
    stage.play(scene, *ended(2, version=2))
    for each in (page, other):
        expect(each.locator(".proof")).to_have_count(2)


def test_stop_escape_and_a_queued_prompt(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1))
    page = visitor(scene).page(f"/s/{scene['slug']}")
    page.locator("#prompt").fill("Sort by name")
    page.locator("#prompt").press("Control+Enter")
    expect(page.locator(".queue")).to_contain_text("Sort by name")
    expect(page.locator("#prompt")).to_have_value("")
    page.reload()
    expect(page.locator(".queue")).to_contain_text("Sort by name")
    expect(page.locator(".run-what")).to_contain_text("Running npm run check")  # the log has come, so the line is up
    page.keyboard.press("Escape")
    expect(page.locator(".run-what")).to_contain_text("Stopping")
    stage.play(scene, *ended(1, state="cancelled"))
    expect(page.locator(".proof")).to_contain_text("Stopped")
    expect(page.locator(".turn")).to_have_count(1)
    page.get_by_role("button", name="Send now").click()
    expect(page.locator(".turn .said").nth(1)).to_have_text("Sort by name")
    expect(page.locator(".queue")).to_have_count(0)


def test_a_queued_prompt_goes_by_itself_when_the_turn_is_done(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1))
    page = visitor(scene).page(f"/s/{scene['slug']}")
    page.locator("#prompt").fill("Sort by name")
    page.get_by_role("button", name="Queue").click()
    stage.play(scene, *ended(1, version=1))
    expect(page.locator(".turn .said").nth(1)).to_have_text("Sort by name")


def test_the_app_in_the_frame_is_heard_and_its_errors_are_offered_not_sent(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page = visitor(scene).page(f"/s/{scene['slug']}")
    expect(page.locator(".strip")).to_contain_text("Ready")
    expect(page.locator(".addr b")).to_have_text("/shelf?x=1")
    frame = page.locator("#app-frame")
    assert set(str(frame.get_attribute("sandbox")).split()) == {
        "allow-scripts", "allow-forms", "allow-same-origin", "allow-popups", "allow-modals", "allow-downloads",
    }  # fmt: skip
    page.evaluate("postMessage({source: 'mk0r-preview', type: 'error', message: 'forged'}, '*')")
    page.frame_locator("#app-frame").locator("#break").click()
    expect(page.locator(".strip-warn")).to_contain_text("<b>no such route</b>, App.tsx:7")
    expect(page.locator(".strip-warn")).not_to_contain_text("forged")
    page.get_by_role("button", name="Put a fix in the prompt").click()
    expect(page.locator("#prompt")).to_have_value(re.compile("no such route"))
    expect(page.locator(".turn")).to_have_count(0)
    phone = page.get_by_role("button", name="Phone, 390 px")
    phone.click()
    expect(phone).to_have_attribute("aria-pressed", "true")
    for _ in range(100):  # it may take its time to shrink
        if frame.bounding_box()["width"] <= 390:  # type: ignore[index]
            break
        page.wait_for_timeout(50)
    assert frame.bounding_box()["width"] <= 390  # type: ignore[index]
    page.get_by_role("button", name="Reload the app").click()
    expect(page.locator(".strip-warn")).to_have_count(0)


def test_an_app_that_sleeps_is_framed_once_it_is_awake(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, ("sandbox.changed", {"state": "paused"}))
    ada = visitor(scene)
    gone: list[str] = []
    ada.context.route(re.compile(r"http://5173-.*"), lambda route: (gone.append(route.request.url), route.abort())[1])
    page = ada.page(f"/s/{scene['slug']}")
    expect(page.get_by_role("heading", name="Waking the app")).to_be_visible()
    expect(page.locator("#app-frame")).to_have_count(0)
    assert gone == []  # whoever asks for it now is told that it has ended
    ada.context.unroute_all()
    stage.play(scene, ("sandbox.changed", {"state": "running"}))
    expect(page.locator(".strip")).to_contain_text("Ready")
    stage.play(scene, ("sandbox.changed", {"state": "paused"}), ("sandbox.changed", {"state": "running"}))
    expect(page.locator(".strip")).to_contain_text("Ready")


def test_a_failed_leg_says_four_things_and_retry_brings_it_in(visitor: Any, stage: Any) -> None:
    stage.ask("legs", failing=["resend"], preview=stage.preview)
    scene = stage.session()
    stage.ask("legs", failing=[], preview=stage.preview)
    page = visitor(scene).page(f"/s/{scene['slug']}")
    told = page.locator('.back-why[data-provider="resend"]')
    for part in ("too many requests (429)", "sends no mail", "Press Retry", "ref a1b2"):
        expect(told).to_contain_text(part)
    expect(told).to_have_attribute("role", "alert")
    the_line_is_up(page)
    told.get_by_role("button", name="Retry Resend").click()
    expect(told).to_have_count(0)
    expect(page.locator(".legs-link")).to_have_attribute("aria-label", "Backend: 5 of 5 live")


def test_names_are_shown_values_only_when_asked_for_and_hidden_again(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page = visitor(scene).page(f"/s/{scene['slug']}#backend")
    expect(page.get_by_role("rowheader", name="DATABASE_URL")).to_be_visible()
    assert "canary-password" not in page.content()
    page.get_by_role("button", name="Show values").click()
    expect(page.locator(".secret").first).to_have_text("canary-password-0123456789")
    page.clock.install()
    page.clock.run_for(31_000)
    expect(page.get_by_role("button", name="Show values")).to_be_visible()
    assert "canary-password" not in page.content()


def test_going_back_says_what_happens_and_makes_a_version(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, *begun(1), *ended(1, version=1), *begun(2, "More"), *ended(2, version=2))
    page = visitor(scene).page(f"/s/{scene['slug']}#versions")
    the_line_is_up(page)
    page.get_by_role("button", name="Go to version 1", exact=True).click()
    expect(page.locator("dialog")).to_contain_text("saved as version 3")
    expect(page.locator("dialog")).to_contain_text("Rows in the database stay")
    page.get_by_role("button", name="Keep things as they are").click()
    expect(page.locator("dialog")).not_to_be_visible()
    page.get_by_role("button", name="Undo: go to version 1").click()
    page.locator("dialog").get_by_role("button", name="Go to version 1").click()
    expect(page.get_by_text("Putting the files of version 1 back")).to_be_visible()
    stage.play(scene, restored(3, 1))
    expect(page.locator('.ver[aria-current="true"]')).to_contain_text("Version 3")
    expect(page.locator('.ver[aria-current="true"]')).to_contain_text("the files of version 1")
    expect(page.get_by_role("button", name="Redo: go to version 2")).to_be_visible()


def test_ending_asks_first_and_ends_in_a_receipt(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page = visitor(scene).page(f"/s/{scene['slug']}")
    the_line_is_up(page)
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="End and delete everything").click()
    expect(page.locator("dialog")).to_contain_text(f"mk0r-{scene['slug']}")
    page.locator("dialog").get_by_role("button", name="End and delete everything").click()
    expect(page.get_by_text("This session has ended.")).to_be_visible()
    expect(page.get_by_text("Each was read again at that time and not found.")).to_be_visible()
    expect(page.locator(".key li")).to_have_count(6)
    expect(page.locator("#prompt-note")).to_contain_text("takes no more prompts")


def test_the_end_is_announced_before_it_comes(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.ask("set", slug=scene["slug"], expires_in=400)
    page = visitor(scene).page(f"/s/{scene['slug']}")
    expect(page.locator(".badge-warn")).to_contain_text(re.compile(r"ends in 6 min \d\d s"))


def test_tabs_and_split_answer_to_the_keyboard(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    page = visitor(scene).page(f"/s/{scene['slug']}")
    page.get_by_role("tab", name="Preview").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Backend")).to_be_focused()
    assert page.url.endswith("#backend")
    split = page.get_by_role("separator")
    before = page.locator(".chat").bounding_box()["width"]  # type: ignore[index]
    split.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(split).to_have_attribute("aria-valuenow", "40")
    assert page.locator(".chat").bounding_box()["width"] > before  # type: ignore[index]
