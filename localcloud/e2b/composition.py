"""Puts the parts of the E2B stand-in together: registry, trees, doors, and their life with the application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from aiohttp import web

from localcloud.cloud import Cloud, cloud_of
from localcloud.e2b import control, envd_door, fork, npm, ports, runtime
from localcloud.e2b.bodies import failure
from localcloud.e2b.envd_operations import ROUTES, envd_operation
from localcloud.e2b.keys import BUILDS, CATALOGUE, SANDBOXES, UPLOADS
from localcloud.e2b.sandboxes import Ground, Sandboxes
from localcloud.e2b.supplies import Supplies
from localcloud.e2b.templates import build_routes
from localcloud.e2b.templates import routes as templates
from localcloud.e2b.templates.builder import Builder
from localcloud.e2b.templates.builds import Builds
from localcloud.e2b.templates.catalogue import Catalogue
from localcloud.e2b.templates.uploads import Uploads

log = logging.getLogger("localcloud.e2b")

FIRST_UNPRIVILEGED = 1024  # the user inside may not listen below it


def compose(app: web.Application, cloud: Cloud) -> None:
    """See `localcloud.e2b.setup`."""
    catalogue = Catalogue(cloud.store, cloud.directory)
    supplies = Supplies(cloud, catalogue)
    ground = Ground(
        directory=cloud.directory / "sandboxes",
        egress=partial(egress, cloud, reachable(cloud)),
        mode=supplies.mode,
        image=supplies.image,
        agent=supplies.agent,
    )
    sandboxes = Sandboxes(cloud.store, ground)
    uploads = Uploads(cloud.directory / "uploads")
    builder = Builder(ground, catalogue.pool, uploads)
    builds = Builds(catalogue, builder, cloud.directory / "builds")
    catalogue.users += [sandboxes.bases, builder.bases]
    app[CATALOGUE], app[SANDBOXES], app[BUILDS], app[UPLOADS] = catalogue, sandboxes, builds, uploads
    cloud.error_bodies["e2b"] = failure
    cloud.envd_handler, cloud.envd_operation = by_header, envd_operation
    cloud.routes.extend(ROUTES)
    app.add_routes([*control.routes(), *fork.routes(), *templates.routes(), *build_routes.routes()])
    ports.setup(app, cloud)

    async def life(_app: web.Application) -> AsyncIterator[None]:
        await sandboxes.open()
        await catalogue.open()
        await asyncio.to_thread(uploads.open)
        supplies.start()
        yield
        await builds.cancel()
        await supplies.stop()
        await sandboxes.close()

    async def hang_up(_app: web.Application) -> None:
        sandboxes.cut_all()

    app.cleanup_ctx.append(life)
    app.on_shutdown.append(hang_up)


def egress(cloud: Cloud, always: runtime.Egress) -> runtime.Egress:
    """What every sandbox may reach: what it *always* may, and the databases where they are now."""
    return replace(always, tcp={cloud.postgres_port: cloud.postgres_port})


def reachable(cloud: Cloud) -> runtime.Egress:
    """The product's gateway, event capture, and the npm registry."""
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
    return runtime.Egress(http=http, hosts=frozenset(hosts))


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
