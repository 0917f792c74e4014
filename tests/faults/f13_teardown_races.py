"""F13: a session is ended while it is being made, at every point: whoever comes last, nothing is left.

The making process stands still at the point, stopped, while another process ends the session. Then it goes on, from the
middle of what it was doing, in a session that is no longer wanted.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from typing import Any

from provisioning.faults import CREATE_POINTS
from tests.faults.experiment import armed, on_a_house, stands_still, woken
from tests.faults.house import House
from tests.faults.oracle import KINDS
from tests.faults.processes import Process, Slot
from tests.faults.storm import aftermath, progress
from tests.faults.visitors import Manners, Visitors

TITLE = "a teardown during a create leaves nothing, whoever comes last"
SMALL, FULL = len(CREATE_POINTS), 500
_LANES = 2
_STILL = (0.0, 1.0)  # seconds between the end being asked for and the maker's going on


def points() -> Iterator[tuple[str, str]]:
    """Provider and point of each trial: each point in turn, with another provider each time round."""
    for turn in itertools.count():
        for step, where in enumerate(CREATE_POINTS):
            yield list(KINDS)[(turn + step) % len(KINDS)], where


async def trial(house: House, size: int) -> dict[str, Any]:
    """`size` sessions, two at a time: each lane has a web process that makes and one that ends."""
    house.cloud.clear_faults()
    await house.grow(2 * _LANES)
    async with (
        Visitors(house, _LANES, Manners(retries=0), urls=house.urls[1::2]) as visitors,
        progress(house, visitors),
    ):
        todo = itertools.islice(points(), size)

        async def lane(maker: Slot, making: str, ending: str) -> None:
            for provider, where in todo:
                (process,) = await armed([maker], f"{provider}.{where}=stop")
                await house.until_answers(making)
                await _race(visitors, process, f"{provider}.{where}", making, ending)
            await armed([maker], "")

        makers, urls = house.of("web"), house.urls
        async with asyncio.TaskGroup() as group:
            for number in range(0, 2 * _LANES, 2):
                group.create_task(lane(makers[number], urls[number], urls[number + 1]))
        outcome = await aftermath(house, visitors, since=time.monotonic(), kills=0)
    return outcome.demand()


async def _race(visitors: Visitors, process: Process, where: str, making: str, ending: str) -> None:
    beginning = asyncio.create_task(visitors.begin(making))
    assert await stands_still(process, within=30), f"nobody came to {where}"
    visit = await beginning  # answered by another process where the first stopped before it could
    await visitors.end(visit, ending)
    await asyncio.sleep(random.uniform(*_STILL))
    async with woken(process):
        await visitors.closed(visit)
    visitors.done += 1


run = on_a_house(trial)
