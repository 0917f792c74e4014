"""Kills processes at random times: SIGKILL mostly, now and then SIGSTOP for a while, at named points too."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field

from provisioning.faults import CREATE_POINTS, DELETE_POINTS
from tests.faults.processes import Slot

_PROVIDERS = ("neon", "resend", "github", "e2b")


@dataclass
class Monkey:
    """Has its way with the processes in `slots` until its task is cancelled or `most` were killed.

    `every` is the shortest and longest pause between two deeds, in seconds; `stops` the share of them that only stop a
    process, for a time drawn from `stopped`; `ambushes` the share of new processes that are armed to die at a named
    point by themselves.
    """

    slots: Sequence[Slot]
    every: tuple[float, float] = (1.0, 3.0)
    stops: float = 0.1
    # Shorter than a silence that costs a process its legs: what one makes after that and dies before it gives it back
    # is for a sweep to find. F12 is about processes that sleep longer.
    stopped: tuple[float, float] = (0.5, 2.5)
    ambushes: float = 0.3
    most: int | None = None
    random: random.Random = field(default_factory=random.Random)

    @property
    def kills(self) -> int:
        """How many were killed, at random or at a point."""
        return sum(slot.kills for slot in self.slots)

    async def rage(self) -> None:
        """Do so; leaves nothing armed and nothing stopped behind."""
        for slot in self.slots:
            slot.points = self._ambush
        try:
            async with asyncio.TaskGroup() as group:
                while self.most is None or self.kills < self.most:
                    await asyncio.sleep(self.random.uniform(*self.every))
                    if not self.slots:
                        continue
                    slot = self.random.choice(self.slots)
                    if self.random.random() < self.stops:
                        group.create_task(self._stop(slot))
                    else:
                        slot.kill()
        finally:
            for slot in self.slots:
                slot.points = str
                if slot.process is not None:
                    slot.process.send(signal.SIGCONT)

    def _ambush(self) -> str:
        """Rules for `MK0R_FAULT_POINTS`: nothing, or death at one of the points of one provider."""
        if self.random.random() >= self.ambushes:
            return ""
        where = self.random.choice(CREATE_POINTS + DELETE_POINTS)
        return f"{self.random.choice(_PROVIDERS)}.{where}=kill:0.5"

    async def _stop(self, slot: Slot) -> None:
        process = slot.process
        if process is None:
            return
        process.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(self.random.uniform(*self.stopped))
        finally:
            process.send(signal.SIGCONT)


async def disarmed(slots: Sequence[Slot]) -> None:
    """Replace processes that are still armed, so that nobody dies after the last kill that was meant."""
    await asyncio.gather(*(slot.replace() for slot in slots))
