"""The product's processes under a harness: forked from a zygote, watched, started anew when they end, killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from provisioning.faults import VARIABLE
from tests.fixtures.cloud import ROOT

_PAUSE = 0.2  # seconds before a process that ended is started anew


class Process:
    """One running process. Signals reach it and never another that was given its number since."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._handle = os.pidfd_open(pid)

    @property
    def alive(self) -> bool:
        """Whether it has not ended as far as we were told."""
        return not self.ended.done()

    @property
    def stopped(self) -> bool:
        """Whether it stands still at a SIGSTOP."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        except OSError:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        with contextlib.suppress(ProcessLookupError, OSError):
            signal.pidfd_send_signal(self._handle, number)

    def close(self, status: int) -> None:
        """Note its end."""
        if not self.ended.done():
            self.ended.set_result(status)
            os.close(self._handle)


class Zygote:
    """The parent of the product's processes; see `zygote.py`."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment, self._log = dict(environment), log
        self._children: dict[int, Process] = {}
        self._starting: asyncio.Queue[asyncio.Future[Process]] = asyncio.Queue()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start it and wait until everything is imported. Raises `RuntimeError` when that fails."""
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.zygote", cwd=ROOT, env=self._environment,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=output, start_new_session=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        if not await self._process.stdout.readline():
            raise RuntimeError(f"the zygote did not start:\n{self._log.read_text()[-4000:]}")
        self._reader = asyncio.create_task(self._read(self._process.stdout), name="zygote")

    async def close(self) -> None:
        """End it and every child of it at once."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def fork(self, *arguments: str, log: Path, environment: Mapping[str, str]) -> Process:
        """Run one command of `manage.py` in a child."""
        assert self._process is not None
        assert self._process.stdin is not None
        started: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._starting.put_nowait(started)
        order = {"arguments": arguments, "environment": dict(environment), "log": str(log)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return await started

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            said = json.loads(line)
            if "started" in said:
                process = self._children[said["started"]] = Process(said["started"])
                self._starting.get_nowait().set_result(process)
            else:
                self._children.pop(said["ended"]).close(said["status"])
        for process in self._children.values():
            process.close(-signal.SIGKILL)


@dataclass
class Slot:
    """One place for a process, as a supervisor keeps it: whatever ends there is started anew at once.

    `points` is what the next process is armed with, see `provisioning.faults`; `kills` counts the ends by SIGKILL.
    """

    name: str
    zygote: Zygote
    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str]
    points: Callable[[], str] = lambda: ""
    process: Process | None = None
    kills: int = 0
    exits: list[int] = field(default_factory=list)
    _keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start its process and keep it running from now on."""
        await self._fork()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self, *, grace: float = 0.0) -> float:
        """Keep it running no longer and end it: SIGTERM, then SIGKILL after `grace` seconds. Returns what it took."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        process, loop = self.process, asyncio.get_running_loop()
        if process is None or not process.alive:
            return 0.0
        began = loop.time()
        if grace:
            process.send(signal.SIGTERM)
            await asyncio.wait([process.ended], timeout=grace)
        process.send(signal.SIGKILL)
        await asyncio.wait([process.ended], timeout=10)
        return loop.time() - began

    def kill(self) -> bool:
        """SIGKILL its process; False when there is none at the moment."""
        if self.process is None or not self.process.alive:
            return False
        self.process.send(signal.SIGKILL)
        return True

    async def replace(self, points: str = "") -> Process:
        """Kill its process, which does not count, and wait for the next one, which alone is armed with `points`."""
        before, armed = self.process, self.points
        self.points = lambda: points
        if self.kill():
            self.kills -= 1
        while self.process is before or self.process is None:
            await asyncio.sleep(0.02)
        self.points = armed
        return self.process

    async def retire(self, *, within: float) -> None:
        """Have its process end in order, which lets it finish what it has in hand; another takes its place."""
        process = self.process
        assert process is not None
        process.send(signal.SIGTERM)
        await asyncio.wait([process.ended], timeout=within)
        assert not process.alive, f"{self.name} did not stop in {within:g} s"

    async def _keep(self) -> None:
        while True:
            assert self.process is not None
            status = await asyncio.shield(self.process.ended)
            self.exits.append(status)
            self.kills += status == -signal.SIGKILL
            await asyncio.sleep(_PAUSE)
            await self._fork()

    async def _fork(self) -> None:
        environment = {**self.environment, VARIABLE: self.points()}
        self.process = await self.zygote.fork(*self.arguments, log=self.log, environment=environment)
