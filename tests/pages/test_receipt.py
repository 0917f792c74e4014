"""The receipt: what became of everything, told without script, to its owner only."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.pages.test_widths_and_access import PHONE, _serious, _sideways

pytestmark = pytest.mark.browser

REFUSED = {"reason": "vendor_error", "message": "Neon answered with an error (500). Without it nothing is kept.",
           "retryable": True, "next": "", "reference": "a1b2"}  # fmt: skip
UNDER_WAY = {
    "neon project": {"state": "stuck", "delete_attempts": 6, "next_in": 3600, "error": REFUSED},
    "e2b sandbox": {"state": "deleting"},
}


def test_a_closed_session_shows_when_each_thing_was_made_deleted_and_proved_gone(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.ask("end", slug=scene["slug"])
    page = visitor(scene, java_script_enabled=False).page(f"/s/{scene['slug']}/receipt")
    expect(page.get_by_role("heading", level=1)).to_have_text("Everything is gone")
    expect(page.locator("main")).to_contain_text("then looked for again by its name and by its own id, and not found.")
    lines = page.locator("tbody")
    expect(lines).to_have_count(6)
    for line in lines.all()[1:]:
        expect(line).to_contain_text(f"mk0r-{scene['slug']}")
        expect(line.locator("time")).to_have_count(3)
    expect(lines.first).to_contain_text("nothing to prove")
    expect(lines.first).to_contain_text("Events that were sent stay there.")
    assert "http-equiv" not in page.content()


def test_it_can_be_downloaded_and_is_kept_by_no_cache(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.ask("end", slug=scene["slug"])
    page = visitor(scene).page(f"/s/{scene['slug']}/receipt")
    answer = page.request.get(page.url)
    assert answer.headers["cache-control"] == "no-store"
    with page.expect_download() as started:
        page.get_by_role("link", name="Download as JSON").click()
    assert started.value.suggested_filename == f"mk0r-{scene['slug']}-receipt.json"
    told = json.loads(started.value.path().read_text())
    assert {line["state"] for line in told["resources"]} == {"gone"}


def test_i23_a_receipt_is_its_owners_only(visitor: Any, stage: Any) -> None:
    scene, other = stage.session(), stage.session()
    stage.ask("end", slug=scene["slug"])
    for stranger in (visitor(other), visitor()):
        answer = stranger.context.request.get(f"{stage.base}/s/{scene['slug']}/receipt")
        assert answer.status == 404
        assert "mk0r-" not in answer.text()
    ada = visitor(other).context.request.get(f"{stage.base}/s/{other['slug']}/receipt")
    assert ada.url.endswith(f"/s/{other['slug']}")  # still open: there is nothing to prove yet


@pytest.mark.parametrize("script", [True, False])
def test_while_it_ends_the_page_tells_how_far_it_is_and_follows(visitor: Any, stage: Any, script: bool) -> None:
    scene = stage.session()
    stage.ask("end", slug=scene["slug"], lines=UNDER_WAY)
    page = visitor(scene, java_script_enabled=script).page(f"/s/{scene['slug']}/receipt")
    expect(page.get_by_role("heading", level=1)).to_have_text("4 of 6 are gone")
    stuck = page.locator('tbody[data-state="stuck"]')
    expect(stuck).to_contain_text(re.compile(r"6 tries so far\. Neon answered with an error \(500\)\. Next try on \d"))
    expect(page.locator('tbody[data-state="deleting"]')).to_contain_text("being deleted")
    stage.ask("end", slug=scene["slug"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Everything is gone")
    expect(stuck).to_have_count(0)


def test_what_was_never_asked_for_is_said_to_be_so(visitor: Any, stage: Any) -> None:
    scene = stage.session(bare=True)
    stage.ask("end", slug=scene["slug"], lines={"neon project": {"state": "gone", "attempt": 0}})
    page = visitor(scene).page(f"/s/{scene['slug']}/receipt")
    expect(page.locator("tbody").last).to_contain_text("Never asked for, so there was nothing to delete.")


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_widths_and_access(visitor: Any, stage: Any, size: str, scheme: str) -> None:
    for lines in ({}, UNDER_WAY):
        scene = stage.session()
        stage.ask("set", slug=scene["slug"], title="A tool library for our street, with who has what " * 3)
        stage.ask("end", slug=scene["slug"], lines=lines)
        page = visitor(scene, **(PHONE if size == "phone" else {}), color_scheme=scheme, reduced_motion="reduce").page(
            f"/s/{scene['slug']}/receipt"
        )
        assert _serious(page) == []
        assert _sideways(page) <= 0


def test_it_is_linked_from_the_ended_page_and_from_home(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(scene, ("prompt", "A tool library"))
    stage.ask("end", slug=scene["slug"])
    ada = visitor(scene)
    page = ada.page(f"/s/{scene['slug']}")
    page.get_by_role("link", name="Receipt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Everything is gone")
    home = ada.page()
    home.wait_for_selector("#home-live[data-live]")
    home.get_by_role("link", name="Receipt of A tool library").click()
    expect(home).to_have_url(re.compile(f"/s/{scene['slug']}/receipt$"))
