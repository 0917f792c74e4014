"""Giving a repository to another owner, as GitHub does it: taken with 202, done a little later.

Our own organization takes what it is given. The account of a stranger has to accept, which the operator does for it:
`POST /_cloud/api/github/accept` with `{"repository": "owner/name"}`. Until then the repository stays where it is.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.faults import operation
from localcloud.github import bodies
from localcloud.github.bodies import RefusedError
from localcloud.github.repositories import Repositories
from localcloud.operator import guarded
from localcloud.store import Object, now

log = logging.getLogger("localcloud.github")

SECONDS = 0.3  # from the 202 until the repository has moved


class Transfers:
    """Transfers under way, and the handlers that begin and accept them."""

    def __init__(self, cloud: Cloud, repositories: Repositories, administered: Callable[[web.Request], Object]) -> None:
        self._cloud, self._repositories, self._administered = cloud, repositories, administered
        self._tasks: set[asyncio.Task[None]] = set()

    def setup(self, app: web.Application) -> None:
        """What the operator calls, and the transfers that a killed process left half done."""
        app.router.add_post("/_cloud/api/github/accept", guarded(self.accept))

        async def life(_app: web.Application) -> AsyncIterator[None]:
            for item in self._repositories.all():
                if (item.data.get("transfer") or {}).get("accepted"):
                    self._soon(item.id)
            yield
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        app.cleanup_ctx.append(life)

    @operation("github", "transfer_repository")
    async def transfer(self, request: web.Request) -> web.Response:
        """The answer still shows the old owner."""
        found, wished = self._administered(request), await bodies.read_object(request)
        given = wished.get("new_owner")
        if not isinstance(given, str) or not given:
            raise RefusedError(422, 'Invalid request.\n\n"new_owner" wasn\'t supplied.')
        login = self._repositories.owner(given)
        if login is None or login == found.data["owner"]:
            raise RefusedError(422, "Validation Failed", errors=[_problem(f"{given} cannot take this repository")])
        if self._repositories.get(login, found.name):
            raise RefusedError(422, "Validation Failed", errors=[_problem(f"{login} has a repository of that name")])
        ours = login != self._repositories.stranger
        self._repositories.note(found, transfer={"to": login, "at": now(), "accepted": ours})
        if ours:
            self._soon(found.id)
        return web.json_response(bodies.minimal(self.body(found)), status=202)

    def body(self, item: Object) -> dict[str, Any]:
        """The repository as the API shows it."""
        kind = self._repositories.accounts[item.data["owner"]]
        return bodies.repository(self._cloud.base_url, self._cloud.config.port, item, kind)

    async def accept(self, request: web.Request) -> web.Response:
        """The new owner takes what waits for it."""
        try:
            wanted = str(json.loads(await request.read())["repository"])
        except (ValueError, KeyError, TypeError):
            return web.json_response({"message": 'Send {"repository": "owner/name"}.'}, status=400)
        found = self._repositories.get(*wanted.split("/", 1)) if "/" in wanted else None
        if found is None or not found.data.get("transfer"):
            return web.json_response({"message": "Nothing waits to be accepted there."}, status=404)
        self._repositories.note(found, transfer=found.data["transfer"] | {"accepted": True})
        self._soon(found.id)
        return web.json_response({"accepted": True})

    def _soon(self, identity: str) -> None:
        task = asyncio.create_task(self._move(identity), name=f"github transfer {identity}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _move(self, identity: str) -> None:
        await asyncio.sleep(SECONDS)
        found = self._repositories.numbered(identity)
        if found is None or not found.data.get("transfer"):
            return
        try:
            self._repositories.move(found, found.data["transfer"]["to"])
        except RefusedError as refused:
            log.warning("repository %s was not transferred: %s", found.name, refused.message)
            self._repositories.note(found, transfer=None)


def _problem(message: str) -> dict[str, str]:
    return {"resource": "Repository", "code": "custom", "field": "new_owner", "message": message}
