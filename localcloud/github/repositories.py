"""Repositories: a row in the store and a bare repository on disk.

Names are one name whatever their capitals, as at GitHub. The row is written before the directory is made and removed
before the directory is; a directory that is missing is made when it is first needed, so a process that was killed in
between leaves nothing broken.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.github import git
from localcloud.github.bodies import RefusedError
from localcloud.store import Object, Store, now

USER = "User"
ORGANIZATION = "Organization"
NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
FIRST_ID = 700_000_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS github_moves (
  owner TEXT NOT NULL, name TEXT NOT NULL, repository TEXT NOT NULL, PRIMARY KEY (owner, name)
);
"""
SETTABLE_TEXT = ("description", "homepage")
SETTABLE_FLAGS = ("private", "archived", "has_issues", "has_projects", "has_wiki", "has_discussions", "is_template")


class Repositories:
    """All repositories below one directory, by owner."""

    def __init__(self, store: Store, root: Path, accounts: dict[str, str], stranger: str) -> None:
        self._store = store
        self.root = root
        self.accounts = accounts  # login -> kind
        self.stranger = stranger  # the one of them that is not ours: it has to accept what it is given
        self._making: dict[str, asyncio.Lock] = {}
        store.script(SCHEMA)

    def owner(self, login: str, kind: str | None = None) -> str | None:
        """The login as it is really written, or None when there is no such account (of that kind)."""
        for known, its_kind in self.accounts.items():
            if known.lower() == login.lower() and kind in (None, its_kind):
                return known
        return None

    def get(self, owner: str, name: str) -> Object | None:
        """The repository, however its name is capitalized."""
        rows = self._store.query(
            "SELECT id FROM objects WHERE vendor = 'github' AND kind = 'repository' AND deleted_at IS NULL"
            " AND lower(name) = lower(?) AND lower(json_extract(data, '$.owner')) = lower(?)",
            (name, owner),
        )
        return self._store.get("github", "repository", rows[0]["id"]) if rows else None

    def numbered(self, identity: str) -> Object | None:
        """The repository of that id."""
        return self._store.get("github", "repository", identity)

    def moved(self, owner: str, name: str) -> Object | None:
        """The repository that had this address before it was transferred, while no other has taken the address."""
        rows = self._store.query(
            "SELECT repository FROM github_moves WHERE owner = ? AND name = ?", (owner.lower(), name.lower())
        )
        return self.numbered(rows[0]["repository"]) if rows else None

    def all(self, owner: str | None = None) -> list[Object]:
        found = self._store.all("github", "repository")
        return [item for item in found if owner in (None, item.data["owner"])]

    async def create(self, owner: str, wished: dict[str, Any]) -> Object:
        """Make a repository. Raises `RefusedError` with GitHub's own words when the name is taken or unusable."""
        doc = "/repos/repos#create-a-repository-for-the-authenticated-user"
        if self.accounts[owner] == ORGANIZATION:
            doc = "/repos/repos#create-an-organization-repository"

        def refuse(code: str, message: str = "") -> RefusedError:
            return RefusedError(422, "Repository creation failed.", errors=[_problem(code, message)], doc=doc)

        name = _usable(wished.get("name"), refuse)
        data = {"private": False, "default_branch": "main", "actions": {"enabled": True, "allowed_actions": "all"}}
        data |= _settings(wished) | {"owner": owner, "updated_at": now(), "pushed_at": now()}
        with self._store.transaction():
            if self.get(owner, name):
                raise refuse("custom", "name already exists on this account")
            number = int(self._store.meta("github_next_id") or FIRST_ID) + 1
            self._store.set_meta("github_next_id", number)
            made = self._store.add("github", "repository", str(number), name, data)
        directory = await self.directory(made)
        if wished.get("auto_init") is True:
            await git.first_commit(directory, "main", f"# {name}\n")
        return made

    def update(self, item: Object, wished: dict[str, Any]) -> Object:
        """Change settings of a repository. Raises `RefusedError`, as for any change of one that stays archived."""
        if item.data.get("archived") and wished.get("archived") is not False:
            raise RefusedError(403, "Repository was archived so is read-only.")
        changes = _settings(wished)
        with self._store.transaction():
            if wished.get("name") not in (None, item.name):
                self._rename(item, wished["name"])
            return self._store.update("github", "repository", item.id, **changes, updated_at=now())

    def _rename(self, item: Object, given: Any) -> None:
        """Give a repository another name; its old address leads to the new one from then on. Raises `RefusedError`."""
        name, owner = _usable(given, _refusal), item.data["owner"]
        taken = self.get(owner, name)
        if taken is not None and taken.id != item.id:
            raise _refusal("custom", "name already exists on this account")
        self._store.update("github", "repository", item.id, filed_as=item.data.get("filed_as") or item.name)
        self._store.rename("github", "repository", item.id, name)
        self._leads_on(owner, item.name, item.id)

    def _leads_on(self, owner: str, name: str, identity: str) -> None:
        self._store.execute(
            "INSERT OR REPLACE INTO github_moves VALUES (?, ?, ?)", (owner.lower(), name.lower(), identity)
        )

    def move(self, item: Object, owner: str) -> None:
        """Give a repository to another owner; its old address leads to the new one from then on.

        Raises:
            RefusedError: the new owner has one of that name.
        """
        with self._store.transaction():
            if self.get(owner, item.name):
                raise RefusedError(422, f"Repository {owner}/{item.name} already exists.")
            home = item.data.get("home") or item.data["owner"]
            self._store.update("github", "repository", item.id, owner=owner, home=home, transfer=None, updated_at=now())
            self._leads_on(str(item.data["owner"]), item.name, item.id)

    def note(self, item: Object, **changes: Any) -> None:
        """Record something about a repository that may have been deleted meanwhile."""
        if self._store.get("github", "repository", item.id):
            self._store.update("github", "repository", item.id, **changes)

    async def delete(self, item: Object) -> None:
        """Remove row and directory."""
        self._store.delete("github", "repository", item.id)
        async with self._lock(item.id):
            gone = self.root / f".gone-{item.id}-{secrets.token_hex(4)}"
            path = self._path(item)
            if path.exists():
                path.rename(gone)
                await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)
        self._making.pop(item.id, None)

    async def directory(self, item: Object) -> Path:
        """The bare repository on disk; made when it is not there."""
        path = self._path(item)
        if not path.exists():
            async with self._lock(item.id):
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    await git.make_bare(path, item.data["default_branch"])
        return path

    def _path(self, item: Object) -> Path:
        # The id keeps a new repository apart from a deleted one of the same name. Neither a transfer nor a new name
        # moves files.
        name = str(item.data.get("filed_as") or item.name)
        return self.root / str(item.data.get("home") or item.data["owner"]) / f"{name.lower()}-{item.id}.git"

    def _lock(self, identity: str) -> asyncio.Lock:
        return self._making.setdefault(identity, asyncio.Lock())

    async def after_push(self, item: Object) -> None:
        """As at GitHub, the first branch pushed to an empty repository becomes its default branch."""
        found = [name for name, _ in await git.branches(await self.directory(item))]
        default = item.data["default_branch"]
        if found and default not in found:
            default = found[0]
            await git.git(self._path(item), "symbolic-ref", "HEAD", f"refs/heads/{default}")
        size = await git.kilobytes(self._path(item))
        self.note(item, pushed_at=now(), updated_at=now(), default_branch=default, size=size)

    def clear_leftovers(self) -> None:
        """Remove what deletions and creations of a killed process left on disk."""
        living = {self._path(item) for item in self.all()}
        orphans = [path for path in self.root.glob("*/*.git") if path not in living]
        for left in (*self.root.glob(".gone-*"), *self.root.glob("*/.new-*"), *orphans):
            shutil.rmtree(left, ignore_errors=True)


