"""How much Neon's stand-in keeps on this machine: the newest of the deleted projects, and so many branches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from embedded.ports import free_port
from localcloud.neon import branches, projects
from localcloud.neon.accounts import OURS, Account
from localcloud.neon.databases import Databases
from localcloud.neon.projects import Projects
from localcloud.neon.records import PROJECT, VENDOR, Records, endpoint
from localcloud.neon.wishes import RefusedError
from localcloud.store import Object, Store

ADA = Account("napi_ada", "ada", OURS, "1")


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Projects]:
    """Projects whose cluster does not run."""
    store = Store(tmp_path / "state.sqlite3")
    yield Projects(Records(store), Databases(tmp_path / "postgres", free_port(), lambda _port: None), limit=None)
    store.close()


@pytest_asyncio.fixture
async def kept(still: Projects) -> AsyncIterator[Projects]:
    await still.databases.start()
    yield still
    await still.close()
    await still.databases.stop()


async def test_of_the_deleted_projects_the_newest_are_kept(kept: Projects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "KEPT", 1)
    made = [kept.create(ADA, name, {}) for name in ("first", "second", "third")]
    held = [kept.records.default_branch(one).data["databases"][0]["name"] for one in made]
    for one in made:
        await kept.operations.settled(one.id)
    for one in made[:2]:
        await kept.delete(kept.records.project(one.id) or one)
    while await kept.databases.exists(held[0]):
        await asyncio.sleep(0.05)
    assert [one.name for one, _ in kept.recoverable(ADA)] == ["second"]
    assert [await kept.databases.exists(name) for name in held] == [False, True, True]
    with pytest.raises(RefusedError, match="project not found"):
        await kept.recover(ADA, made[0].id)
    assert (await kept.recover(ADA, made[1].id)).name == "second"
    assert [one.name for one in kept.of(ADA)] == ["second", "third"]


def with_a_branch(still: Projects, state: str) -> tuple[Object, Object]:
    """A project and its only branch, as their rows are."""
    project = still.records.store.add(VENDOR, PROJECT, "calm-sun-1", "calm", {"wishes": {}, "operations": []})
    holds = {"suffix": "calm_sun_1", "roles": [], "databases": [], "state": state}
    return project, still.branches.add_first(project, holds, "main", endpoint("ep-calm-sun-1", {}))


def test_a_project_has_room_for_so_many_branches(still: Projects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branches, "BRANCHES_LIMIT", 1)
    project, branch = with_a_branch(still, "ready")
    with pytest.raises(RefusedError, match="branches limit of 1 exceeded, got 1") as refused:
        still.branches.create(project, branch, {}, None)
    assert (refused.value.status, refused.value.code) == (422, "BRANCHES_LIMIT_EXCEEDED")


def test_what_never_came_to_be_is_not_copied(still: Projects) -> None:
    project, branch = with_a_branch(still, "init")
    with pytest.raises(RefusedError, match="branch is not ready"):
        still.branches.create(project, branch, {}, None)
    assert still.records.branches(project.id) == [branch]
