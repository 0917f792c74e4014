"""Whatever is killed, whenever: one resource per leg, every line of the agent's log, and no port left in use."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

import e2b
import httpx
import pytest

from embedded.ports import is_free
from mk0r.local.children import started_at
from tests.e2e.api_visitor import Visitor
from tests.e2e.builder_page import until
from tests.fixtures.installation import Installation, run_installation

pytestmark = [pytest.mark.isolation, pytest.mark.slow, pytest.mark.timeout(400)]

LEGS = {"neon": "project", "github": "repository", "e2b": "sandbox"}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of this module's own: others must not meet a killed one. The builder takes its time."""
    with run_installation(tmp_path_factory.mktemp("crashes"), MK0R_SCRIPTED_PACE="0.6") as running:
        yield running


def _one_resource_per_leg(product: Installation, slug: str) -> None:
    for vendor, kind in LEGS.items():
        made = product.cloud.live(vendor=vendor, kind=kind, name=f"mk0r-{slug}")
        assert len(made) == 1, (vendor, made)
    assert len(product.cloud.live(vendor="resend", name=f"mk0r-{slug}")) == 2  # the audience and its key


def _log_is_complete(product: Installation, visitor: Visitor) -> None:
    """Every uuid in the agent's own log stands in an event, and none stands in two.

    Pieces of a message that is still being written are told by the whole message, which has a line of its own.
    """
    lines = [json.loads(line) for line in _agent_log(product, visitor).splitlines() if '"uuid"' in line]
    logged = {line["uuid"] for line in lines if line["type"] != "stream_event"}
    told = [uuid for event in visitor.events() for uuid in event["data"].get("uuids", [])]
    assert len(told) == len(set(told))
    assert logged
    assert logged - set(told) == set()


def _agent_log(product: Installation, visitor: Visitor) -> str:
    (row,) = product.cloud.live(vendor="e2b", kind="sandbox", name=f"mk0r-{visitor.slug}")
    keys = {"api_key": product.cloud.keys["e2b"], "api_url": f"{product.cloud.base_url}/e2b",
            "sandbox_url": product.cloud.base_url}  # fmt: skip

    async def read() -> str:
        sandbox = await e2b.AsyncSandbox.connect(row["id"], timeout=600, **keys)
        found = await sandbox.commands.run("find /home/user/.mk0r -name '*.jsonl' -o -name 'log' -type f | xargs cat")
        await asyncio.sleep(0.3)  # the SDK may abort an interpreter that goes on at once
        return str(found.stdout)

    return asyncio.run(read())


def _back(product: Installation, killed: int) -> None:
    until(lambda: _pid(product) not in (0, killed), "another web process", 90)
    until(lambda: _answers(product), "the product", 60)


def _pid(product: Installation) -> int:
    try:
        return product.pid("web")
    except (OSError, ValueError):
        return 0


def _answers(product: Installation) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{product.web_port}/api/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("after", [0.0, 0.25, 0.6])
def test_web_killed_while_provisioning(product: Installation, after: float) -> None:
    latency = {"operation": "*", "fault": "latency", "probability": 1, "seconds": 0.4}
    product.cloud.set_faults([{"vendor": vendor, **latency} for vendor in ("neon", "github", "resend")])
    visitor = Visitor(product)
    time.sleep(after)
    killed = product.pid("web")
    product.kill("web")
    _back(product, killed)
    product.cloud.clear_faults()
    until(visitor.all_live, "five live legs", 90)
    _one_resource_per_leg(product, visitor.slug)
    seqs = [event["seq"] for event in visitor.events()]
    assert seqs == list(range(1, len(seqs) + 1))


def test_web_killed_during_a_turn(product: Installation) -> None:
    visitor = Visitor(product)
    until(visitor.all_live, "five live legs", 60)
    visitor.post("/turns", {"prompt": "A log of birds: species, a number and the date"})
    until(lambda: [e for e in visitor.events() if e["type"] == "agent.tool"], "the first tool call", 60)
    killed = product.pid("web")
    product.kill("web")
    _back(product, killed)
    until(lambda: visitor.turn_state() not in ("", "queued", "running"), "the end of the turn", 120)
    assert visitor.turn_state() == "done", visitor.events()[-3:]
    assert [e["data"]["number"] for e in visitor.events() if e["type"] == "version.created"] == [1]
    _log_is_complete(product, visitor)


def test_up_killed_during_a_turn(product: Installation) -> None:
    visitor = Visitor(product)
    until(visitor.all_live, "five live legs", 60)
    visitor.post("/turns", {"prompt": "A list of jars: label, weight in grams and whether it is full"})
    until(lambda: [e for e in visitor.events() if e["type"] == "agent.tool"], "the first tool call", 60)
    product.kill("up")
    product.start()
    until(lambda: visitor.turn_state() not in ("", "queued", "running"), "the end of the turn", 120)
    assert visitor.turn_state() == "done", visitor.events()[-3:]
    _one_resource_per_leg(product, visitor.slug)
    _log_is_complete(product, visitor)


def test_everything_killed_at_once_leaves_no_port_in_use(product: Installation) -> None:
    for name in ("up", "web", "localcloud"):
        product.kill(name)
    product.start()
    visitor = Visitor(product)
    until(visitor.all_live, "five live legs", 60)
    product.stop()
    ports = (product.web_port, product.cloud_port, product.postgres_port)
    until(lambda: all(is_free(port) for port in ports), "three free ports", 10)


def test_a_stop_ends_what_a_killed_up_left(product: Installation) -> None:
    product.stop()
    product.start()
    pids = [product.pid(name) for name in ("web", "localcloud")]
    product.kill("up")
    product.stop()
    assert [started_at(pid) for pid in pids] == ["", ""]
