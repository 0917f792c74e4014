"""Neon projects: how one is named, made, changed, deleted, recovered, and given to another account.

A deleted project's databases are closed at once and kept: for seven days, and of all deleted projects only the newest
`KEPT` ones, since each takes megabytes of this machine. What is kept can be recovered with its data.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from localcloud.neon import records
from localcloud.neon.accounts import Account
from localcloud.neon.branches import Branches
from localcloud.neon.databases import DatabaseDown, Databases
from localcloud.neon.operations import Operations, planned
from localcloud.neon.records import PROJECT, VENDOR, Records, names
from localcloud.neon.steps import Steps, reachable
from localcloud.neon.wishes import RefusedError
from localcloud.store import Object, now

log = logging.getLogger("localcloud.neon")

ADJECTIVES = (
    "autumn",
    "bold",
    "calm",
    "crimson",
    "dawn",
    "gentle",
    "lucky",
    "misty",
    "quiet",
    "royal",
    "still",
    "wild",
)
NOUNS = ("bird", "brook", "cloud", "field", "forest", "hill", "lake", "meadow", "moon", "river", "sun", "waterfall")
KEPT = 20
RECOVERABLE = timedelta(days=7)
TABLE = """CREATE TABLE IF NOT EXISTS neon_recoverable (
  project TEXT PRIMARY KEY, until TEXT NOT NULL, holdings TEXT NOT NULL
)"""


class Projects:
    """All projects of one localcloud. `resume` after the cluster has started, `close` at the end."""

    def __init__(self, records: Records, databases: Databases, *, limit: int | None) -> None:
        self.records = records
        self.databases = databases
        self._store = records.store
        self._steps = Steps(records, databases)
        self.operations = Operations(records, self._steps.carry_out)
        self.branches = Branches(records, self.operations)
        self.limit = limit
        self._cleaning: asyncio.Task[None] | None = None
        self._store.script(TABLE)

    def of(self, account: Account) -> list[Object]:
        """Those of one account that live, oldest first."""
        return [one for one in self.records.projects() if account.owns(one)]

    # Writing

    def create(self, account: Account, name: str, wishes: dict[str, Any]) -> Object:
        """Record a new project and start its operations; it cannot be connected to yet. Raises `RefusedError`."""
        self.ensure_room(account)
        project_id = f"{random.choice(ADJECTIVES)}-{random.choice(NOUNS)}-{secrets.randbelow(90_000_000) + 10_000_000}"  # noqa: S311 -- a name
        suffix = records.suffix_of(project_id)
        wished = wishes.get("branch") or {}
        base = wished.get("database_name") or "neondb"
        role = records.role(wished.get("role_name") or f"{base}_owner", suffix, records.password())
        holds = {"suffix": suffix, "roles": [role], "databases": [records.database(base, suffix, role["name"])]}
        endpoint = records.endpoint(records.fresh_id("ep", project_id), wishes.get("default_endpoint_settings") or {})
        data = {"wishes": wishes, "organization": account.organization, "updated_at": now(), "operations": []}
        with self._store.transaction():
            project = self._store.add(VENDOR, PROJECT, project_id, name or project_id, data)
            branch = self.branches.add_first(project, holds, wished.get("name") or "main", endpoint)
            self.records.change(project, default_branch=branch.id)
            self.operations.schedule(
                project_id,
                planned("create_timeline", "roles", branch),
                planned("start_compute", "start", branch, endpoint=endpoint["id"]),
            )
        return self._living(project_id)

    def ensure_room(self, account: Account) -> None:
        """Raises `RefusedError` when the account may not have one more."""
        if self.limit is not None and (number := len(self.of(account))) >= self.limit:
            message = f"user projects limit of {self.limit} exceeded, got {number}"
            raise RefusedError(422, message, code="PROJECTS_LIMIT_EXCEEDED")

    def update(self, project: Object, wished: dict[str, Any]) -> Object:
        """Give the project another name, other settings."""
        wishes = dict(project.data["wishes"])
        for member in ("settings", "default_endpoint_settings"):
            if member in wished:
                wishes[member] = {**wishes.get(member, {}), **wished[member]}
        if "history_retention_seconds" in wished:
            wishes["history_retention_seconds"] = wished["history_retention_seconds"]
        with self._store.transaction():
            if "name" in wished:
                self._store.rename(VENDOR, PROJECT, project.id, wished["name"])
            self.records.change(project, wishes=wishes)
        return self._living(project.id)

    # Deleting and recovering

    async def delete(self, project: Object) -> None:
        """Close the project's databases, then delete it. Raises `Locked` and `DatabaseDown`."""
        branches, snapshots = self.records.branches(project.id), self.records.snapshots(project.id)
        if any(branch.data["protected"] for branch in branches):
            raise RefusedError(422, "cannot delete a project with protected branches")
        with self.operations.hold(project):
            self.records.change(project, closing=True)  # a process that is killed now opens it again at its next start
            # Gone for the world only once it is: a client that hears 404 afterwards may take it as proof.
            await self.databases.close([name for one in branches for name in names(one.data["databases"])])
            with self._store.transaction():
                self.records.change(project, closing=False)
                if not self._store.delete(VENDOR, PROJECT, project.id):
                    return
                for one in (*branches, *snapshots):
                    self._store.delete(VENDOR, one.kind, one.id)
                until = _after(RECOVERABLE)
                holdings = json.dumps([(one.kind, one.id) for one in (*branches, *snapshots)])
                self._store.execute("INSERT INTO neon_recoverable VALUES (?, ?, ?)", (project.id, until, holdings))
        self._clean()

    def recoverable(self, account: Account) -> list[tuple[Object, str]]:
        """Deleted projects that can be recovered, each with the moment until which it can."""
        rows = self._store.query("SELECT project, until FROM neon_recoverable WHERE until > ?", (now(),))
        found = [(self._store.get(VENDOR, PROJECT, row["project"], deleted=True), row["until"]) for row in rows]
        return [(one, until) for one, until in found if one is not None and account.owns(one)]

    async def recover(self, account: Account, project_id: str) -> Object:
        """Let a deleted project live again, with everything in it. Raises `RefusedError` and `DatabaseDown`."""
        if all(one.id != project_id for one, _ in self.recoverable(account)):
            raise RefusedError(404, "project not found")
        self.ensure_room(account)
        with self._store.transaction():
            for kind, holding_id in self._holdings(project_id):
                self._store.revive(VENDOR, kind, holding_id)
            self._store.revive(VENDOR, PROJECT, project_id)
            self._store.execute("DELETE FROM neon_recoverable WHERE project = ?", (project_id,))
            self._open(project_id)
        await self.operations.settled(project_id)  # its connection strings hold when the answer comes
        return self._living(project_id)

    def _open(self, project_id: str) -> None:
        """Let everybody in again wherever there is a compute that may run."""
        reached = [one for one in self.records.branches(project_id) if reachable(one)]
        opening = [planned("start_compute", "start", one, endpoint=one.data["endpoint"]["id"]) for one in reached]
        self.operations.schedule(project_id, *opening)

    def _holdings(self, project_id: str) -> list[tuple[str, str]]:
        rows = self._store.query("SELECT holdings FROM neon_recoverable WHERE project = ?", (project_id,))
        return [(kind, holding_id) for row in rows for kind, holding_id in json.loads(row["holdings"])]

    def _clean(self) -> None:
        if self._cleaning is None or self._cleaning.done():
            self._cleaning = asyncio.create_task(self._remove_old(), name="neon: deleted projects")

    async def _remove_old(self) -> None:
        """Destroy what is kept no longer, oldest first."""
        query = """SELECT project FROM neon_recoverable WHERE until < ? OR project IN (
          SELECT project FROM neon_recoverable ORDER BY until DESC LIMIT -1 OFFSET ?) ORDER BY until LIMIT 1"""
        while rows := self._store.query(query, (now(), KEPT)):
            project_id = rows[0]["project"]
            # From here on it cannot be recovered, even if this process is killed before all of it is gone.
            self._store.execute("UPDATE neon_recoverable SET until = '' WHERE project = ?", (project_id,))
            found = (self._store.get(VENDOR, *one, deleted=True) for one in self._holdings(project_id))
            try:
                await self._steps.destroy([one for one in found if one is not None])
            except (DatabaseDown, psycopg.Error):
                log.exception("the deleted project %s could not be removed; tried again later", project_id)
                return
            self._store.execute("DELETE FROM neon_recoverable WHERE project = ?", (project_id,))

    # Giving to another account

    def offer(self, project: Object, seconds: int) -> dict[str, str]:
        """Record that whoever knows the request's id may take the project; returns the request."""
        until = _after(timedelta(seconds=seconds))
        request = {"id": str(uuid.uuid4()), "created_at": now(), "expires_at": until}
        self.records.change(project, transfers=[*project.data.get("transfers", []), request])
        return request

    def take(self, account: Account, project_id: str, request_id: str) -> None:
        """Make the project the account's, once. Its connection strings stay. Raises `RefusedError`."""
        project = self.records.project(project_id)
        requests = project.data.get("transfers", []) if project else []
        if project is None or all(one["id"] != request_id or one["expires_at"] < now() for one in requests):
            raise RefusedError(404, "transfer request not found")
        if not account.owns(project):
            self.ensure_room(account)
        self.records.change(project, organization=account.organization, transfers=[])

    # Life

    def resume(self) -> None:
        """Take up what a killed process left half done, and rows as earlier versions wrote them."""
        for project in self.records.projects():
            if "default_branch" not in project.data:
                self._adopt(project)
        self.operations.resume()
        for project in self.records.projects():
            if project.data.get("closing"):
                with self._store.transaction():
                    self.records.change(project, closing=False)
                    self._open(project.id)
        self._clean()

    async def close(self) -> None:
        await self.operations.close()
        if self._cleaning is not None:
            self._cleaning.cancel()
            await asyncio.gather(self._cleaning, return_exceptions=True)

    def _adopt(self, project: Object) -> None:
        """Give a project the branch that earlier versions kept in its own row."""
        old, wishes = project.data, project.data["wishes"]
        wished = wishes.get("branch") or {}
        base = wished.get("database_name") or "neondb"
        dates = {"created_at": project.created_at, "updated_at": old["updated_at"]}
        role = {"name": old["role"], "also": [wished.get("role_name") or f"{base}_owner"], "login": True}
        role |= {"password": old["password"]} | dates
        database = {"name": old["database"], "also": [base], "owner": old["role"], "number": old["database_number"]}
        finished = [one["status"] == "finished" for one in old["operations"]]
        endpoint = records.endpoint(old["endpoint_id"], wishes.get("default_endpoint_settings") or {}) | dates
        if len(finished) > 1 and finished[1]:
            endpoint |= {"state": "active", "pending": None}
        data = {
            "id": old["branch_id"],
            "suffix": records.suffix_of(project.id),
            "roles": [role],
            "databases": [database | dates],
            "state": "ready" if finished and finished[0] else "init",
        } | dates
        work = {"create_timeline": "roles", "start_compute": "start", "apply_config": "configure"}
        operations = [
            one
            | {"branch_id": old["branch_id"], "work": {"do": work[one["action"]], "set": [old["role"]]}}
            | ({"endpoint_id": old["endpoint_id"]} if one["action"] == "start_compute" else {})
            for one in old["operations"]
        ]
        with self._store.transaction():
            self.branches.add_first(project, data, wished.get("name") or "main", endpoint)
            self.records.change(project, default_branch=old["branch_id"], operations=operations)

    def _living(self, project_id: str) -> Object:
        found = self.records.project(project_id)
        if found is None:
            raise KeyError(project_id)
        return found


def _after(span: timedelta) -> str:
    """The moment that lies so far ahead, as the store writes it."""
    return (datetime.now(UTC) + span).isoformat(timespec="microseconds").replace("+00:00", "Z")
