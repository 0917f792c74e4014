"""F1: SIGKILL at every named crash point of every provider, while things are made and while they are destroyed.

Three trials of four kill the web process that began the session, the fourth a worker that took it over. A trial waits
for its kill, not for what is left to be finished: that goes on under the next ones, and is judged at the end.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from provisioning.faults import CREATE_POINTS, DELETE_POINTS
from tests.faults.experiment import armed, first_dead, on_a_house
from tests.faults.house import House
from tests.faults.oracle import KINDS
from tests.faults.storm import aftermath, progress
from tests.faults.visitors import Manners, Visit, Visitors

TITLE = "a process killed at any crash point leaves nothing, makes nothing twice and loses nothing"
ROUNDS = 20
_POINTS = [(provider, where) for provider in KINDS for where in CREATE_POINTS + DELETE_POINTS]
_POINTS += [("posthog", where) for where in ("before_gone", "after_gone")]  # nothing of it is made or deleted remotely
SMALL = len(CREATE_POINTS + DELETE_POINTS)  # each point once, at one provider or another
FULL = ROUNDS * len(_POINTS)
_WITHIN = 12.0  # seconds until a point is reached
_TRIES = 5
_KEPT_OPEN = 20  # sessions whose secrets are tried at the end
# Ends the web process before it has done anything, so that a worker does it.
_HAND_OVER = {"create": "*.before_claim=kill", "delete": "*.before_delete=kill;*.before_gone=kill"}


@dataclass(frozen=True)
class Crash:
    """One trial: where, and in which process."""

    provider: str
    where: str
    by_worker: bool

    @property
    def verb(self) -> str:
        """Whether the point is passed while things are made or while they are destroyed."""
        return "create" if self.where in CREATE_POINTS else "delete"

    @property
    def rule(self) -> str:
        """What arms a process with it."""
        return f"{self.provider}.{self.where}=kill"


def crashes(number: int) -> list[Crash]:
    """So many trials: each point in turn with another provider each time round, until every pair had its turn."""
    return [Crash(*pair, by_worker=count % 4 == 3) for count, pair in enumerate(itertools.islice(_in_turn(), number))]


def _in_turn() -> Iterator[tuple[str, str]]:
    wheres = CREATE_POINTS + DELETE_POINTS
    for turn in itertools.count():
        providers = list(KINDS)
        for step, where in enumerate(wheres):
            yield providers[(turn + step) % len(providers)], where
        if turn % len(providers) == len(providers) - 1:
            yield from (("posthog", where) for where in ("before_gone", "after_gone"))


async def trial(house: House, size: int) -> dict[str, Any]:
    """Run `size` crashes, two at a time: one web process each, the workers for one of them."""
    house.cloud.clear_faults()
    before = house.kills
    async with Visitors(house, 4, Manners(retries=0)) as visitors, progress(house, visitors):
        todo = iter(crashes(size))
        workers = asyncio.Lock()

        async def lane(number: int) -> None:
            for crash in todo:
                await _crash(house, visitors, crash, number, workers)

        async with asyncio.TaskGroup() as group:
            for number in range(2):
                group.create_task(lane(number))
        outcome = await aftermath(house, visitors, since=time.monotonic(), kills=house.kills - before)
    return {"points": len(_POINTS), **outcome.demand()}


async def _crash(house: House, visitors: Visitors, crash: Crash, number: int, workers: asyncio.Lock) -> None:
    for _ in range(_TRIES):
        if await _fires(house, visitors, crash, number, workers):
            break
    else:
        raise AssertionError(f"nobody came to {crash.provider}.{crash.where} in {_TRIES} tries\n{house.words()}")
    if crash.verb == "create" and sum(not one.ended for one in visitors.visits) > _KEPT_OPEN:
        await visitors.end(next(one for one in visitors.visits if not one.ended))


async def _fires(house: House, visitors: Visitors, crash: Crash, number: int, workers: asyncio.Lock) -> bool:
    """Whether the armed process died; another may have done its work, when a request was repeated."""
    visit = await _ready(visitors) if crash.verb == "delete" else None
    if not crash.by_worker:
        process = await _provoke(house, visitors, crash, number, visit, crash.rule)
        return await first_dead([process], within=_WITHIN) is not None
    async with workers:
        armed_workers = await armed(house.of("worker"), crash.rule)
        await _provoke(house, visitors, crash, number, visit, _HAND_OVER[crash.verb])
        fired = await first_dead(armed_workers, within=_WITHIN)
        await armed(house.of("worker"), "")
    return fired is not None


async def _ready(visitors: Visitors) -> Visit:
    visit = await visitors.begin()
    visit.ended = True  # it will be: nobody else ends it meanwhile
    await visitors.settled(visit)
    return visit


async def _provoke(house: House, visitors: Visitors, crash: Crash, number: int, visit: Visit | None, rule: str) -> Any:
    """Have web process `number`, armed with `rule`, begin a session or end the one given."""
    (process,) = await armed([house.of("web")[number]], rule)
    await house.until_answers(house.urls[number])
    if visit is None:
        await visitors.begin(house.urls[number])
    else:
        await visitors.end(visit, house.urls[number])
    return process


run = on_a_house(trial, MK0R_SAFETY_NET="1", MK0R_JOB_POLL="0.5")
