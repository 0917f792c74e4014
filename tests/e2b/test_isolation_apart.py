"""What is inside one sandbox stays there: two of them, the host around them, and nothing seen of each other."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from localcloud.e2b.runtime import Egress, Runtime
from tests.fixtures.machines import Machines, run, serve

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.parametrize("machines", ["bwrap", "unshare"], indirect=True),
]


@pytest.fixture
async def host_service() -> AsyncIterator[int]:
    """A service on the host's loopback that says hello: what a database or an operator's listener would be."""

    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello from the host\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    yield int(server.sockets[0].getsockname()[1])
    server.close()


def ask(port: int, host: str = "127.0.0.1") -> str:
    """A shell line that connects and prints what comes, or why nothing does."""
    return (
        f"""node -e "require('node:net').connect({port},'{host}').on('data',d=>process.stdout.write(d))"""
        """.on('error',e=>console.log(e.code))" """
    )


async def preview(machine: Runtime, path: str = "/") -> tuple[dict[str, object], str]:
    connector = aiohttp.UnixConnector(path=str(machine.port_socket(5173)))
    async with aiohttp.ClientSession(connector=connector) as client, client.get(f"http://preview{path}") as answer:
        return json.loads(await answer.text()), answer.headers["x-name"]


async def test_two_sandboxes_each_have_their_own_5173(machines: Machines) -> None:
    ada, ben = await machines.make("iada"), await machines.make("iben")
    await asyncio.gather(serve(ada, "ada"), serve(ben, "ben"))
    assert (await preview(ada))[1] == "ada"
    assert (await preview(ben))[1] == "ben"


async def test_only_what_is_allowed_can_be_reached(machines: Machines, host_service: int) -> None:
    ada = await machines.make("iada", Egress(tcp={15432: host_service}))
    ben = await machines.make("iben")
    await serve(ben, "ben", 5174)
    assert (await run(ada, ask(15432))).output == "hello from the host\n"
    assert "ECONNREFUSED" in (await run(ada, ask(host_service))).output  # the same service at its own port
    assert "ECONNREFUSED" in (await run(ada, ask(5174))).output  # the other sandbox
    assert "ENETUNREACH" in (await run(ada, ask(443, "1.1.1.1"))).output
    assert (await run(ada, "cat /sys/class/net/*/address 2>/dev/null; grep -c : /proc/net/dev")).output == "1\n"


async def test_nothing_of_the_host_is_seen(machines: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOST_SECRET", "canary-of-the-host")
    (tmp_path / "secret.txt").write_text("canary-of-the-host")
    machine = await machines.make("iada", GIVEN="yes")
    places = f"/root /work {Path.home()} {Path(__file__).parent} {tmp_path} /etc/shadow /var/lib"
    assert (await run(machine, f"ls -d {places} 2>/dev/null | grep -v ^/home/user")).output == ""
    assert "canary" not in (await run(machine, "cat /proc/*/environ /proc/*/cmdline")).output
    assert "GIVEN=yes" in (await run(machine, "env")).output
    everyone = (await run(machine, "ls /proc | grep -cE '^[0-9]+$'")).output
    assert int(everyone) < 12
    assert str(machines.root) not in (await run(machine, "cat /proc/mounts /proc/*/cmdline")).output
    assert (await run(machine, "ls /home")).output == "user\n"


async def test_it_runs_as_an_ordinary_user_without_rights(machines: Machines) -> None:
    machine = await machines.make()
    assert (await run(machine, "id -u; id -un")).output == "1000\nuser\n"
    status = (await run(machine, "grep -E 'CapEff|CapPrm|CapAmb|NoNewPrivs' /proc/self/status")).output.split()
    assert status == ["CapPrm:", "0" * 16, "CapEff:", "0" * 16, "CapAmb:", "0" * 16, "NoNewPrivs:", "1"]
    for path in ("/usr/bin/x", "/opt/node/x", "/opt/mk0r/x", "/etc/passwd", "/opt/python/x"):
        assert (await run(machine, f"echo x >> {path}")).status != 0, path
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/swappiness", "/proc/sysrq-trigger"):
        assert (await run(machine, f"test -w {path}")).status != 0, path
    assert (await run(machine, "mount -t tmpfs x /app; umount /usr; hostname x; kill -9 1; ls /app")).output.endswith(
        "package.json\nsrc\n"
    )


async def test_the_host_sees_it_as_nobody_of_its_own(machines: Machines) -> None:
    machine = await machines.make()
    await run(machine, "echo mine > /app/mine; echo home > ~/home")
    owner = (machine.directory / "layers" / "upper" / "mine").stat().st_uid
    assert owner != 0
    assert owner == os.getuid() or os.getuid() == 0


async def test_changes_stay_its_own_and_outlive_a_restart(machines: Machines) -> None:
    machine = await machines.make("iada")
    await run(
        machine, "mv /app/src /app/source && echo new > /app/package.json && rm -rf /app/source && mkdir /app/src"
    )
    await machine.stop()
    assert (machines.tree / "package.json").read_text() == '{"name":"app"}'
    assert (machines.tree / "src" / "main.ts").exists()
    again = await machines.make("iada")
    assert (await run(again, "cat /app/package.json; ls -A /app/src")).output == "new\n"
    other = await machines.make("iben")
    assert (await run(other, "cat /app/package.json /app/src/main.ts")).output == '{"name":"app"}export {}\n'


async def test_a_path_with_the_mount_tables_own_characters_works(machines: Machines, tmp_path: Path) -> None:
    machines.root = tmp_path / "a,b:c d\\e"
    machines.root.mkdir()
    machine = await machines.make()
    assert (await run(machine, "cat /app/package.json")).output == '{"name":"app"}'


async def test_programs_are_where_they_are_expected(machines: Machines) -> None:
    machine = await machines.make()
    said = (await run(machine, "node --version; npm --version; npx --version; pwd; echo $PORT; git --version")).output
    lines = said.split("\n")
    assert lines[0].startswith("v")
    assert lines[1] == lines[2]
    assert lines[3:5] == ["/home/user", "5173"]
    assert (
        await run(machine, "echo x > /tmp/x && echo y > /dev/null && head -c 4 /dev/urandom | wc -c")
    ).output == "4\n"
