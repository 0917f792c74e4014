"""The Neon stand-in put together: its routes under `/neon/api/v2`, and the life of its cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.neon import bodies
from localcloud.neon.access import Access
from localcloud.neon.branch_calls import BranchCalls
from localcloud.neon.databases import Databases
from localcloud.neon.endpoint_calls import EndpointCalls
from localcloud.neon.project_calls import ProjectCalls
from localcloud.neon.projects import Projects
from localcloud.neon.records import Records
from localcloud.neon.role_calls import RoleCalls
from localcloud.neon.snapshot_calls import SnapshotCalls


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add the routes; the cluster starts with the application and stops with it."""
    databases = Databases(cloud.directory / "postgres", cloud.postgres_port, cloud.move_postgres)
    records = Records(cloud.store)
    projects = Projects(records, databases, limit=cloud.config.neon_projects)
    access = Access(cloud, records)
    cloud.error_bodies["neon"] = bodies.error
    for calls in (ProjectCalls, BranchCalls, EndpointCalls, RoleCalls, SnapshotCalls):
        access.add(app, calls(access, projects).routes())

    async def cluster(_app: web.Application) -> AsyncIterator[None]:
        await databases.start()
        cloud.notes["neon"] = databases.trouble or f"PostgreSQL {databases.version} on 127.0.0.1:{databases.port}"
        projects.resume()
        yield
        await projects.close()
        await databases.stop()

    app.cleanup_ctx.append(cluster)