def _usable(given: Any, refuse: Callable[[str, str], RefusedError]) -> str:
    """The name a repository gets when it is wished to be called *given*. Raises what *refuse* makes."""
    if given is None or given == "":
        raise refuse("missing_field", "")
    if not isinstance(given, str):
        raise refuse("invalid", "")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", given)
    if not NAME.fullmatch(name) or name in (".", "..") or name.lower().endswith(".git"):
        raise refuse("custom", "name is not usable for a repository")
    return name


def _refusal(code: str, message: str) -> RefusedError:
    """A change of a repository that is refused for its name."""
    return RefusedError(
        422, "Validation Failed", errors=[_problem(code, message)], doc="/repos/repos#update-a-repository"
    )


def _problem(code: str, message: str) -> dict[str, str]:
    problem = {"resource": "Repository", "code": code, "field": "name"}
    return problem | {"message": message} if message else problem


def _settings(wished: dict[str, Any]) -> dict[str, Any]:
    """The settings a request names. Raises `RefusedError`."""
    found: dict[str, Any] = {}
    for member in SETTABLE_TEXT:
        if member in wished:
            if not isinstance(wished[member], str | None):
                raise RefusedError(422, f"Invalid request.\n\nFor '{member}', the value is not a string.")
            found[member] = wished[member]
    for member in SETTABLE_FLAGS:
        if wished.get(member) is not None:
            if not isinstance(wished[member], bool):
                raise RefusedError(422, f"Invalid request.\n\nFor '{member}', the value is not a boolean.")
            found[member] = wished[member]
    if wished.get("visibility") in ("private", "public"):
        found["private"] = wished["visibility"] == "private"
    return found
