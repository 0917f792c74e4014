"""What becomes of sandboxes when localcloud stops, is killed, or runs where nothing can be isolated."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from functools import partial
from pathlib import Path

import pytest
from e2b import AsyncSandbox, AsyncTemplate, BuildException, CommandExitException, Sandbox
from e2b.exceptions import SandboxNotFoundException, SandboxNotRunningException

from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.fixtures.sandboxes import options_of


def marked(sandbox_id: str) -> list[int]:
    """Processes of this machine that belong to a sandbox."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"MK0R_SANDBOX_ID={sandbox_id}".encode() in environment:
                found.append(int(entry.name))
    return found


def wait_until_gone(sandbox_id: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while marked(sandbox_id):
        assert time.monotonic() < deadline, "processes of the sandbox are left"
        time.sleep(0.1)


@pytest.mark.parametrize("mode", ["auto", "plain"])
@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_no_sandbox_outlives_its_localcloud(tmp_path: Path, mode: str, kill: bool) -> None:
    with run_cloud(tmp_path, environment={"MK0R_ISOLATION": mode}) as cloud:
        options = options_of(cloud)
        sandbox = Sandbox.create("base", timeout=300, metadata={"name": "mk0r-left"}, **options)
        sandbox.commands.run("setsid nohup sleep 600 > /dev/null 2>&1 < /dev/null & echo started")
        assert marked(sandbox.sandbox_id)
        cloud.stop(kill=kill)
        wait_until_gone(sandbox.sandbox_id)
        cloud.start()
        assert not cloud.live(vendor="e2b", kind="sandbox")
        assert cloud.ledger(vendor="e2b", name="mk0r-left")
        with pytest.raises(SandboxNotFoundException):
            Sandbox.connect(sandbox.sandbox_id, **options)
        with pytest.raises(SandboxNotRunningException, match="The sandbox was not found"):
            sandbox.commands.run("true")
        assert not (cloud.var / "cloud" / "sandboxes" / sandbox.sandbox_id).exists()


async def test_snapshots_outlive_a_kill_and_a_build_that_was_under_way_says_what_became_of_it(tmp_path: Path) -> None:
    with run_cloud(tmp_path) as cloud:
        options = options_of(cloud)
        api = {"api_key": options["api_key"], "api_url": options["api_url"]}
        status = partial(AsyncTemplate.get_build_status, **api)
        sandbox = await AsyncSandbox.create("base", timeout=300, **options)
        await sandbox.files.write("/app/kept", "yes")
        taken = await sandbox.create_snapshot(name="kept")
        slow = AsyncTemplate().from_template(taken.snapshot_id).run_cmd("sleep 300")
        building = await AsyncTemplate.build_in_background(slow, "slow", **api)
        async with asyncio.timeout(90):
            while not any("sleep" in line.message for line in (await status(building)).log_entries):
                await asyncio.sleep(0.1)
        cloud.stop(kill=True)
        cloud.start()
        ended = await status(building)
        assert ended.status.value == "error"
        assert ended.reason is not None
        assert "localcloud was stopped" in ended.reason.message
        assert any("FROM template local/kept:default" in entry.message for entry in ended.log_entries)
        again = await AsyncSandbox.create("kept", timeout=300, **options)
        assert await again.files.read("/app/kept") == "yes"


async def test_without_isolation_nothing_is_built_and_snapshots_work(tmp_path: Path) -> None:
    with run_cloud(tmp_path, environment={"MK0R_ISOLATION": "plain"}) as cloud:
        options = options_of(cloud)
        sandbox = await AsyncSandbox.create("base", timeout=300, **options)
        await sandbox.files.write("/app/kept", "yes")
        taken = await sandbox.create_snapshot()
        again = await AsyncSandbox.create(taken.snapshot_id, timeout=300, **options)
        assert await again.files.read("/app/kept") == "yes"
        template = AsyncTemplate().from_base_image().run_cmd("touch ~/mine")
        with pytest.raises(BuildException, match="this machine keeps nothing apart"):
            await AsyncTemplate.build(template, "mine", api_key=options["api_key"], api_url=options["api_url"])


async def test_without_isolation_the_same_paths_mean_the_sandbox(tmp_path: Path) -> None:
    with run_cloud(tmp_path, environment={"MK0R_ISOLATION": "plain"}) as cloud:
        sandbox = await AsyncSandbox.create("base", timeout=300, envs={"COLOUR": "green"}, **options_of(cloud))
        await sandbox.files.write("/app/src/main.ts", "here")
        assert (await sandbox.commands.run("cat src/main.ts; echo $COLOUR", cwd="/app")).stdout == "heregreen\n"
        await sandbox.commands.run('mkdir -p "$HOME/.mk0r" && echo line > "$HOME/.mk0r/log"')
        assert await sandbox.files.read("/home/user/.mk0r/log") == "line\n"
        assert [entry.path for entry in await sandbox.files.list("/app")] == ["/app/src"]
        assert (await sandbox.files.rename("/app/src", "/app/source")).path == "/app/source"
        handle = await sandbox.commands.run("sleep 60", background=True, timeout=0)
        await sandbox.pause()
        await sandbox.connect()
        assert await sandbox.commands.kill(handle.pid) is True
        assert (await sandbox.commands.run('test "$PORT" -gt 1023 && command -v node')).exit_code == 0
        await sandbox.kill()
        assert marked(sandbox.sandbox_id) == []
        await asyncio.sleep(0)


def test_a_sandbox_whose_first_process_dies_counts_as_ended(cloud: CloudUnderTest, e2b_options) -> None:
    sandbox = Sandbox.create("base", timeout=300, **e2b_options)
    parents = [int(line) for line in (cloud.var / "cloud" / "sandboxes").joinpath(sandbox.sandbox_id, "running.json")
               .read_text().replace('"', "").replace(",", "").split() if line.isdigit()]  # fmt: skip
    for pid in (*marked(sandbox.sandbox_id), parents[0]):
        with contextlib.suppress(ProcessLookupError):  # it ended with the one before
            os.kill(pid, 9)
    deadline = time.monotonic() + 60
    while cloud.live(vendor="e2b", id=sandbox.sandbox_id):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert sandbox.is_running() is False
    assert sandbox.kill() is False


def test_an_open_stream_does_not_hold_localcloud_up(tmp_path: Path) -> None:
    with run_cloud(tmp_path) as cloud:
        sandbox = Sandbox.create("base", timeout=300, **options_of(cloud))
        sandbox.commands.run("sleep 600", background=True, timeout=0)
        process = cloud.process
        cloud.stop()
        assert process is not None
        assert process.returncode == 0  # by itself: what holds it up is killed after a while
        wait_until_gone(sandbox.sandbox_id)


# What a Postgres without TLS answers when it is asked for it.
POSTGRES_SAYS_NO = r"exec 3<>/dev/tcp/127.0.0.1/{port} && printf '\0\0\0\x08\x04\xd2\x16\x2f' >&3 && head -c1 <&3"


def test_a_sandbox_reaches_the_databases_where_they_are_and_not_who_took_their_port(tmp_path: Path) -> None:
    with run_cloud(tmp_path) as cloud:
        before = cloud.info["postgres_port"]
        cloud.stop()
        with socket.create_server(("127.0.0.1", before)):
            cloud.start()
            moved = cloud.info["postgres_port"]
            assert moved != before
            sandbox = Sandbox.create("base", timeout=300, **options_of(cloud))
            assert sandbox.commands.run(POSTGRES_SAYS_NO.format(port=moved)).stdout == "N"
            with pytest.raises(CommandExitException, match="refused"):
                sandbox.commands.run(f"exec 3<>/dev/tcp/127.0.0.1/{before}")
