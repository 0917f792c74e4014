"""What operations do to the cluster. Each step brings it to what the branch's row says, and can be repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from localcloud.neon.copying import Copier
from localcloud.neon.databases import Databases
from localcloud.neon.operations import Operation
from localcloud.neon.records import Records, names
from localcloud.store import Object, now

Step = Callable[[Object, Operation], Awaitable[None]]


class Steps:
    """The steps by name, as `planned` was told them."""

    def __init__(self, records: Records, databases: Databases) -> None:
        self._records = records
        self._databases = databases
        self._copier = Copier(databases)
        self._steps: dict[str, Step] = {
            "roles": self._roles,
            "start": self._start,
            "configure": self._configure,
            "suspend": self._suspend,
            "close": self._close,
            "copy": self._copy,
            "aside": self._aside,
            "drop": self._drop,
        }

    async def carry_out(self, operation: Operation) -> None:
        """Raises `psycopg.Error`, `DatabaseDown`, and `KeyError` when what it is about does not live."""
        work = operation["work"]
        holding_id = work.get("holding", operation["branch_id"])  # a snapshot's operations name the branch it is of
        holding = self._records.holding(holding_id)
        if holding is not None:
            await self._steps[work["do"]](holding, operation)
        elif work["do"] != "drop":  # which may have been done before
            raise KeyError(holding_id)

    async def _roles(self, holding: Object, _operation: Operation) -> None:
        await self._make_roles(holding)
        if holding.data.get("state") != "ready":
            self._ready(holding)

    async def _make_roles(self, holding: Object, only: Sequence[str] | None = None) -> None:
        opens = holding.kind == "branch"  # what is in a snapshot cannot be reached
        for role in holding.data["roles"]:
            if only is not None and role["name"] not in only:
                continue
            await self._databases.make_role(role["name"], role["password"], login=opens and role["login"])

    async def _configure(self, branch: Object, operation: Operation) -> None:
        """Databases as in the row; roles and databases that the operation names are set, renamed, or taken away.

        Other roles are left alone: each may have given itself another password.
        """
        work = operation["work"]
        await self._databases.close(list(work.get("renamed", {})))
        for old, new in work.get("renamed", {}).items():
            await self._databases.rename_database(old, new)
        await self._make_roles(branch, work.get("set", []))
        await self._make_databases(branch)
        await self._databases.drop(work.get("databases", []))
        owners = {one["name"]: one["owner"] for one in branch.data["databases"]}
        for role in work.get("roles", []):
            await self._databases.drop_role(role, owners)
        if reachable(branch):
            await self._databases.open(names(branch.data["databases"]))

    async def _make_databases(self, holding: Object) -> None:
        roles = names(holding.data["roles"])
        for database in holding.data["databases"]:
            await self._databases.make_database(database["name"], database["owner"], roles)

    # The compute

    async def _start(self, branch: Object, operation: Operation) -> None:
        await self._make_databases(branch)
        await self._databases.open(names(branch.data["databases"]))
        endpoint = branch.data["endpoint"]
        if endpoint and endpoint["id"] == operation.get("endpoint_id"):
            self._records.change_endpoint(branch, state="active", pending=None, started_at=now())

    async def _suspend(self, branch: Object, _operation: Operation) -> None:
        """Connections end. The next one wakes the compute, unless it is disabled."""
        await self._databases.end_sessions(names(branch.data["databases"]))
        if branch.data["endpoint"]:
            self._records.change_endpoint(branch, state="idle", pending=None, suspended_at=now())

    async def _close(self, branch: Object, _operation: Operation) -> None:
        """Nobody comes in until it is started. An endpoint that was deleted leaves the row."""
        await self._databases.close(names(branch.data["databases"]))
        endpoint = branch.data["endpoint"]
        if endpoint and endpoint["wishes"].get("disabled"):
            self._records.change_endpoint(branch, state="idle", pending=None, suspended_at=now())

    # The data

    async def _copy(self, holding: Object, operation: Operation) -> None:
        """Fill a branch or a snapshot from another, as that is now."""
        source = self._records.holding(operation["work"]["source"])
        if source is None:
            raise KeyError(operation["work"]["source"])
        await self._make_roles(holding)
        roles = list(zip(names(source.data["roles"]), names(holding.data["roles"]), strict=True))
        lsn = source.data.get("lsn") if source.kind == "snapshot" else await self._databases.log_position()
        at = source.data.get("at") if source.kind == "snapshot" else now()
        for old, new in zip(source.data["databases"], holding.data["databases"], strict=True):
            await self._copier.copy(old["name"], new["name"], roles)
        await self._make_databases(holding)
        self._ready(self._records.change(holding, lsn=lsn, at=at))

    async def _aside(self, branch: Object, operation: Operation) -> None:
        """Let the databases and roles that this branch had go on under the names of another."""
        moved, kept = operation["work"]["moved"], branch.data
        await self._databases.close(moved["databases"])
        for old, new in zip(moved["databases"], names(kept["databases"]), strict=True):
            await self._databases.rename_database(old, new)
        for old, new in zip(moved["roles"], names(kept["roles"]), strict=True):
            await self._databases.rename_role(old, new)
        self._ready(branch)

    async def _drop(self, holding: Object, _operation: Operation) -> None:
        await self.destroy([holding])
        self._records.store.delete(holding.vendor, holding.kind, holding.id)

    async def destroy(self, holdings: Sequence[Object]) -> None:
        """Remove everything that these hold from the cluster."""
        for one in holdings:
            await self._databases.drop(names(one.data["databases"]), names(one.data["roles"]))

    def _ready(self, holding: Object) -> None:
        self._records.change(holding, state="ready", state_changed_at=now())


def reachable(branch: Object) -> bool:
    """Whether clients may connect to the branch."""
    endpoint = branch.data["endpoint"]
    return bool(endpoint and not endpoint["wishes"].get("disabled"))
