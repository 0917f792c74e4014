"""The door of the Neon stand-in: whose key it is, what the path names, and every refusal in Neon's form."""

from __future__ import annotations

import psycopg
from aiohttp import web

from localcloud.cloud import Cloud, Handler
from localcloud.neon import bodies, records
from localcloud.neon.accounts import Account, Accounts
from localcloud.neon.databases import DatabaseDown
from localcloud.neon.operations import Locked
from localcloud.neon.records import Records, Thing
from localcloud.neon.wishes import RefusedError
from localcloud.store import Object

BASE = "/neon/api/v2"
PROJECT = f"{BASE}/projects/{{project}}"
BRANCH = f"{PROJECT}/branches/{{branch}}"
ACCOUNT: web.RequestKey[Account] = web.RequestKey("neon_account", Account)
Route = tuple[str, str, Handler]


class Access:
    """Lets known keys in, and finds what a path names. The finders raise `RefusedError` with 404."""

    def __init__(self, cloud: Cloud, records: Records) -> None:
        self._accounts = Accounts(cloud)
        self.records = records

    def add(self, app: web.Application, routes: list[Route]) -> None:
        for method, path, handler in routes:
            app.router.add_route(method, path, self._known(handler))

    def _known(self, handler: Handler) -> Handler:
        """Let a known key in, and answer in Neon's form when the database or the request is at fault."""

        async def check(request: web.Request) -> web.StreamResponse:
            wished_id = request.headers.get("X-Request-ID", "")[:100]
            account = self._accounts.by_header(request.headers.get("Authorization", ""))
            if account is None:
                return bodies.error(401, "supplied credentials do not pass authentication", request_id=wished_id)
            request[ACCOUNT] = account
            try:
                return await handler(request)
            except RefusedError as error:
                return bodies.error(error.status, str(error), error.code, wished_id)
            except Locked:
                message = "project already has running operations, scheduling of new ones is prohibited"
                return bodies.error(423, message, request_id=wished_id)
            except (DatabaseDown, psycopg.Error) as error:
                return bodies.error(503, str(error), request_id=wished_id)

        check.operation = handler.operation  # type: ignore[attr-defined]
        return check

    def project(self, request: web.Request) -> Object:
        found = self.records.project(request.match_info["project"])
        if found is None or not request[ACCOUNT].owns(found):
            raise RefusedError(404, "project not found")
        return found

    def branch(self, request: web.Request) -> tuple[Object, Object]:
        """The project and the branch."""
        project = self.project(request)
        return project, self.branch_of(project, request.match_info["branch"])

    def branch_of(self, project: Object, branch_id: str) -> Object:
        found = self.records.branch(branch_id)
        if found is None or found.data["project"] != project.id:
            raise RefusedError(404, "branch not found")
        return found

    def role_of(self, branch: Object, name: str) -> Thing:
        found = records.called(branch.data["roles"], name)
        if found is None:
            raise RefusedError(404, "role not found")
        return found

    def database_of(self, branch: Object, name: str) -> Thing:
        found = records.called(branch.data["databases"], name)
        if found is None:
            raise RefusedError(404, "database not found")
        return found

    def endpoint_of(self, project: Object, endpoint_id: str) -> Object:
        """The branch whose compute has this id."""
        for branch in self.records.branches(project.id):
            if branch.data["endpoint"] and branch.data["endpoint"]["id"] == endpoint_id:
                return branch
        raise RefusedError(404, "endpoint not found")
