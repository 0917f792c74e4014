"""F12: a process is paused in the middle of a leg until another has taken the leg over, and then goes on.

What it still writes is of an attempt that has been replaced and changes no row; what it still makes is given back.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any

from tests.faults.experiment import armed, on_a_house, stands_still, woken
from tests.faults.house import House
from tests.faults.oracle import KINDS, judge
from tests.faults.processes import Process
from tests.faults.storm import aftermath, progress
from tests.faults.visitors import Manners, Visit, Visitors

TITLE = "a worker that slept past its lease writes nothing and leaves nothing when it wakes"
SMALL, FULL = 3, 100
_POINTS = ("before_http", "after_http", "after_keep", "after_claim", "before_finish", "after_finish")
_RETIRES_WITHIN = 25.0  # seconds
_LATE_WRITES = 1.5  # seconds in which the one that woke does what it can
_ATTEMPTS = """
    select r.id, r.attempt, r.external_id, r.state from provisioning_resource r
    join sessions_app_session s on s.id = r.session_id where s.slug = %s order by r.id
"""


def points() -> Iterator[tuple[str, str]]:
    """Provider and point of each trial: each point in turn, with another provider each time round."""
    for turn in itertools.count():
        for step, where in enumerate(_POINTS):
            yield list(KINDS)[(turn + step) % len(KINDS)], where


async def trial(house: House, size: int) -> dict[str, Any]:
    """`size` sessions, one after another; nobody knocks at the process that is to sleep."""
    house.cloud.clear_faults()
    sleeper = house.of("web")[0]
    async with Visitors(house, 1, Manners(retries=0), urls=house.urls[1:2]) as visitors, progress(house, visitors):
        for provider, where in itertools.islice(points(), size):
            (process,) = await armed([sleeper], f"{provider}.{where}=stop")
            await house.until_answers(house.urls[0])
            await _oversleep(house, visitors, process, f"{provider}.{where}")
            await sleeper.retire(within=_RETIRES_WITHIN)  # killed at once it could not give back what it made too late
        await armed([sleeper], "")
        outcome = await aftermath(house, visitors, since=time.monotonic(), kills=0)
    return outcome.demand()


async def _oversleep(house: House, visitors: Visitors, process: Process, where: str) -> None:
    visit = await visitors.begin(house.urls[0])
    assert await stands_still(process, within=30), f"nobody came to {where}"
    await visitors.settled(visit)
    before = await asyncio.to_thread(house.rows, _ATTEMPTS, visit.slug)
    async with woken(process):
        await asyncio.sleep(_LATE_WRITES)
    after = await asyncio.to_thread(house.rows, _ATTEMPTS, visit.slug)
    assert after == before, f"the sleeper of {where} wrote: {before} became {after}"
    assert not (await asyncio.to_thread(judge, house)).lost_secrets
    await _leave(visitors, visit)


async def _leave(visitors: Visitors, visit: Visit) -> None:
    """Every other session stays for the oracle."""
    visitors.done += 1
    if visitors.done % 2:
        await visitors.end(visit)
        await visitors.closed(visit)


run = on_a_house(trial)
