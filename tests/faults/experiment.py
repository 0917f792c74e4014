"""What experiments share that stand on a house: each is a `trial(house, size)`, in a house of its own or one shared."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.faults.house import House, open_house
from tests.faults.processes import Process, Slot

Trial = Callable[[House, int], Awaitable[dict[str, Any]]]


def on_a_house(trial: Trial, **environment: str) -> Callable[[int, Path], dict[str, Any]]:
    """`run(size, scratch)` of an experiment: its trial in a house of its own, with these settings of the product."""

    async def main(size: int, scratch: Path) -> dict[str, Any]:
        end_on_signals()
        async with open_house(scratch / "house", **environment) as house:
            return await trial(house, size)

    def run(size: int, scratch: Path) -> dict[str, Any]:
        return asyncio.run(main(size, scratch))

    return run


def end_on_signals() -> None:
    """Have the first SIGINT or SIGTERM cancel this task, so that everything it started is ended; others are ignored."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def end() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)


async def first_dead(processes: list[Process], *, within: float) -> Process | None:
    """The first of them to be killed in that time; raises `AssertionError` when one ends in another way."""
    await asyncio.wait([one.ended for one in processes], timeout=within, return_when=asyncio.FIRST_COMPLETED)
    dead = next((one for one in processes if one.ended.done()), None)
    if dead is not None:
        assert dead.ended.result() == -signal.SIGKILL, f"process {dead.pid} ended with {dead.ended.result()}"
    return dead


async def stands_still(process: Process, *, within: float) -> bool:
    """Whether it comes to be stopped in that time."""
    deadline = time.monotonic() + within
    while not process.stopped:
        if not process.alive or time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


@contextlib.asynccontextmanager
async def woken(process: Process) -> AsyncIterator[None]:
    """Let it go on, and again each time it comes to stop, while the block lasts."""

    async def keep_waking() -> None:
        while True:
            process.send(signal.SIGCONT)
            await asyncio.sleep(0.1)

    waking = asyncio.create_task(keep_waking())
    try:
        yield
    finally:
        waking.cancel()


async def armed(slots: list[Slot], points: str) -> list[Process]:
    """New processes in these places, each armed with `points`; the ones after them are not."""
    return list(await asyncio.gather(*(slot.replace(points) for slot in slots)))
