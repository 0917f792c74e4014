"""Ctrl-C ends every local sandbox; the next start brings each app back with its files, its versions and its rows."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import websockets

from tests.e2e.api_visitor import Visitor
from tests.e2e.builder_page import until
from tests.fixtures.installation import Installation, run_installation

pytestmark = [pytest.mark.isolation, pytest.mark.long, pytest.mark.timeout(400)]

PROMPT, TABLE = "A guest book: name and message", "/api/guests"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of this module's own, which is stopped and started again."""
    with run_installation(tmp_path_factory.mktemp("rebuild")) as running:
        yield running


class App:
    """The built app, asked as a browser would ask its preview."""

    def __init__(self, preview: str) -> None:
        # Names below localhost are not resolved here; the preview is told by its Host.
        parts = urlsplit(preview)
        self.base, self.headers = f"http://127.0.0.1:{parts.port}", {"Host": parts.netloc}

    def request(self, method: str, path: str, body: object = None) -> httpx.Response:
        return httpx.request(method, self.base + path, headers=self.headers, json=body, timeout=20)

    def rows(self, path: str) -> list[dict[str, Any]]:
        answer = self.request("GET", path)
        if answer.status_code != 200 or "json" not in answer.headers.get("content-type", ""):
            return []
        return list(answer.json())


def _built(visitor: Visitor, prompt: str, number: int) -> dict[str, Any]:
    visitor.post("/turns", {"prompt": prompt})
    state = _settled(visitor, number)
    assert state["turns"][number - 1]["state"] == "done", (state["turns"], visitor.events()[-5:])
    return state


def _settled(visitor: Visitor, turn: int) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        state = visitor.get()
        there = state and len(state["turns"]) >= turn and state["turns"][turn - 1]["state"] not in ("queued", "running")
        return state if there else None

    state: dict[str, Any] = until(ended, f"the end of turn {turn}", 150)
    return state


def _notices(visitor: Visitor) -> list[str]:
    return [event["data"]["text"] for event in visitor.events() if event["type"] == "notice"]


def _restart(product: Installation) -> None:
    product.stop()
    product.start()
    product.wait_until_prepared()


async def _look(product: Installation, visitor: Visitor, wanted: str) -> dict[str, Any]:
    """Open the session as its page does, until an event of the type `wanted` that is new."""
    url = f"ws://127.0.0.1:{product.web_port}/ws/session/?slug={visitor.slug}"
    async with asyncio.timeout(90), websockets.connect(url, additional_headers=visitor.headers) as socket:
        snapshot = json.loads(await socket.recv())
        while True:
            frame = json.loads(await socket.recv())
            if frame["type"] == wanted and frame["seq"] > snapshot["seq"]:
                return dict(frame)


def _is_back(visitor: Visitor, number: int) -> bool:
    return f"The sandbox was made anew and holds version {number} again." in _notices(visitor)


def test_an_app_is_back_after_a_restart_and_is_built_upon(product: Installation) -> None:
    visitor = Visitor(product)
    until(visitor.all_live, "five live legs", 60)
    first = _built(visitor, PROMPT, 1)
    app = App(first["preview_url"])
    made = app.request("POST", TABLE, {"name": "Ada", "message": "Kept over a restart"})
    assert made.status_code == 201, made.text

    _restart(product)
    ready = asyncio.run(_look(product, visitor, "preview.ready"))
    assert ready["data"]["url"] != first["preview_url"]
    assert _is_back(visitor, 1), _notices(visitor)
    assert [e["data"]["state"] for e in visitor.events() if e["type"] == "sandbox.changed"] == [
        "booting", "running", "lost", "booting", "running",
    ]  # fmt: skip
    app = App(ready["data"]["url"])
    assert until(lambda: app.rows(TABLE), "the row", 30)[0]["message"] == "Kept over a restart"
    assert len(product.cloud.live(vendor="e2b", kind="sandbox", name=f"mk0r-{visitor.slug}")) == 1

    second = _built(visitor, "add a phone number", 2)
    assert [version["number"] for version in second["versions"]] == [1, 2], _notices(visitor)
    made = until(lambda: _with_phone(app), "a row with a phone number", 30)
    until(lambda: [row["name"] for row in app.rows(TABLE)] == ["Ben", "Ada"], "both rows, newest first")

    visitor.post("/versions/1/restore")
    until(lambda: len((visitor.get() or second)["versions"]) == 3, "the restored version", 60)
    third = visitor.get()["versions"][2]
    assert (third["kind"], third["restores"], third["current"]) == ("restore", 1, True)
    until(lambda: "phone" not in app.request("GET", "/src/App.tsx").text.lower(), "the page of version 1")
    until(lambda: {row["name"] for row in app.rows(TABLE)} == {"Ada", "Ben"}, "both rows")
    _the_repository_has(visitor, [version["sha"] for version in visitor.get()["versions"]])


def test_a_prompt_after_a_restart_needs_nobody_to_look(product: Installation) -> None:
    """The first thing heard of a session after a restart is a prompt, or a wish to go back."""
    visitor, other = Visitor(product), Visitor(product)
    for each in (visitor, other):
        until(each.all_live, "five live legs", 60)
        _built(each, PROMPT, 1)
    _restart(product)
    visitor.post("/turns", {"prompt": "add a phone number"})
    other.post("/versions/1/restore")
    state = _settled(visitor, 2)
    assert state["turns"][1]["state"] == "done", state["turns"]
    assert [version["number"] for version in state["versions"]] == [1, 2], _notices(visitor)
    until(lambda: len((other.get() or state)["versions"]) == 2, "the restored version", 60)
    assert _is_back(visitor, 1)
    assert _is_back(other, 1)


def test_a_turn_that_a_kill_ends_says_so_and_the_next_prompt_works(product: Installation) -> None:
    visitor = Visitor(product)
    until(visitor.all_live, "five live legs", 60)
    _built(visitor, PROMPT, 1)
    visitor.post("/turns", {"prompt": "add a phone number"})
    until(lambda: [e for e in visitor.events() if e["type"] == "agent.tool" and e["data"]["turn"] == 2], "a tool", 60)
    for name in ("up", "web", "localcloud"):  # killed: an orderly stop would let the turn end first
        product.kill(name)
    product.start()
    state = _settled(visitor, 2)
    assert state["turns"][1]["state"] == "failed", state["turns"]
    assert "The sandbox was lost while the agent worked" in state["turns"][1]["summary"]
    state = _built(visitor, "add a phone number", 3)
    assert [version["number"] for version in state["versions"]] == [1, 2], _notices(visitor)


def _with_phone(app: App) -> httpx.Response | None:
    """Add a row with a phone number; None while the server half has not taken up its new code."""
    try:
        answer = app.request("POST", TABLE, {"name": "Ben", "message": "Hello", "phone_number": "+44 20 7946 0000"})
    except httpx.HTTPError:
        return None
    if answer.status_code != 201:
        return None
    assert "+44 20 7946 0000" in answer.json().values(), answer.text
    return answer


def _the_repository_has(visitor: Visitor, shas: list[str]) -> None:
    clone = visitor.get("/clone")
    url = clone["url"].replace("://", f"://{clone['user']}:{clone['password']}@")

    def tip() -> bool:
        told = subprocess.run(["git", "ls-remote", url, "main"], capture_output=True, text=True, check=True)
        return told.stdout.startswith(shas[-1])

    until(tip, "the push", 30)
