"""Snapshots through the unmodified SDK: taken of a running sandbox, listed, started from, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from e2b import AsyncSandbox, SandboxException
from e2b.exceptions import SandboxNotFoundException

from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("e2b", "e2b (Python)")


@pytest.fixture
async def snapshots(e2b_options: dict[str, Any]) -> AsyncIterator[list[str]]:
    """Ids of snapshots to delete at the end. Comes before `make_sandbox`, so that the sandboxes are gone by then."""
    taken: list[str] = []
    yield taken
    for snapshot_id in taken:
        await AsyncSandbox.delete_snapshot(snapshot_id, **e2b_options)


async def listed(**options: Any) -> list[str]:
    pages = AsyncSandbox.list_snapshots(**options)
    found = []
    while pages.has_next:
        found += [info.snapshot_id for info in await pages.next_items()]
    return found


@pytest.fixture
async def two(snapshots: list[str], make_sandbox) -> tuple[AsyncSandbox, str]:
    """A sandbox with some files, and a snapshot of it."""
    sandbox = await make_sandbox(metadata={"snapshot": "source"})
    await sandbox.files.write("/app/kept/file", "before")
    await sandbox.files.write("/app/removed-later", "still here")
    await sandbox.files.write("/home/user/notes", "home")
    await sandbox.commands.run("chmod 640 kept/file && ln -s file kept/link", cwd="/app")
    taken = await sandbox.create_snapshot()
    snapshots.append(taken.snapshot_id)
    return sandbox, taken.snapshot_id


async def test_a_sandbox_made_from_a_snapshot_has_its_files_and_nothing_later(two, make_sandbox) -> None:
    source, snapshot = two
    await source.files.write("/app/kept/file", "after")
    await source.files.remove("/app/removed-later")
    made = await make_sandbox(snapshot)
    assert await made.files.read("/app/kept/file") == "before"
    assert await made.files.read("/app/removed-later") == "still here"
    assert await made.files.read("/home/user/notes") == "home"
    told = await made.commands.run("stat -c %a kept/file; readlink kept/link", cwd="/app")
    assert told.stdout.split() == ["640", "file"]
    await made.files.write("/app/kept/file", "its own")
    assert await source.files.read("/app/kept/file") == "after"
    assert (await made.get_info()).template_id == snapshot.partition(":")[0]


async def test_what_was_removed_stays_removed_over_several_generations(two, make_sandbox, snapshots) -> None:
    _, first = two
    child = await make_sandbox(first)
    await child.commands.run("rm -r kept && mkdir kept && echo anew > kept/other && rm ~/notes", cwd="/app")
    second = (await child.create_snapshot()).snapshot_id
    snapshots.insert(0, second)
    grandchild = await make_sandbox(second)
    assert [entry.name for entry in await grandchild.files.list("/app/kept")] == ["other"]
    assert await grandchild.files.exists("/home/user/notes") is False
    assert await grandchild.files.read("/app/removed-later") == "still here"
    await grandchild.kill()
    await child.kill()


async def test_the_source_runs_on_and_the_snapshot_outlives_it(two, make_sandbox) -> None:
    source, snapshot = two
    beat = await source.commands.run("while :; do date +%s%N; sleep 0.05; done", background=True, timeout=0)
    again = await source.create_snapshot(mode="filesystem")
    assert (await source.commands.run("echo on")).stdout == "on\n"
    assert beat.pid in {process.pid for process in await source.commands.list()}
    assert await source.delete_snapshot(again.snapshot_id, api_key=source.connection_config.api_key,
                                        api_url=source.connection_config.api_url) is True  # fmt: skip
    await source.kill()
    assert await (await make_sandbox(snapshot)).files.read("/app/kept/file") == "before"


async def test_snapshots_are_found_by_sandbox_and_by_name_in_pages(snapshots, make_sandbox, e2b_options) -> None:
    sandbox = await make_sandbox()
    other = await make_sandbox()
    names = [f"snap-{sandbox.sandbox_id}", f"snap-{sandbox.sandbox_id}:v2", None]
    ids = [(await sandbox.create_snapshot(name=name)).snapshot_id for name in names]
    snapshots += [ids[0], ids[2]]
    assert ids[0] == f"local/snap-{sandbox.sandbox_id}:default"
    assert ids[1] == f"local/snap-{sandbox.sandbox_id}:v2"
    assert await listed(sandbox_id=sandbox.sandbox_id, **e2b_options) == ids[::-1]
    assert await listed(sandbox_id=other.sandbox_id, **e2b_options) == []
    assert await listed(name=names[0], **e2b_options) == [ids[1], ids[0]]
    assert await listed(name=names[1], **e2b_options) == [ids[1]]
    pages = sandbox.list_snapshots(limit=2)
    assert [info.snapshot_id for info in await pages.next_items()] == [ids[2], ids[1]]
    assert [info.names for info in await pages.next_items()] == [[f"local/snap-{sandbox.sandbox_id}"]]
    assert not pages.has_next
    with pytest.raises(Exception, match="No more items"):
        await pages.next_items()


async def test_a_name_taken_again_means_the_newer_state(snapshots, make_sandbox) -> None:
    sandbox = await make_sandbox()
    name = f"again-{sandbox.sandbox_id}"
    for text in ("one", "two"):
        await sandbox.files.write("/app/state", text)
        taken = await sandbox.create_snapshot(name=name)
    snapshots.append(taken.snapshot_id)
    made = await make_sandbox(name)
    assert await made.files.read("/app/state") == "two"


async def test_a_snapshot_in_use_stays_and_an_unused_one_goes_with_its_files(
    cloud: CloudUnderTest, two, make_sandbox, e2b_options
) -> None:
    _, snapshot = two
    made = await make_sandbox(snapshot)
    with pytest.raises(SandboxException, match="because there are running sandboxes using it"):
        await AsyncSandbox.delete_snapshot(snapshot, **e2b_options)
    await made.pause()
    with pytest.raises(SandboxException, match="because there are paused sandboxes using it"):
        await AsyncSandbox.delete_snapshot(snapshot, **e2b_options)
    await made.kill()
    before = len(list((cloud.var / "cloud" / "layers").iterdir()))
    assert await AsyncSandbox.delete_snapshot(snapshot, **e2b_options) is True
    assert await AsyncSandbox.delete_snapshot(snapshot, **e2b_options) is False
    assert len(list((cloud.var / "cloud" / "layers").iterdir())) == before - 2
    with pytest.raises(SandboxException, match="not found"):
        await make_sandbox(snapshot)


async def test_forks_begin_alike_and_go_their_own_ways(make_sandbox, e2b_options) -> None:
    source = await make_sandbox(metadata={"fork": "yes"}, envs={"COLOUR": "green"})
    await source.files.write("/app/state", "shared")
    forks = [made for made in await source.fork(count=2, timeout=60) if isinstance(made, AsyncSandbox)]
    assert len({source.sandbox_id, *(made.sandbox_id for made in forks)}) == 3
    await forks[0].files.write("/app/state", "own")
    assert [await each.files.read("/app/state") for each in (*forks, source)] == ["own", "shared", "shared"]
    assert (await forks[1].commands.run("echo $COLOUR")).stdout == "green\n"
    assert (await forks[1].get_info()).metadata == {"fork": "yes"}
    for each in forks:
        await each.kill()
    await source.pause()
    with pytest.raises(SandboxException, match="is paused and cannot be forked"):
        await source.fork()


async def test_only_a_running_sandbox_can_be_kept(make_sandbox, e2b_options) -> None:
    sandbox = await make_sandbox()
    with pytest.raises(SandboxException, match=r"400: .*invalid template ID"):
        await sandbox.create_snapshot(name="no spaces")
    with pytest.raises(SandboxException, match="must match your team"):
        await sandbox.create_snapshot(name="elsewhere/name")
    await sandbox.pause()
    with pytest.raises(SandboxNotFoundException):
        await sandbox.create_snapshot()
    await asyncio.gather(sandbox.kill())
    with pytest.raises(SandboxNotFoundException):
        await AsyncSandbox.create_snapshot(sandbox.sandbox_id, **e2b_options)
