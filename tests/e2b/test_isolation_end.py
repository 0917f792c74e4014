"""Nothing outlives a sandbox: not a detached process, not a mount, not a socket, however its end came."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from localcloud.e2b import runtime
from localcloud.e2b.isolation import processes
from localcloud.e2b.startup import STARTER, StartCommand
from tests.fixtures.machines import Machines, run, serve

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.parametrize("machines", ["bwrap", "unshare", "plain"], indirect=True),
]

DETACHED = (
    "setsid nohup sleep 4321 > /dev/null 2>&1 < /dev/null & (setsid sh -c 'sleep 4322 &' > /dev/null 2>&1 &) ; true"
)


def everyone(machine: runtime.Runtime) -> set[processes.Identity]:
    """All processes of a sandbox as the host sees them."""
    return members(machine._top, machine.id)  # type: ignore[attr-defined]


def members(top: processes.Identity, name: str) -> set[processes.Identity]:
    return {one for pid in processes.members(top, name, loose=True) if (one := processes.identify(pid))}


async def at_least(count: int, look: Callable[[], set[processes.Identity]]) -> set[processes.Identity]:
    """So many processes, once there are: what was detached starts a moment after its shell has ended."""
    async with asyncio.timeout(60):
        while len(found := look()) < count:
            await asyncio.sleep(0.02)
    return found


async def gone(watched: set[processes.Identity], within: float = 60.0) -> bool:
    """Whether all of them end in time."""
    deadline = asyncio.get_running_loop().time() + within
    while any(processes.same(one) for one in watched):
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


async def test_stop_ends_detached_processes_and_takes_everything_away(machines: Machines) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    machine = await machines.make()
    await run(machine, DETACHED)
    socket = machine.port_socket(5173)
    watched = await at_least(4, lambda: everyone(machine))
    await machine.stop()
    assert not machine.alive
    assert not any(processes.same(one) for one in watched)
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert not socket.exists()
    assert not machine.envd_socket.exists()
    assert not (machine.directory / "running.json").exists()
    await machine.stop()  # and again


PARENT = """
import asyncio, sys
from pathlib import Path
from localcloud.e2b import runtime
async def main():
    machine = await runtime.launch(sandbox_id="iorphan", directory=Path(sys.argv[1]),
        base=runtime.Base(app=(Path(sys.argv[2]),)),
        egress=runtime.Egress(), env={}, mode=sys.argv[3])
    machine.port_socket(5173)
    print(machine._top.pid, machine.envd_socket, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_nothing_is_left_after_localcloud_is_killed(machines: Machines) -> None:
    directory = machines.root / "iorphan"
    directory.mkdir()
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(directory), str(machines.tree), machines.mode, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    try:
        pid, socket = (await asyncio.wait_for(parent.stdout.readline(), 90)).split()
        top = processes.identify(int(pid))
        assert top is not None
        stranger = _Reached("iorphan", Path(socket.decode()))
        await run(stranger, DETACHED)  # type: ignore[arg-type]
        watched = await at_least(4, lambda: members(top, "iorphan"))
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        await parent.wait()
    if machines.mode != "plain":  # there the kernel ends them; a plain one needs the next start for what hid itself
        assert await gone(watched)
    assert await runtime.sweep(machines.root) == 1
    assert not any(processes.same(one) for one in watched)
    assert not (directory / "run").exists()
    assert await runtime.sweep(machines.root) == 0
    again = await machines.make("iorphan")
    assert (await run(again, "cat /app/package.json || cat $HOME/../app/package.json")).output.endswith(
        '{"name":"app"}'
    )


class _Reached:
    def __init__(self, name: str, socket: Path) -> None:
        self.id, self.envd_socket = name, socket


async def test_freeze_stops_everything_and_thaw_goes_on(machines: Machines) -> None:
    machine = await machines.make()
    await run(
        machine, "setsid nohup sh -c 'while :; do echo x >> ~/ticks; sleep 0.05; done' > /dev/null 2>&1 < /dev/null &"
    )
    ticks = machine.directory / "home" / "ticks"
    while not ticks.exists():
        await asyncio.sleep(0.02)
    await machine.freeze()
    await asyncio.sleep(0.1)
    before = ticks.stat().st_size
    await asyncio.sleep(0.4)
    assert ticks.stat().st_size == before
    await machine.thaw()
    async with asyncio.timeout(60):
        while ticks.stat().st_size == before:
            await asyncio.sleep(0.02)
    assert (await run(machine, "echo alive")).output == "alive\n"
    await machine.freeze()
    await machine.stop()
    assert not machine.alive


async def test_envd_comes_back_when_it_dies(machines: Machines) -> None:
    machine = await machines.make()
    inner = next(pid for pid in processes.family(machine._top.pid)[::-1] if _is_envd(pid))  # type: ignore[attr-defined]
    os.kill(inner, signal.SIGKILL)
    assert (await run(machine, "echo back")).output == "back\n"
    assert machine.alive


async def test_what_envd_had_started_ends_with_it_and_the_start_command_gets_its_port_back(machines: Machines) -> None:
    machine = await machines.make()
    server = "require('http').createServer((_, answer) => answer.end(String(process.pid))).listen(+process.env.PORT)"
    app = json.dumps({"name": "app", "scripts": {"dev": f'node -e "{server}"'}})
    where = "/app" if machine.mode != "plain" else str(machine.directory / "app")
    await run(machine, f"cat > {where}/package.json <<'X'\n{app}\nX\n{DETACHED}")
    command = StartCommand(machine.envd_socket, STARTER)
    command.start()
    try:
        first = await _page(machine)
        before = everyone(machine)
        survivors = {one for one in before if b"inner.py" in _line(one.pid) or b"bwrap" in _line(one.pid)}
        os.kill(next(one.pid for one in before if _is_envd(one.pid)), signal.SIGKILL)
        assert await gone(before - survivors)
        assert await _page(machine, other_than=first) != first
        assert machine.alive
        assert "Error" not in (machine.directory / "home" / ".mk0r" / "dev-server.log").read_text()
    finally:
        await command.stop()


async def _page(machine: runtime.Runtime, other_than: str = "") -> str:
    """What the start command's server answers, once it does."""
    connector = aiohttp.UnixConnector(path=str(machine.port_socket(5173)), force_close=True)
    async with asyncio.timeout(60), aiohttp.ClientSession(connector=connector) as session:
        while True:
            try:
                async with session.get("http://app/") as answer:
                    said = await answer.text()
                if said != other_than:
                    return said
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


def _line(pid: int) -> bytes:
    """What it runs, or nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _is_envd(pid: int) -> bool:
    return b"__main__.py" in _line(pid)


async def test_a_port_opens_and_closes_with_its_server(machines: Machines) -> None:
    machine = await machines.make()
    assert not await machine.port_open(5173)
    reader, writer = await asyncio.open_unix_connection(str(machine.port_socket(5173)))
    assert await asyncio.wait_for(reader.read(), 30) == b""  # closed at once, as nothing listens
    writer.close()
    await serve(machine)
    assert await machine.port_open(5173)


async def test_a_start_that_fails_says_why_and_leaves_nothing(machines: Machines, tmp_path: Path) -> None:
    (tmp_path / "ibad").mkdir()
    (tmp_path / "ibad" / "home").write_text("a file where a directory must be")
    with pytest.raises(runtime.LaunchError, match=r"sandbox ibad\d+ did not start"):
        await machines.make("ibad")
    assert not (tmp_path / "ibad" / "running.json").exists()


async def test_a_long_path_does_not_hinder_sockets(machines: Machines, tmp_path: Path) -> None:
    machines.root = tmp_path / ("d" * 90)
    machines.root.mkdir()
    machine = await machines.make()
    assert len(str(machine.envd_socket)) < 104
    assert (await run(machine, "echo here")).output == "here\n"
    short = machine.envd_socket.parent
    await machine.stop()
    assert not short.exists()
