"""The sandboxes of this localcloud: made, timed, paused, resumed and ended here, each on one `runtime.Runtime`.

A sandbox is known from the moment its envd answers until everything of it is gone: processes, mounts, sockets, files.
None outlives the localcloud that made it; one that a killed localcloud left behind is swept at the next start and
counts as expired, as it would at the vendor.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from pathlib import Path
from typing import Any

from localcloud.e2b import power, runtime
from localcloud.e2b.image import Image
from localcloud.e2b.power import Ground
from localcloud.e2b.removal import remove_tree
from localcloud.e2b.sandbox import (
    BusyError,
    FullError,
    GoneError,
    Sandbox,
    StateError,
    UnresponsiveError,
    Wanted,
    new_id,
)
from localcloud.e2b.templates.pool import Pool
from localcloud.store import Store

__all__ = ["GoneError", "Ground", "Sandboxes"]

log = logging.getLogger("localcloud.e2b")

CONCURRENT = 100
TICK_SECONDS = 1.0
VENDOR, KIND = "e2b", "sandbox"


class Sandboxes:
    """The registry. Use `open` before the first create, and `close` at the end, which ends them all."""

    def __init__(self, store: Store, ground: Ground) -> None:
        self._store = store
        self._ground = ground
        self._living: dict[str, Sandbox] = {}
        self._by_key: dict[str, tuple[Wanted, asyncio.Task[Sandbox]]] = {}
        self._booting: list[runtime.Base] = []
        self._reaper: asyncio.Task[None] | None = None
        self._creates: set[asyncio.Task[Any]] = set()
        self._ends: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """End what an earlier localcloud left behind, and begin to watch over timeouts."""
        swept = await runtime.sweep(self._ground.directory)
        if swept:
            log.info("ended what %d sandboxes had left running", swept)
        for lost in self._store.all(VENDOR, KIND):
            self._store.delete(VENDOR, KIND, lost.id)
        await asyncio.to_thread(_clear, self._ground.directory)
        self._reaper = asyncio.create_task(self._reap())

    async def close(self) -> None:
        """End every sandbox and wait until all of them are gone."""
        if self._reaper is not None:
            self._reaper.cancel()
        for task in tuple(self._creates):
            task.cancel()
        await asyncio.gather(*self._creates, return_exceptions=True)
        await asyncio.gather(*(self.kill(sandbox.id) for sandbox in self.all()), return_exceptions=True)
        await asyncio.gather(*self._ends, return_exceptions=True)

    def cut_all(self) -> None:
        """End every request in flight to any sandbox, so that a stopping server need not wait for streams."""
        for sandbox in self._living.values():
            sandbox.cut()

    def all(self) -> list[Sandbox]:
        """Every living sandbox, oldest first."""
        return [sandbox for sandbox in self._living.values() if not sandbox.ended]

    def bases(self) -> list[runtime.Base]:
        """What they all started from, with those that are only being made or ended."""
        return [*self._booting, *(sandbox.image.base for sandbox in self._living.values())]

    def get(self, sandbox_id: str) -> Sandbox:
        """The living sandbox of this id. Raises `GoneError`."""
        sandbox = self._living.get(sandbox_id)
        if sandbox is None or sandbox.ended:
            raise GoneError(sandbox_id)
        return sandbox

    async def reach(self, sandbox_id: str) -> Sandbox:
        """The sandbox, running: one that resumes by itself is resumed. Raises `GoneError` when traffic finds nobody."""
        sandbox = self.get(sandbox_id)
        if sandbox.paused:
            async with sandbox.lock:
                woken = sandbox.wanted.auto_resume and sandbox.pause_mode != "filesystem"
            if not woken:
                raise GoneError(sandbox_id)
            await self.resume(sandbox, sandbox.wanted.timeout)
        if sandbox.machine is None or not sandbox.machine.alive:
            raise GoneError(sandbox_id)
        return sandbox

    async def create(self, wanted: Wanted, key: str | None = None, image: Image | None = None) -> Sandbox:
        """Boot a sandbox, from *image* if that is given; returns once its envd answers, even if the asker is gone.

        A second call with the same *key* joins or repeats the first for as long as its sandbox lives; asking for
        something else under it raises `StateError`. Raises `FullError`, `image.UnknownTemplateError` and
        `runtime.LaunchError`.
        """
        if key is not None and (known := self._by_key.get(key)) is not None:
            if known[0] != wanted:
                raise StateError("Idempotency-Key was used with other parameters")
            return await asyncio.shield(known[1])
        if len(self._living) + len(self._creates) >= CONCURRENT:
            raise FullError
        task = asyncio.create_task(self._create(wanted, image))
        _keep(self._creates, task)
        if key is not None:
            self._by_key[key] = (wanted, task)
            task.add_done_callback(lambda done: self._forget_failed(key, done))
        return await asyncio.shield(task)

    def _forget_failed(self, key: str, task: asyncio.Task[Sandbox]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._by_key.pop(key, None)

    async def _create(self, wanted: Wanted, image: Image | None) -> Sandbox:
        image = image or await self._ground.image(wanted.template)
        self._booting.append(image.base)
        try:
            return await self._boot(wanted, image)
        finally:
            self._booting.remove(image.base)

    async def _boot(self, wanted: Wanted, image: Image) -> Sandbox:
        sandbox_id = new_id()
        now = time.time()
        sandbox = Sandbox(
            id=sandbox_id,
            wanted=wanted,
            image=image,
            access_token=secrets.token_hex(32),
            directory=self._ground.directory / sandbox_id,
            started_at=now,
            end_at=now + wanted.timeout,
        )
        sandbox.directory.mkdir(mode=0o700, parents=True)
        try:
            await power.boot(sandbox, self._ground)
        except BaseException:
            await asyncio.to_thread(remove_tree, sandbox.directory)
            raise
        sandbox.end_at = time.time() + wanted.timeout
        self._store.add(
            VENDOR, KIND, sandbox_id, wanted.name or sandbox_id,
            {"template": wanted.template, "metadata": wanted.metadata},
        )  # fmt: skip
        self._living[sandbox_id] = sandbox
        return sandbox

    def set_timeout(self, sandbox: Sandbox, seconds: int) -> None:
        """Let it end *seconds* from now, sooner or later than before."""
        sandbox.end_at = time.time() + seconds

    def extend(self, sandbox: Sandbox, seconds: int) -> None:
        """Let it live at least *seconds* from now."""
        sandbox.end_at = max(sandbox.end_at, time.time() + seconds)

    async def pause(self, sandbox: Sandbox, *, memory: bool = True, healthy: bool = False) -> None:
        """Stop it where it stands, or, without *memory*, keep its files only.

        Raises `StateError`, `GoneError`, and `BusyError` when its envd does not answer, which matters without memory
        and where it was asked to be *healthy*; otherwise it is only noted.
        """
        async with sandbox.lock:
            if sandbox.ended:
                raise GoneError(sandbox.id)
            if sandbox.paused:
                raise StateError(f"Sandbox {sandbox.id} is already paused")
            sandbox.unresponsive = not await power.responsive(sandbox)
            if sandbox.unresponsive and (healthy or not memory):
                raise BusyError(f"Sandbox {sandbox.id} cannot be paused: its guest agent does not answer")
            sandbox.paused = True
            sandbox.cut()
            if sandbox.machine is not None and memory:
                await sandbox.machine.freeze()
            else:
                await power.halt(sandbox)
            sandbox.pause_mode = "filesystem" if sandbox.machine is None else "full"

    async def resume(self, sandbox: Sandbox, seconds: int, *, memory: bool = True) -> bool:
        """Make it run again for *seconds*, without *memory* from its files only; False when it ran already.

        Raises `GoneError`, `UnresponsiveError` and `runtime.LaunchError`.
        """
        async with sandbox.lock:
            if sandbox.ended:
                raise GoneError(sandbox.id)
            if not sandbox.paused:
                return False
            if sandbox.machine is not None and memory:
                if sandbox.unresponsive:
                    raise UnresponsiveError(sandbox.id)
                await sandbox.machine.thaw()
            else:
                await power.halt(sandbox)
                await power.boot(sandbox, self._ground)
            sandbox.end_at = time.time() + seconds
            sandbox.paused, sandbox.pause_mode = False, None
            return True

    async def snapshot(self, sandbox: Sandbox, pool: Pool) -> runtime.Base:
        """Keep what its directories hold at one moment, for which it stands still. `GoneError` unless it runs."""
        async with sandbox.lock:
            machine = sandbox.machine
            if sandbox.ended or sandbox.paused or machine is None:
                raise GoneError(sandbox.id)
            await machine.freeze()
            try:
                return await pool.keep(machine.standing(), move=False)
            finally:
                await machine.thaw()

    async def kill(self, sandbox_id: str) -> None:
        """End it; when this returns its processes are dead, its files gone and the ledger says so. Raises `GoneError`.

        Runs to its end whatever becomes of the caller. Raises `runtime.LaunchError` when a process resists; the
        sandbox is unreachable by then and ending it is tried again by the reaper.
        """
        sandbox = self.get(sandbox_id)
        sandbox.ended = True
        self._by_key = {key: known for key, known in self._by_key.items() if not _made(known[1], sandbox)}
        task = asyncio.create_task(self._end(sandbox))
        _keep(self._ends, task)
        await asyncio.shield(task)

    async def _end(self, sandbox: Sandbox) -> None:
        sandbox.cut()
        async with sandbox.lock:
            await power.halt(sandbox)
            await asyncio.to_thread(remove_tree, sandbox.directory)
            self._store.delete(VENDOR, KIND, sandbox.id)
            self._living.pop(sandbox.id, None)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for sandbox in tuple(self._living.values()):
                try:
                    await self._judge(sandbox)
                except GoneError:
                    continue
                except Exception:  # one sandbox that resists must not keep the others alive
                    log.exception("sandbox %s could not be ended and is tried again", sandbox.id)

    async def _judge(self, sandbox: Sandbox) -> None:
        if sandbox.ended:
            if not sandbox.lock.locked():
                await self._end(sandbox)
        elif sandbox.machine is not None and not sandbox.machine.alive and not sandbox.lock.locked():
            log.warning("sandbox %s ended by itself", sandbox.id)
            await self.kill(sandbox.id)
        elif not sandbox.paused and time.time() >= sandbox.end_at:
            log.info("sandbox %s reached its timeout", sandbox.id)
            await self._expire(sandbox)

    async def _expire(self, sandbox: Sandbox) -> None:
        if not sandbox.wanted.auto_pause:
            await self.kill(sandbox.id)
            return
        memory = sandbox.wanted.auto_pause_memory
        await self.pause(sandbox, memory=memory or not await power.responsive(sandbox))


def _keep(tasks: set[asyncio.Task[Any]], task: asyncio.Task[Any]) -> None:
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def _made(task: asyncio.Task[Sandbox], sandbox: Sandbox) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None and task.result() is sandbox


def _clear(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in directory.iterdir():
        with contextlib.suppress(OSError):
            remove_tree(left)
