"""F5: the channel layer is killed and comes back, over and over, while browsers watch sessions come up and go down."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from typing import Any

from tests.faults.experiment import on_a_house
from tests.faults.house import House
from tests.faults.sockets import Watcher
from tests.faults.storm import aftermath, progress
from tests.faults.visitors import Manners, Visitors

TITLE = "without a channel layer browsers are late, and miss nothing"
SMALL, FULL = 12, 200
_PER_SESSION = 4
_IN_FLIGHT = 10
_RESTARTS_PER_SOCKET = 1 / 10
_WITHIN = 5.0  # seconds from a change to every browser's knowing it
_LAST = "select slug, last_seq, state from sessions_app_session"


async def trial(house: House, size: int) -> dict[str, Any]:
    """`size` sockets, four on each session; half of the sessions are ended under their eyes."""
    assert shutil.which("redis-server"), "this experiment needs redis-server"
    house.cloud.clear_faults()
    restarts = 0

    async def cut(number: int) -> None:
        nonlocal restarts
        while restarts < number:
            await asyncio.sleep(random.uniform(0.3, 1.0))
            house.kill_redis()
            await asyncio.sleep(random.uniform(0.2, 1.5))
            house.start_redis()
            restarts += 1

    watchers: list[Watcher] = []
    async with Visitors(house, _IN_FLIGHT, Manners(retries=0)) as visitors, progress(house, visitors):
        async with asyncio.TaskGroup() as group:
            cutting = group.create_task(cut(max(2, round(size * _RESTARTS_PER_SOCKET))))
            gate = asyncio.Semaphore(_IN_FLIGHT)
            watching: list[asyncio.Task[None]] = []

            async def one(number: int) -> None:
                async with gate:
                    visit = await visitors.begin()
                    mine = [Watcher(house, visit) for _ in range(_PER_SESSION)]
                    watchers.extend(mine)
                    watching.extend(group.create_task(watcher.watch()) for watcher in mine)
                    await visitors.settled(visit)
                    if number % 2:
                        await visitors.end(visit)
                        await visitors.closed(visit)
                    visitors.done += 1

            visits = [group.create_task(one(number)) for number in range(size // _PER_SESSION)]
            await asyncio.wait([cutting, *visits])
            behind = await _all_know(house, watchers)
            for task in watching:
                task.cancel()
        outcome = await aftermath(house, visitors, since=time.monotonic(), kills=0)
    _no_gaps(watchers)
    return {"sockets": len(watchers), "restarts": restarts, "behind_s": round(behind, 1), **outcome.demand()}


async def _all_know(house: House, watchers: list[Watcher]) -> float:
    """Wait until every socket holds what the database holds; returns how long that took."""
    began = time.monotonic()
    while True:
        rows = {slug: (seq, state) for slug, seq, state in await asyncio.to_thread(house.rows, _LAST)}
        late = [one for one in watchers if (one.last, one.session) != rows[one.visit.slug]]
        took = time.monotonic() - began
        if not late:
            return took
        assert took < _WITHIN, "; ".join(_told(one, rows[one.visit.slug]) for one in late[:5])
        await asyncio.sleep(0.1)


def _told(watcher: Watcher, row: tuple[int, str]) -> str:
    return f"a socket on {watcher.visit.slug} knows {watcher.last} ({watcher.session}), the database {row}"


def _no_gaps(watchers: list[Watcher]) -> None:
    for one in watchers:
        assert one.seqs == list(range(1, len(one.seqs) + 1)), f"a socket on {one.visit.slug} was sent {one.seqs}"


run = on_a_house(trial)
