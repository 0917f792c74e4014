"""How much Neon's stand-in keeps on this machine: the newest of the deleted projects, and so many branches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from embedded.ports import free_port
from localcloud.neon import branches, projects
from localcloud.neon.accounts import OURS, Account
from localcloud.neon.databases import Databases
from localcloud.neon.projects import Projects
from localcloud.neon.records import Records
from localcloud.neon.wishes import RefusedError
from localcloud.store import Object, Store

ADA = Account("napi_ada", "ada", OURS, "1")


@pytest_asyncio.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Projects]:
    store, databases = Store(tmp_path / "state.sqlite3"), Databases(tmp_path / "postgres", free_port())
    await databases.start()
    made = Projects(Records(store), databases, limit=None)
    yield made
    await made.close()
    await databases.stop()
    store.close()


async def new(kept: Projects, name: str) -> Object:
    made = kept.create(ADA, name, {})
    await kept.operations.settled(made.id)
    return made


async def test_of_the_deleted_projects_the_newest_are_kept(kept: Projects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "KEPT", 1)
    made = [await new(kept, name) for name in ("first", "second", "third")]
    held = [kept.records.default_branch(one).data["databases"][0]["name"] for one in made]
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


async def test_a_project_has_room_for_so_many_branches(kept: Projects, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branches, "BRANCHES_LIMIT", 1)
    project = await new(kept, "full")
    project = kept.records.project(project.id) or project
    with pytest.raises(RefusedError, match="branches limit of 1 exceeded, got 1") as refused:
        kept.branches.create(project, kept.records.default_branch(project), {}, None)
    assert (refused.value.status, refused.value.code) == (422, "BRANCHES_LIMIT_EXCEEDED")
