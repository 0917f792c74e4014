"""One visitor's turns over everything that can die beneath them, with real sandboxes and a worker process apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import e2b
import httpx
import pytest

from tests.e2e.api_visitor import Visitor
from tests.e2e.builder_page import until
from tests.faults.test_crashes import _log_is_complete
from tests.fixtures.apart import Apart, run_apart

pytestmark = [pytest.mark.isolation, pytest.mark.slow, pytest.mark.timeout(400)]

PROMPT = "A guest book: name and message"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """Web and worker apart; the builder takes its time, so that there is a middle to kill in."""
    with run_apart(tmp_path_factory.mktemp("apart"), pace="0.3") as running:
        yield running


@pytest.fixture(scope="module")
def visitor(product: Apart) -> Visitor:
    """The one visitor of this module, whose tests tell one story in order."""
    made = Visitor(product)
    until(made.all_live, "five live legs", 90)
    return made


def _tool_called(visitor: Visitor, turn: int) -> bool:
    return any(e["type"] == "agent.tool" and e["data"]["turn"] == turn for e in visitor.events())


def _prompt(visitor: Visitor, text: str) -> int:
    """Send a prompt and wait for the middle of its turn; returns its number."""
    visitor.post("/turns", {"prompt": text})
    number = len(visitor.get()["turns"])
    until(lambda: _tool_called(visitor, number), f"a tool call of turn {number}", 90)
    return number


def _end_of(visitor: Visitor, number: int) -> dict[str, Any]:
    until(lambda: visitor.turn_state(number) not in ("", "queued", "running"), f"the end of turn {number}", 150)
    turn: dict[str, Any] = visitor.get()["turns"][number - 1]
    return turn


def _notices(visitor: Visitor) -> list[str]:
    return [event["data"]["text"] for event in visitor.events() if event["type"] == "notice"]


def _sandbox_id(product: Apart, visitor: Visitor) -> str:
    (row,) = product.cloud.live(vendor="e2b", kind="sandbox", name=f"mk0r-{visitor.slug}")
    return str(row["id"])


def test_a_worker_killed_in_a_turn_is_followed_by_another(product: Apart, visitor: Visitor) -> None:
    turn = _prompt(visitor, PROMPT)
    product.replace_worker()
    assert _end_of(visitor, turn)["state"] == "done", visitor.events()[-3:]
    assert [e["data"]["number"] for e in visitor.events() if e["type"] == "version.created"] == [1]
    _log_is_complete(product, visitor)


def test_what_a_sandbox_lost_in_its_sleep_is_brought_back_at_the_next_prompt(product: Apart, visitor: Visitor) -> None:
    product.rows(
        "UPDATE sessions_app_session SET last_active_at = now() - interval '1 day' WHERE slug = %s RETURNING 1",
        visitor.slug,
    )
    product.rows("UPDATE sessions_app_turn SET finished_at = now() - interval '1 day' RETURNING 1")
    product.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " VALUES ('sweep', 'sessions_app.tasks.pause_idle', '{\"timestamp\": 0}') RETURNING id"
    )
    until(lambda: visitor.get()["sandbox"]["state"] == "paused", "sleep", 90)
    asyncio.run(_lose_files(product, _sandbox_id(product, visitor)))
    turn = _prompt(visitor, "add a phone number")
    assert _notices(visitor)[-1] == "The sandbox woke without src/App.tsx as it was left. That is put right."
    assert _end_of(visitor, turn)["state"] == "done", visitor.events()[-3:]
    assert [version["number"] for version in visitor.get()["versions"]] == [1, 2]


async def _lose_files(product: Apart, sandbox_id: str) -> None:
    """What a vendor has done that wakes a sandbox with a part of its files."""
    keys = {"api_key": product.cloud.keys["e2b"], "api_url": f"{product.cloud.base_url}/e2b",
            "sandbox_url": product.cloud.base_url}  # fmt: skip
    sandbox = await e2b.AsyncSandbox.connect(sandbox_id, timeout=600, **keys)
    await sandbox.commands.run("rm /app/src/App.tsx")
    await sandbox.pause(**keys)
    await asyncio.sleep(0.3)  # the SDK may abort an interpreter that goes on at once


def test_a_turn_that_loses_its_sandbox_says_so_each_time_and_the_next_begins_from_the_last_version(
    product: Apart, visitor: Visitor
) -> None:
    turn = _prompt(visitor, "add a colour")
    url, headers = f"{product.cloud.base_url}/e2b/sandboxes", {"X-API-KEY": product.cloud.keys["e2b"]}
    httpx.delete(f"{url}/{_sandbox_id(product, visitor)}", headers=headers, timeout=30).raise_for_status()
    _lost(visitor, turn)
    turn = _prompt(visitor, "add a colour")
    product.replace_cloud()
    _lost(visitor, turn)
    turn = _prompt(visitor, "add a colour")
    assert _end_of(visitor, turn)["state"] == "done", visitor.events()[-3:]
    assert [version["number"] for version in visitor.get()["versions"]] == [1, 2, 3]
    assert _notices(visitor).count("The sandbox was made anew and holds version 2 again.") == 2


def _lost(visitor: Visitor, turn: int) -> None:
    ended = _end_of(visitor, turn)
    assert ended["state"] == "failed", ended
    assert "The sandbox was lost while the agent worked" in ended["summary"]
    assert "begins from version 2" in ended["summary"]


def test_a_session_that_ends_in_a_turn_cancels_it_and_leaves_nothing(product: Apart, visitor: Visitor) -> None:
    turn = _prompt(visitor, "add an e-mail address")
    httpx.delete(f"{visitor.base}/{visitor.slug}", headers=visitor.headers, timeout=30).raise_for_status()
    until(lambda: visitor.get()["state"] == "closed", "the end of the session", 90)
    ended = _end_of(visitor, turn)
    assert (ended["state"], ended["summary"]) == ("cancelled", "The session ended.")
    assert [e["type"] for e in visitor.events()][-1] == "session.closed"
    assert [row for row in product.cloud.live() if visitor.slug in str(row.get("name"))] == []
    jobs = "SELECT 1 FROM procrastinate_jobs WHERE task_name = %s AND status <> 'succeeded'"
    until(lambda: not product.rows(jobs, "sessions_app.tasks.run_turn"), "the end of the turn's job", 30)
