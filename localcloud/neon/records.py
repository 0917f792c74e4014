"""What the Neon stand-in keeps of projects, branches and snapshots, and how their things are called.

A project's row holds its wishes, its operations and which branch is its default. A branch and a snapshot are rows of
their own; each *holds* roles and databases, in `data["roles"]` and `data["databases"]`.

Names of roles and databases are unique in the whole cluster here, so each carries its project's and its branch's id.
Clients may go on using the name they asked for, and the name the thing has on the branch it was copied from: each thing
knows what it is `also` called, the wished name first.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Iterable
from typing import Any

from localcloud.keys import token
from localcloud.store import Object, Store, now

VENDOR, PROJECT, BRANCH, SNAPSHOT = "neon", "project", "branch", "snapshot"
LONGEST_WISH = 30  # bytes of a wished name that are kept
Thing = dict[str, Any]


class Records:
    """Rows of the store, read and written as a whole."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def project(self, project_id: str) -> Object | None:
        return self.store.get(VENDOR, PROJECT, project_id)

    def projects(self) -> list[Object]:
        """All that live, oldest first."""
        return self.store.all(VENDOR, PROJECT)

    def branch(self, branch_id: str) -> Object | None:
        return self.store.get(VENDOR, BRANCH, branch_id)

    def holding(self, holding_id: str) -> Object | None:
        """The branch or the snapshot with this id."""
        return self.branch(holding_id) or self.store.get(VENDOR, SNAPSHOT, holding_id)

    def branches(self, project_id: str) -> list[Object]:
        """Those of one project that live, oldest first."""
        return self.store.having(VENDOR, BRANCH, "project", project_id)

    def snapshots(self, project_id: str) -> list[Object]:
        return self.store.having(VENDOR, SNAPSHOT, "project", project_id)

    def default_branch(self, project: Object) -> Object:
        """Raises `KeyError` when the row is broken."""
        found = self.branch(project.data["default_branch"])
        if found is None:
            raise KeyError(project.data["default_branch"])
        return found

    def change(self, row: Object, **changes: Any) -> Object:
        """Merge *changes* into the row's data and date it. Raises `KeyError` when it does not live."""
        return self.store.update(row.vendor, row.kind, row.id, **({"updated_at": now()} | changes))

    def change_endpoint(self, branch: Object, **changes: Any) -> Object:
        """Merge *changes* into the branch's endpoint. Raises `KeyError` when the branch does not live."""
        return self.change(branch, endpoint=branch.data["endpoint"] | {"updated_at": now()} | changes)


def suffix_of(project_id: str) -> str:
    """What the names of a project's first branch end in."""
    return project_id.replace("-", "_")


def fresh_suffix(project_id: str) -> str:
    """What the names of a further branch end in."""
    return f"{suffix_of(project_id)}_{token(5, string.ascii_lowercase + string.digits)}"


def fresh_id(kind: str, project_id: str) -> str:
    """An id for a branch (`br`), an endpoint (`ep`) or a snapshot (`snap`) of a project."""
    return f"{kind}-{project_id.rsplit('-', 1)[0]}-{token(8, string.ascii_lowercase + string.digits)}"


def role(wished: str, suffix: str, password: str, *, login: bool = True) -> Thing:
    """A role that does not exist yet."""
    at = now()
    return {
        "name": _full(wished, suffix),
        "also": [wished],
        "password": password,
        "login": login,
        "created_at": at,
        "updated_at": at,
    }


def database(wished: str, suffix: str, owner: str) -> Thing:
    """A database that does not exist yet."""
    at = now()
    return {
        "name": _full(wished, suffix),
        "also": [wished],
        "owner": owner,
        "number": secrets.randbelow(9_000_000) + 1_000_000,
        "created_at": at,
        "updated_at": at,
    }


def _full(wished: str, suffix: str) -> str:
    """The name in the cluster. Postgres cuts after 63 bytes, so a long wish is cut before: its end tells it apart."""
    raw = wished.encode()
    if len(raw) > LONGEST_WISH:
        beginning = raw[: LONGEST_WISH - 6].decode(errors="ignore")
        wished = f"{beginning}_{hashlib.sha256(raw).hexdigest()[:5]}"
    return f"{wished}_{suffix}"


def password() -> str:
    return f"npg_{token(20)}"


def copied(holding: Object, suffix: str) -> tuple[list[Thing], list[Thing]]:
    """Roles and databases as a copy of *holding* has them: same passwords, names of their own."""
    roles = [_renamed(one, suffix) for one in holding.data["roles"]]
    new = {old["name"]: one["name"] for old, one in zip(holding.data["roles"], roles, strict=True)}
    databases = [
        _renamed(one, suffix) | {"owner": new[one["owner"]], "number": secrets.randbelow(9_000_000) + 1_000_000}
        for one in holding.data["databases"]
    ]
    return roles, databases


def _renamed(thing: Thing, suffix: str) -> Thing:
    return thing | {"name": _full(thing["also"][0], suffix), "also": [*thing["also"], thing["name"]]}


def called(things: Iterable[Thing], name: str) -> Thing | None:
    """The role or database that goes by this name."""
    found = list(things)
    exact = (one for one in found if one["name"] == name)
    return next(exact, None) or next((one for one in found if name in one["also"]), None)


def names(things: Iterable[Thing]) -> list[str]:
    return [str(one["name"]) for one in things]


def endpoint(endpoint_id: str, wishes: dict[str, Any]) -> Thing:
    """A compute endpoint that has not been started."""
    at = now()
    return {
        "id": endpoint_id,
        "state": "init",
        "pending": "active",
        "wishes": wishes,
        "created_at": at,
        "updated_at": at,
    }
