"""F23: SIGTERM with fifty sessions in flight: every process is gone within 20 s, and what it left is taken up."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.faults import weather
from tests.faults.experiment import on_a_house
from tests.faults.house import House
from tests.faults.storm import aftermath, progress
from tests.faults.visitors import Manners, Visitors

TITLE = "SIGTERM drains in 20 s or leaves rows that another process takes up"
SMALL, FULL = 1, 100
IN_FLIGHT = 50
GRACE = 20.0  # seconds a process has, as a supervisor gives it
_SLOW = 1.5  # seconds added to each create, so that the signal finds work in hand
_FEW = 10


async def trial(house: House, size: int) -> dict[str, Any]:
    """`size` orderly stops of every process, each with fifty sessions in flight; ten in a single one."""
    in_flight = IN_FLIGHT if size > 1 else _FEW
    slowest = 0.0
    async with Visitors(house, in_flight, Manners(early=0.0, retries=0)) as visitors, progress(house, visitors):
        for number in range(size):
            house.cloud.set_faults(weather.slow(_SLOW))
            coming = asyncio.create_task(visitors.come(in_flight))
            while len(visitors.visits) < (number + 1) * in_flight and not coming.done():
                await asyncio.sleep(0.05)
            took = await asyncio.gather(*(slot.stop(grace=GRACE * 1.5) for slot in house.slots.values()))
            slowest = max(slowest, *took)
            house.cloud.clear_faults()
            await asyncio.gather(*(slot.start() for slot in house.slots.values()))
            await coming
            told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in zip(house.slots, took, strict=True))
            assert slowest <= GRACE, f"a process took longer than {GRACE:g} s to stop: {told}"
        outcome = await aftermath(house, visitors, since=time.monotonic(), kills=0)
    return {"stops": size, "slowest_stop_s": round(slowest, 1), **outcome.demand()}


run = on_a_house(trial)
