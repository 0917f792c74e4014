"""A storm: visitors come, vendors misbehave, processes die, and afterwards the two ledgers are compared.

`python -m tests.faults.storm --seconds 60` runs one of everything at once. The last line it prints is one JSON object;
it ends with 0 only when nothing was left behind, made twice or lost, within a minute of the last kill.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import proofs, weather
from tests.faults.house import House, open_house
from tests.faults.monkey import Monkey, disarmed
from tests.faults.oracle import Verdict, converged
from tests.faults.visitors import Manners, Visitors

CONVERGE_WITHIN = 60.0  # seconds from the last kill
_TELL_EVERY = 3.0
_LIVE = "select count(*) from provisioning_resource where state = 'ready' and provider <> 'posthog'"


@dataclass
class Outcome:
    """What a storm came to."""

    verdict: Verdict
    kills: int
    converge_s: float
    answers: dict[int, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether it came out as it must."""
        return self.verdict.holds and self.converge_s <= CONVERGE_WITHIN

    def figures(self) -> dict[str, Any]:
        """The one line of JSON."""
        told = self.verdict.figures()
        return {"sessions": told.pop("sessions"), "kills": self.kills, **told, "converge_s": round(self.converge_s, 1)}

    def demand(self) -> dict[str, Any]:
        """The figures; raises `AssertionError` with everything that is wrong."""
        assert self.verdict.holds, f"{self.verdict.complaints()}; {self.figures()}"
        assert self.converge_s <= CONVERGE_WITHIN, f"it took {self.converge_s:.1f} s to converge; {self.figures()}"
        return self.figures()


@contextlib.asynccontextmanager
async def progress(house: House, visitors: Visitors) -> AsyncIterator[None]:
    """Say on standard error, every few seconds, how far it is."""

    async def tell() -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(_TELL_EVERY)
            try:
                live = (await asyncio.to_thread(house.rows, _LIVE))[0][0]
            except Exception:  # noqa: BLE001 - Postgres may be down on purpose
                live = "-"
            line = f"{time.monotonic() - began:5.0f} s  sessions {len(visitors.visits)} ({visitors.done} done)"
            sys.stderr.write(f"{line}  kills {house.kills}  live {live}\n")

    teller = asyncio.create_task(tell(), name="progress")
    try:
        yield
    finally:
        teller.cancel()


async def aftermath(house: House, visitors: Visitors, *, since: float, kills: int) -> Outcome:
    """Wait until everything is at rest, counting from `since`; then try the secrets of what is still open."""
    verdict, _ = await converged(house, within=CONVERGE_WITHIN * 2)
    took = time.monotonic() - since
    house.cloud.clear_faults()
    open_visits = [visit for visit in visitors.visits if not visit.ended]
    verdict.lost_secrets += await proofs.lost_secrets(house, visitors, open_visits)
    return Outcome(verdict, kills, took, dict(visitors.answers))


async def storm(
    house: House,
    *,
    in_flight: int,
    monkey: Monkey,
    sessions: int | None = None,
    seconds: float | None = None,
    manners: Manners | None = None,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Outcome:
    """Let `sessions` visitors come, or those of `seconds`, while `monkey` rages and vendors misbehave.

    `meanwhile` runs beside the monkey until the visitors have left. The monkey goes on until they have; the faults stay
    on until the ledgers agree.
    """
    before = house.kills
    house.cloud.set_faults(weather.storm())
    async with Visitors(house, in_flight, manners or Manners(ends=0.9)) as visitors, progress(house, visitors):
        trouble = [asyncio.create_task(monkey.rage(), name="monkey")]
        if meanwhile is not None:
            trouble.append(asyncio.create_task(meanwhile(), name="meanwhile"))
        try:
            await visitors.come(sessions, seconds=seconds)
        finally:
            for task in trouble:
                task.cancel()
            ends = await asyncio.gather(*trouble, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end
        await disarmed(monkey.slots)
        return await aftermath(house, visitors, since=time.monotonic(), kills=house.kills - before)


async def _main(seconds: float) -> int:
    stop = asyncio.current_task()
    assert stop is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.cancel)
    with tempfile.TemporaryDirectory(prefix="mk0r-storm-", ignore_cleanup_errors=True) as scratch:
        async with open_house(Path(scratch) / "house") as house:
            monkey = Monkey(list(house.slots.values()))
            outcome = await storm(house, in_flight=20, monkey=monkey, seconds=seconds)
            if complaints := outcome.verdict.complaints():
                sys.stderr.write(f"{complaints}\n")
    print(json.dumps(outcome.figures()), flush=True)
    return 0 if outcome.holds else 1


def main() -> int:
    """0 when it came out as it must."""
    parser = argparse.ArgumentParser(prog="tests.faults.storm", description="A short storm of everything at once.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long visitors keep coming")
    try:
        return asyncio.run(_main(parser.parse_args().seconds))
    except asyncio.CancelledError:
        return 130


if __name__ == "__main__":
    sys.exit(main())
