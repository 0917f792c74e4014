"""Whatever comes from a person, an agent, a tool or the app is text on our pages and never runs."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

EVIL = (
    '<img src=x onerror="window.hit=1"><script>window.hit=1</script></script><svg onload="window.hit=1">'
    '"\'><a href="javascript:window.hit=1">x</a> [link](javascript:window.hit=1) ${window.hit=1} {{7*7}} <!--'
)


def test_hostile_text_stays_text_everywhere(visitor: Any, stage: Any) -> None:
    scene = stage.session()
    stage.play(
        scene,
        ("notice", {"level": "warning", "text": EVIL}),
        ("prompt", EVIL),
        ("agent.text", {"turn": 1, "text": f"# {EVIL}\n\n```\n{EVIL}\n```\n- {EVIL}\n\n{EVIL}"}),
        ("agent.tool", {"turn": 1, "id": "a", "name": "Write", "summary": EVIL,
                        "input": {"file_path": f"/app/{EVIL}", "content": EVIL}}),
        ("agent.result", {"turn": 1, "id": "a", "ok": True, "output": EVIL}),
        ("agent.tool", {"turn": 1, "id": "b", "name": EVIL, "summary": EVIL, "input": {EVIL: EVIL}}),
        ("agent.result", {"turn": 1, "id": "b", "ok": False, "output": EVIL}),
        ("version.created", {"number": 1, "sha": "f" * 40, "message": EVIL[:200]}),
        ("turn.finished", {"turn": 1, "state": "failed", "duration_ms": 1, "cost_usd": 0.0, "summary": EVIL}),
    )  # fmt: skip
    stage.ask("set", slug=scene["slug"], title=EVIL[:200])
    ada = visitor(scene)
    page = ada.page(f"/s/{scene['slug']}")
    expect(page.locator(".proof")).to_be_visible()
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    for place in ("#versions", "#backend", "#panel"):
        page.evaluate("(place) => { location.hash = place }", place)
        tab = place.replace("panel", "preview")
        expect(page.locator(f"#tab-{tab[1:]}")).to_have_attribute("aria-selected", "true")
    assert page.locator(".said").inner_text().startswith('<img src=x onerror="window.hit=1">')
    assert page.evaluate("window.hit") is None
    assert page.locator('a[href^="javascript:"]').count() == 0
    assert page.locator(".bench img, .top img, .bench script").count() == 0
    page.goto(ada.base)
    expect(page.locator(".app b")).to_contain_text("onerror")
    assert page.evaluate("window.hit") is None


def test_a_preview_address_that_is_no_address_is_not_opened(visitor: Any, stage: Any) -> None:
    stage.ask("legs", preview="")
    scene = stage.session()
    page = visitor(scene).page(f"/s/{scene['slug']}")
    stage.play(scene, ("preview.ready", {"url": "javascript:top.hit=1"}))
    expect(page.get_by_role("heading", name="The preview does not answer")).to_be_visible()
    assert page.evaluate("window.hit") is None
    assert page.locator("iframe").count() == 0
