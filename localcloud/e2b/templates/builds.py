"""The builds that are under way: started, watched to their end, cancelled by a newer one, a delete, or the stop."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from localcloud.e2b.requests import BadRequestError
from localcloud.e2b.templates.builder import Builder, BuildError, Order
from localcloud.e2b.templates.buildlog import BuildLog
from localcloud.e2b.templates.catalogue import Catalogue
from localcloud.e2b.templates.records import BUILDING, FAILED, WAITING, Build, Template

log = logging.getLogger("localcloud.e2b")

CONCURRENT = 20
CANCELLED = "build was cancelled"


class TooManyBuildsError(Exception):
    """As many builds run as may."""


class Builds:
    """One task for each build that runs."""

    def __init__(self, catalogue: Catalogue, builder: Builder, directory: Path) -> None:
        self._catalogue = catalogue
        self._builder = builder
        self._directory = directory
        self._running: dict[str, tuple[str, asyncio.Task[None]]] = {}  # by build: its template, its task
        self._logs: dict[str, BuildLog] = {}

    def log(self, build_id: str) -> BuildLog:
        """The log of a build that exists."""
        if build_id not in self._logs:
            self._logs[build_id] = BuildLog(self._directory / f"{build_id}.jsonl")
        return self._logs[build_id]

    async def start(self, template: Template, build: Build, order: Order) -> None:
        """Begin a build that waits; one of the same template that runs is cancelled first.

        Raises `BadRequestError` when it does not wait, and `TooManyBuildsError`.
        """
        if build.status != WAITING:
            raise BadRequestError("build is not in waiting state")
        await self.cancel(template.id)
        if len(self._running) >= CONCURRENT:
            raise TooManyBuildsError
        self._catalogue.mark(template.id, build.id, BUILDING)
        task = asyncio.create_task(self._run(template.id, build.id, order))
        self._running[build.id] = (template.id, task)
        task.add_done_callback(lambda _done: self._running.pop(build.id, None))

    async def _run(self, template_id: str, build_id: str, order: Order) -> None:
        told = self.log(build_id)
        try:
            image = await self._builder.build(template_id, order, told)
            self._catalogue.finish(image, build_id)
            self._catalogue.pool.settled(image.base)
            await self._catalogue.collect()
        except BuildError as problem:
            self._fail(template_id, build_id, str(problem), problem.step)
        except asyncio.CancelledError:
            self._fail(template_id, build_id, CANCELLED, None)
            raise
        except Exception as problem:  # whatever it was, a build that nobody ends would be waited for for ever
            log.exception("build %s failed", build_id)
            self._fail(template_id, build_id, f"localcloud failed, and its log says why: {problem!r}", None)

    def _fail(self, template_id: str, build_id: str, why: str, step: str | None) -> None:
        self.log(build_id).say(f"Build failed: {why}", step=step, level="error")
        reason = {"message": why} if step is None else {"message": why, "step": step}
        self._catalogue.mark(template_id, build_id, FAILED, reason)

    async def cancel(self, template_id: str | None = None) -> None:
        """End the builds of a template, or all; returns when nothing of them runs."""
        tasks = [task for of, task in tuple(self._running.values()) if template_id in (None, of)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def forget(self, template: Template) -> None:
        """Take away the logs of a template that was deleted."""
        for build_id in template.builds:
            self.log(build_id).remove()
            self._logs.pop(build_id, None)
