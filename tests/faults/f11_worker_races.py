"""F11: eight processes take up one session at the same instant: exactly one thing is made per leg, and one session.

All eight are asked to begin under the same `Idempotency-Key`, and later all eight to end it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from typing import Any

from tests.faults.experiment import on_a_house
from tests.faults.house import House
from tests.faults.oracle import KINDS, created_once
from tests.faults.storm import aftermath, progress
from tests.faults.visitors import Manners, Visit, Visitors

TITLE = "eight processes on one session make each thing once"
SMALL, FULL = 4, 1000
RACERS = 8
_AT_A_TIME = 2


async def trial(house: House, size: int) -> dict[str, Any]:
    """`size` races, two at a time."""
    house.cloud.clear_faults()
    await house.grow(RACERS)
    async with Visitors(house, _AT_A_TIME, Manners(retries=0)) as visitors, progress(house, visitors):
        gate = asyncio.Semaphore(_AT_A_TIME)

        async def one() -> str:
            async with gate:
                return await _race(house, visitors)

        slugs = await asyncio.gather(*(one() for _ in range(size)))
        outcome = await aftermath(house, visitors, since=time.monotonic(), kills=0)
    once = created_once(house, [f"mk0r-{slug}" for slug in slugs])
    wanted = Counter({(vendor, kind): size for vendor, kinds in KINDS.items() for kind in kinds})
    assert once == wanted, f"{size} races made {dict(once)}"
    return {"races": size, "racers": RACERS, **outcome.demand()}


async def _race(house: House, visitors: Visitors) -> str:
    token = {"Idempotency-Key": str(uuid.uuid4())}
    begun = await asyncio.gather(
        *(visitors.ask("POST", "", url=url, headers=token, wanted=201) for url in house.urls[:RACERS])
    )
    assert len({one["slug"] for one in begun}) == 1, f"one key began {len({one['slug'] for one in begun})} sessions"
    visit = Visit(begun[0]["slug"], begun[0]["key"], ended=True)
    visitors.visits.append(visit)
    await visitors.settled(visit)
    await asyncio.gather(*(visitors.end(visit, url) for url in house.urls[:RACERS]))
    await visitors.closed(visit)
    visitors.done += 1
    return visit.slug


run = on_a_house(trial)
