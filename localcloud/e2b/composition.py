"""Puts the parts of the E2B stand-in together: registry, trees, doors, and their life with the application."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from localcloud.cloud import Cloud, cloud_of
from localcloud.e2b import control, envd_door, npm, ports, runtime, tree
from localcloud.e2b.bodies import failure
from localcloud.e2b.keys import SANDBOXES
from localcloud.e2b.sandboxes import Ground, Sandboxes
from localcloud.faults import operation

log = logging.getLogger("localcloud.e2b")

EMPTY = "base"
FIRST_UNPRIVILEGED = 1024  # the user inside may not listen below it


def compose(app: web.Application, cloud: Cloud) -> None:
    """See `localcloud.e2b.setup`."""
    supplies = Supplies(cloud)
    ground = Ground(
        directory=cloud.directory / "sandboxes",
        egress=egress(cloud),
        mode=supplies.mode,
        tree=supplies.tree,
        agent=supplies.agent,
    )
    sandboxes = Sandboxes(cloud.store, ground)
    app[SANDBOXES] = sandboxes
    cloud.error_bodies["e2b"] = failure
    cloud.envd_handler = by_header
    app.add_routes(control.routes())
    ports.setup(app, cloud)

    async def life(_app: web.Application) -> AsyncIterator[None]:
        await sandboxes.open()
        supplies.start()
        yield
        await supplies.stop()
        await sandboxes.close()

    async def hang_up(_app: web.Application) -> None:
        sandboxes.cut_all()

    app.cleanup_ctx.append(life)
    app.on_shutdown.append(hang_up)


def egress(cloud: Cloud) -> runtime.Egress:
    """What every sandbox may reach: databases, the product's gateway, event capture, and the npm registry."""
    gateway = urlsplit(cloud.config.gateway_url)
    http = {cloud.config.port: (cloud.base_url, ("/posthog/",))}
    hosts = {npm.registry_host()}
    if gateway.hostname in {"127.0.0.1", "localhost", "::1"}:
        if (gateway.port or 80) >= FIRST_UNPRIVILEGED:
            http[gateway.port or 80] = (cloud.config.gateway_url, ("/gateway/",))
        else:
            log.warning("sandboxes cannot reach the gateway at %s: its port is privileged", cloud.config.gateway_url)
    else:
        hosts.add(f"{gateway.hostname}:{gateway.port or (443 if gateway.scheme == 'https' else 80)}")
    return runtime.Egress(tcp={cloud.postgres_port: cloud.postgres_port}, http=http, hosts=frozenset(hosts))


@operation("e2b", "envd")
async def by_header(request: web.Request) -> web.StreamResponse:
    """Traffic to a sandbox named by `E2b-Sandbox-Id`, on the port named by `E2b-Sandbox-Port` (envd's by default)."""
    sandbox_id = request.headers["E2b-Sandbox-Id"]
    raw = request.headers.get("E2b-Sandbox-Port", str(envd_door.ENVD_PORT))
    if not raw.isascii() or not raw.isdigit() or not 0 < int(raw[:6]) < 65536:
        return web.json_response({"code": 400, "message": "invalid E2b-Sandbox-Port"}, status=400)
    if int(raw) == envd_door.ENVD_PORT:
        return await envd_door.serve(request, sandbox_id)
    preview = cloud_of(request).preview_handler
    return envd_door.not_found(sandbox_id) if preview is None else await preview(request, sandbox_id, int(raw))


class Supplies:
    """What sandboxes boot from: made ready in the background from the start, waited for by the first create."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._mode: asyncio.Task[str] | None = None
        self._app: asyncio.Task[Path] | None = None
        self._agent: asyncio.Task[None] | None = None
        self._shares: dict[str, float] = {}
        self.agent = tree.agent_root(cloud.directory)

    def start(self) -> None:
        """Begin to prepare; returns at once."""
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
            self._cloud.notes["e2b"] = "The coding agent could not be installed; see the log."

    def _progress(self, what: str, share: float) -> None:
        self._shares[what] = share
        self._publish()
        pending = [f"{label} {part:.0%}" for label, part in self._shares.items() if part < 1]
        if pending:
            self._cloud.notes["e2b"] = f"Preparing: {', '.join(pending)}"
        else:
            self._cloud.notes.pop("e2b", None)

    def _publish(self) -> None:
        """Leave the percentages in `progress.json`, for whoever started us to show."""
        path = self._cloud.directory / "progress.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({label: int(part * 100) for label, part in self._shares.items()}))
        temporary.replace(path)

    async def mode(self) -> str:
        """The isolation in use. Raises `runtime.LaunchError` when the one asked for does not work here."""
        if self._mode is None or _failed(self._mode):
            wanted, directory = self._cloud.config.isolation, self._cloud.directory / "sandboxes"
            self._mode = asyncio.create_task(runtime.detect(wanted, directory))
        return await asyncio.shield(self._mode)

    async def tree(self, template: str) -> Path | None:
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
            return None

    async def stop(self) -> None:
        """Give up what is still being prepared; the next start goes on."""
        tasks = [task for task in (self._mode, self._app, self._agent) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
