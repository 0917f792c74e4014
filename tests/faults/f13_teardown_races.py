"""F13: a session is ended while it is being made, at every point: whoever is last, nothing is left.

The making process stands still at the point, a blocked thread, while another process is told to end the session. Then
it goes on, and finds out.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

from provisioning.faults import CREATE_POINTS
from tests.faults.experiment import armed, on_a_house
from tests.faults.house import House
from tests.faults.oracle import KINDS
from tests.faults.storm import aftermath, progress
from tests.faults.visitors import Manners, Visitors

TITLE = "a teardown during a create leaves nothing, whoever comes last"
SMALL, FULL = 16, 500
_HELD = 0.4  # seconds a process stands still at a point
_AT_A_TIME = 4


async def trial(house: House, size: int) -> dict[str, Any]:
    """`size` teardowns: `_AT_A_TIME` sessions at once, each round of them at the next point of the next provider."""
    house.cloud.clear_faults()
    pairs = itertools.cycle((provider, where) for where in CREATE_POINTS for provider in KINDS)
    maker, ender = house.of("web")[:2]
    assert maker is not ender
    async with Visitors(house, _AT_A_TIME, Manners(retries=0)) as visitors, progress(house, visitors):
        for _ in range(0, size, _AT_A_TIME):
            rules = ";".join(f"{provider}.{where}=sleep-{_HELD}" for provider, where in itertools.islice(pairs, 2))
            await armed([maker], rules)
            await house.until_answers(house.urls[0])
            await asyncio.gather(*(_one(house, visitors, number) for number in range(_AT_A_TIME)))
        await armed([maker], "")
        outcome = await aftermath(house, visitors, since=time.monotonic(), kills=0)
    return outcome.demand()


async def _one(house: House, visitors: Visitors, number: int) -> None:
    visit = await visitors.begin(house.urls[0])
    await asyncio.sleep(number * _HELD / 2)
    await visitors.end(visit, house.urls[1])
    await visitors.closed(visit)
    visitors.done += 1


run = on_a_house(trial)
