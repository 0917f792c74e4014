"""What sandboxes boot from, made ready in the background: the isolation in use, the starter project, the agent's CLI.

Which isolation it is goes into `cloud.json` as `isolation` once it is known: a mode, or `none` with the reason in
`isolation_trouble` when the one asked for does not work. How far the rest is stands in
`<cloud directory>/progress.json`, `{what: percent}`, for whoever shows it to a person, and in the note of
the `/_cloud/` page.
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

from localcloud.announcement import announce
from localcloud.cloud import Cloud
from localcloud.e2b import requests, runtime, tree
from localcloud.e2b.image import Image, UnknownTemplateError
from localcloud.e2b.names import parse
from localcloud.e2b.startup import STARTER
from localcloud.e2b.templates.catalogue import Catalogue

log = logging.getLogger("localcloud.e2b")

EMPTY = "base"
ISOLATION = {
    "bwrap": "Each sandbox has namespaces of its own (bubblewrap).",
    "unshare": "Each sandbox has namespaces of its own (unshare).",
    "plain": "Sandboxes are ordinary processes of this user: nothing keeps them apart on this machine.",
}


class Supplies:
    """What sandboxes boot from: made ready in the background from the start, waited for by the first create."""

    def __init__(self, cloud: Cloud, catalogue: Catalogue) -> None:
        self._cloud = cloud
        self._catalogue = catalogue
        self._mode: asyncio.Task[str] | None = None
        self._app: asyncio.Task[Path] | None = None
        self._agent: asyncio.Task[None] | None = None
        self._percents: dict[str, int] = {}
        self._isolation = ""
        self._trouble = ""
        self.agent = tree.agent_root(cloud.directory)

    def start(self) -> None:
        """Begin to prepare; returns at once."""
        self._tell()
        self._app = asyncio.create_task(self._prepare_app())
        self._agent = asyncio.create_task(self._prepare_agent(self._app))

    async def _prepare_app(self) -> Path:
        return await tree.prepare_app(self._cloud.directory, await self.mode(), self._progress)

    async def _prepare_agent(self, first: asyncio.Task[Path]) -> None:
        await asyncio.wait((first,))  # the starter project is waited for by people, and both want the same network
        try:
            await tree.prepare_agent(self._cloud.directory, self._progress)
        except Exception:  # the sandboxes work without it, and what needs it says so
            log.exception("the coding agent could not be installed; it is tried again at the next start")
            self._trouble = "The coding agent could not be installed; the log says why."
            self._tell()

    def _progress(self, what: str, share: float) -> None:
        percent = int(share * 100)
        if self._percents.get(what) != percent:
            self._percents[what] = percent
            self._tell()

    def _tell(self) -> None:
        path = self._cloud.directory / "progress.json"
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(self._percents))
        fresh.replace(path)
        pending = ", ".join(f"{what} {percent} %" for what, percent in self._percents.items() if percent < 100)
        parts = (self._isolation, pending and f"Preparing: {pending}.", self._trouble)
        self._cloud.notes["e2b"] = " ".join(part for part in parts if part)

    async def mode(self) -> str:
        """The isolation in use. Raises `runtime.LaunchError` when the one asked for does not work here."""
        if self._mode is None or _failed(self._mode):
            self._mode = asyncio.create_task(self._settle())
        return await asyncio.shield(self._mode)

    async def _settle(self) -> str:
        extra = self._cloud.extra
        try:
            mode = await runtime.detect(self._cloud.config.isolation, self._cloud.directory / "sandboxes")
        except runtime.LaunchError as problem:
            extra |= {"isolation": "none", "isolation_trouble": str(problem)}
            raise
        else:
            extra["isolation"] = mode
            extra.pop("isolation_trouble", None)
            self._isolation = ISOLATION[mode]
            return mode
        finally:
            # Before the listener is there nothing is announced, and afterwards no more.
            if self._cloud.config.announcement.exists() and not self._cloud.stopping.is_set():
                announce(self._cloud)

    async def image(self, template: str) -> Image:
        """What a sandbox of this name boots from: what was built or kept under it, else the starter project.

        Raises `UnknownTemplateError`.
        """
        try:
            built = self._catalogue.image(parse(template))
        except requests.BadRequestError:
            built = None
        if built is not None:
            return built
        if not requests.known_template(template):
            raise UnknownTemplateError(f"template '{template}' not found")
        starter = await self._starter(template)
        if starter is None:
            return Image(template, template, runtime.Base())
        return Image(template, template, runtime.Base(app=(starter,)), STARTER)

    async def _starter(self, template: str) -> Path | None:
        """The starter project of a template, waiting until it is ready; None for an empty `/app`.

        When it could not be prepared (no network, say) this tries again, and then goes on without.
        """
        if template.startswith(EMPTY):
            return None
        if self._app is None or _failed(self._app):
            self._app = asyncio.create_task(self._prepare_app())
        try:
            return await asyncio.shield(self._app)
        except Exception:  # whatever went wrong, a sandbox without the starter is better than none
            log.exception("the starter project could not be prepared")
            self._trouble = "The starter project could not be prepared; the log says why. New sandboxes are empty."
            self._tell()
            return None

    async def stop(self) -> None:
        """Give up what is still being prepared; the next start goes on."""
        tasks = [task for task in (self._mode, self._app, self._agent) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
