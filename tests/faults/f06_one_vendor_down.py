"""F6: one vendor fails; what the others take stays what it was, and the failing leg itself ends and says how.

Every vendor's create takes a fixed time that is added at localcloud, so that a leg's time means something. In each
round a pair of sessions meets vendors that are well, and one pair each meets one vendor that fails every call; who goes
first changes from round to round, so what the machine does meanwhile meets all alike. A leg's time is from the start of
its session to the settling of its last row. Ten stretches of the run are compared each in itself and the middle
difference counts: a stretch in which the machine was busy elsewhere decides nothing then.

The sandbox is left out: E2B refuses it at once, or fails every call when its turn to fail has come.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fixtures.ground import begin, ground

TITLE = "one vendor down: no other leg's p95 moves by more than 5 % or 20 ms, and the failing leg ends"
SMALL, FULL = 2, 300
TOLERATED = (0.05, 0.020)  # share, seconds; whichever is more
ENOUGH = 100  # sessions per condition before a 95th percentile says anything
TOGETHER = 2
STRETCHES = 10
HUNG = 120.0  # seconds a session may take at the very most
CREATES = {"github": "create_repository", "resend": "create_audience", "neon": "create_project"}
ADDED = {"github": 0.15, "resend": 0.25, "neon": 0.4}  # seconds
WELL = "well"
Fault = dict[str, Any]
Stretch = dict[str, dict[str, list[float]]]  # condition → leg → seconds


def all_well() -> list[Fault]:
    late = [
        {"vendor": vendor, "operation": operation, "fault": "latency", "seconds": ADDED[vendor]}
        for vendor, operation in CREATES.items()
    ]
    return [*late, {"vendor": "e2b", "operation": "*", "fault": "status:422"}]


def failing(vendor: str, fault: str = "status:500", probability: float = 1.0) -> list[Fault]:
    return [{"vendor": vendor, "operation": "*", "fault": fault, "probability": probability}]


def read(session: Any, began: datetime) -> dict[str, tuple[str, float]]:
    """How every leg ended and how many seconds after `began`; synchronous database code."""
    ends = {}
    for vendor in [*CREATES, "e2b"]:
        rows = list(session.resources.filter(provider=vendor).order_by("id"))
        last = next((row for row in rows if row.state != "ready"), rows[-1])
        if last.state == "failed":
            assert last.error["message"], f"{last} failed without a word"
            assert last.error["reference"], f"{last} failed without a reference"
        ends[vendor] = (last.state, (last.settled_at - began).total_seconds() if last.settled_at else HUNG)
    return ends


async def pair(under: Any, faults: list[Fault]) -> tuple[list[Any], list[dict[str, tuple[str, float]]]]:
    """Bring a pair of sessions to rest under `faults`: the sessions, and how their legs ended."""
    from channels.db import database_sync_to_async

    from provisioning import services

    sessions = [await database_sync_to_async(begin)() for _ in range(TOGETHER)]
    under.cloud.set_faults([*faults, *all_well()])
    began = datetime.now(UTC)
    async with asyncio.timeout(HUNG):
        await asyncio.gather(*(services.converge(session.pk) for session in sessions))
    return sessions, [await database_sync_to_async(read)(session, began) for session in sessions]


async def end(under: Any, sessions: list[Any]) -> None:
    from channels.db import database_sync_to_async

    from provisioning import services

    under.cloud.clear_faults()
    for session in sessions:
        await database_sync_to_async(services.request_teardown)(session)
    await asyncio.gather(*(services.converge(session.pk) for session in sessions))


async def by_turns(under: Any, conditions: Mapping[str, list[Fault]], size: int) -> list[Stretch]:
    """`size` sessions under each condition, by turns. The vendor a condition is named after may fail; no other may."""
    rounds = max(1, size // TOGETHER)
    stretches: list[Stretch] = [defaultdict(lambda: defaultdict(list)) for _ in range(min(STRETCHES, rounds))]
    order = list(conditions)
    for number in range(rounds):
        begun = []
        for condition in order:
            sessions, ends = await pair(under, conditions[condition])
            begun += sessions
            for one in ends:
                for leg, (state, seconds) in one.items():
                    allowed = {"ready", "failed"} if leg == condition else {"failed" if leg == "e2b" else "ready"}
                    assert state in allowed, f"{condition}: {leg} is {state}"
                    stretches[number * len(stretches) // rounds][condition][leg].append(seconds)
        await end(under, begun)
        order = [*order[1:], order[0]]
    return stretches


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def compare(stretches: list[Stretch], down: str) -> dict[str, Any]:
    """For each other leg: median and 95th percentile with all well and with `down` failing; the middle difference."""
    figures = {}
    for leg in (one for one in CREATES if one != down):
        well, bad = ([second for one in stretches for second in one[which][leg]] for which in (WELL, down))
        usual = statistics.median(p95(one[WELL][leg]) for one in stretches)  # not of the stretch that went worst
        moved = statistics.median(p95(one[down][leg]) - p95(one[WELL][leg]) for one in stretches)
        figures[leg] = {
            "legs": len(bad),
            "p50_ms": [round(statistics.median(one) * 1000) for one in (well, bad)],
            "p95_ms": [round(p95(one) * 1000) for one in (well, bad)],
            "p95_moved_ms": round(moved * 1000, 1),
            "tolerated_ms": round(max(TOLERATED[0] * usual, TOLERATED[1]) * 1000, 1),
        }
        print(f"{down} down: {leg} {figures[leg]}", flush=True)
    return figures


async def measure(under: Any, size: int) -> dict[str, Any]:
    """Every vendor down for good; then failing now and then, before and after it has made the thing."""
    from provisioning import http

    await http.open_clients()
    await by_turns(under, {WELL: []}, TOGETHER)  # what a process does once
    downs = [*CREATES, "e2b"]
    stretches = await by_turns(under, {WELL: [], **{vendor: failing(vendor) for vendor in downs}}, size)
    figures: dict[str, Any] = {vendor: compare(stretches, vendor) for vendor in downs}
    began, part, sessions = time.monotonic(), max(TOGETHER, size // 10), 0
    for fault, probability in [(fault, share) for fault in ("status:500", "reset_after") for share in (0.1, 0.5, 1.0)]:
        if size >= ENOUGH or (fault, probability) == ("reset_after", 0.5):
            await by_turns(under, {vendor: failing(vendor, fault, probability) for vendor in CREATES}, part)
            sessions += part * len(CREATES)
    await http.close_clients()
    return {"down": figures, "in_part": {"sessions": sessions, "seconds": round(time.monotonic() - began)}}


def run(size: int, scratch: Path) -> dict[str, object]:
    """Hold the promise over `size` sessions per condition; pairs of figures are [all well, one down]."""
    with ground(scratch) as under:
        figures = asyncio.run(measure(under, size))
    if size >= ENOUGH:
        for vendor, legs in figures["down"].items():
            for leg, found in legs.items():
                assert found["p95_moved_ms"] <= found["tolerated_ms"], f"{vendor} down moves {leg}: {found}"
    return figures
