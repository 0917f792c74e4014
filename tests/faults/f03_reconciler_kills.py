"""F3: whoever puts things right is killed too: workers, while jobs that converge, tear down or sweep are in hand.

Web processes die often enough that most of the work is left to jobs.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
from typing import Any

import psycopg

from tests.faults.experiment import on_a_house
from tests.faults.house import House
from tests.faults.monkey import Monkey
from tests.faults.storm import storm

TITLE = "killing the worker that converges, tears down or sweeps loses nothing either"
SMALL, FULL = 6, 500
IN_FLIGHT = 20
_KILLS_PER_SESSION = 1 / 10
_LONG = 400  # sessions
_IN_HAND = "select count(*) from procrastinate_jobs where status = 'doing' and task_name ~ 'converge|teardown|sweep'"
_LOOK_EVERY = 0.1  # seconds: in a short storm a job is seldom in hand
_SWEEP_EVERY = 5.0
# Has every job run now that sweeps vendors' inventories, whatever it is called.
_SWEEP = """
import time
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
for name, task in app.tasks.items():
    if name.startswith("provisioning") and "sweep" in name.rpartition(".")[2]:
        try:
            task.defer(timestamp=int(time.time()))
        except AlreadyEnqueued:
            pass
"""


async def trial(house: House, size: int) -> dict[str, Any]:
    """A storm of `size` sessions, with kills that are aimed at jobs in hand."""
    # In a long run a session that dies often without being at fault must still come to its end within a visit.
    pace = 1.0 if size < _LONG else 4.0
    monkey = Monkey(house.of("web"), every=(0.8 * pace, 2.0 * pace), stops=0)
    most = 2 * size  # of each kind: where processes start slowly nobody would get anywhere between so many deaths
    if size < _LONG:
        monkey.most = monkey.kills + most
    before = _workers_killed(house)
    outcome = await storm(
        house,
        in_flight=min(IN_FLIGHT, size // 2),
        monkey=monkey,
        sessions=size,
        meanwhile=lambda: _aim(house, pace, most),
        enough=lambda: _workers_killed(house) - before >= size * _KILLS_PER_SESSION,
    )
    aimed = _workers_killed(house) - before
    assert aimed >= size * _KILLS_PER_SESSION, f"only {aimed} workers were killed in {size} sessions"
    return {"workers_killed": aimed, **outcome.demand()}


def _workers_killed(house: House) -> int:
    return sum(slot.kills for slot in house.of("worker"))


async def _aim(house: House, pace: float, most: int) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_shoot(house, pace, most))
        if importlib.util.find_spec("provisioning.sweep"):
            group.create_task(_sweep(house))


async def _shoot(house: House, pace: float, most: int) -> None:
    """Kill a worker whenever one has such a job in hand, after a moment that lets the job get somewhere.

    `most` are killed.
    """
    shot = 0
    while shot < most:
        await asyncio.sleep(_LOOK_EVERY)
        try:
            ((in_hand,),) = await asyncio.to_thread(house.rows, _IN_HAND)
        except psycopg.OperationalError:
            continue
        if in_hand:
            await asyncio.sleep(random.uniform(0.0, 0.4))
            random.choice(house.of("worker")).kill()
            shot += 1
            await asyncio.sleep(random.uniform(0.3, 2.0) * pace)


async def _sweep(house: House) -> None:
    while True:
        await house.manage("shell", "--no-imports", "-c", _SWEEP)
        await asyncio.sleep(_SWEEP_EVERY)


run = on_a_house(trial)
