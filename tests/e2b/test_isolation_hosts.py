"""Real hosts from inside a sandbox: those on its list exist, by name, at addresses of their own; nothing else does."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from localcloud.e2b import requests
from localcloud.e2b.isolation import dns, machine
from localcloud.e2b.isolation.names import AllowList
from localcloud.e2b.isolation.outside import Outside, PrivateAddressError, UnknownNameError, is_public
from localcloud.e2b.isolation.pump import Stream
from localcloud.e2b.isolation.tunnel import Tunnel
from localcloud.e2b.runtime import Base, Egress, Runtime
from tests.conftest import missing
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.machines import Machines, run

DATABASE, CAPTURE = "ep-cool-1.us-east-2.aws.neon.tech", "us.i.posthog.com"
LISTED = frozenset({"*.neon.tech", CAPTURE, "inward.example", "only.example:8443"})
ZONE = {
    DATABASE: ["198.41.0.4"],
    "ep-other.neon.tech": ["2001:500:2::c", "192.33.4.12"],
    CAPTURE: ["199.9.14.201"],
    "only.example": ["199.9.14.202"],
    "inward.example": ["127.0.0.1", "10.1.2.3"],
    "secret.neon.tech": ["169.254.169.254"],
    "unlisted.example": ["192.0.32.10"],
}


class World:
    """A resolver with `ZONE` and a dialler that leads every address to one server, remembering what was dialled."""

    def __init__(self) -> None:
        self.looked_up: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self.open = 0
        self.port = 0

    async def lookup(self, host: str) -> list[str]:
        self.looked_up.append(host)
        if host not in ZONE:
            raise UnknownNameError(host)
        return ZONE[host]

    async def dial(self, address: str, port: int) -> Stream:
        self.dialled.append((address, port))
        if ":" in address:
            raise OSError("no route")
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Echo until the other side has said all."""
        self.open += 1
        try:
            while chunk := await reader.read(1 << 16):
                writer.write(b"echo " + chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()

    @property
    def outside(self) -> Outside:
        return Outside(self.lookup, self.dial)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


Launch = Callable[..., Awaitable[Runtime]]


@pytest.fixture
async def launch(machines: Machines, world: World) -> Launch:
    """Starts a sandbox of the test's mode with `LISTED` allowed, in the test's world."""

    async def start(names: frozenset[str] = LISTED, name: str = "ione") -> Runtime:
        directory = machines.root / name
        directory.mkdir()
        plan = machine.Plan(
            name, directory, Base(app=(machines.tree,)), Egress(names=names), machines.mode, outside=world.outside
        )
        made = await machine.launch(plan)
        machines.made.append(made)
        return made

    return start


APART = [pytest.mark.isolation, pytest.mark.parametrize("machines", ["bwrap", "unshare"], indirect=True)]


def apart(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    for mark in APART:
        test = mark(test)
    return test


async def node(sandbox: Runtime, script: str) -> object:
    """What a Node program inside prints, as JSON."""
    said = await run(sandbox, f"cat > /tmp/a.mjs <<'X'\n{script}\nX\nnode /tmp/a.mjs")
    assert said.status == 0, said.output
    return json.loads(said.output)


TALK = """
import net from 'node:net'
const talk = (host, port, options = {}) => new Promise((done) => {
  const connection = net.connect({ host, port, ...options })
  connection.on('connect', () => connection.write(`hi ${host}:${port}`))
  connection.on('data', (data) => { done(data.toString()); connection.end() })
  connection.on('error', (error) => done(error.code))
  connection.on('close', () => done('closed'))
})
"""


@apart
async def test_listed_hosts_are_reached_by_name_on_their_ports(launch: Launch, world: World) -> None:
    sandbox = await launch()
    said = await node(
        sandbox,
        TALK
        + f"""
        console.log(JSON.stringify([
          await talk('{DATABASE}', 5432), await talk('{DATABASE}', 443, {{ family: 4 }}), await talk('{CAPTURE}', 443),
          await talk('EP-Other.neon.tech', 5432), await talk('only.example', 8443), await talk('only.example', 443),
          await talk('{DATABASE}', 22),
        ]))""",
    )
    assert said == [
        f"echo hi {DATABASE}:5432", f"echo hi {DATABASE}:443", f"echo hi {CAPTURE}:443",
        "echo hi EP-Other.neon.tech:5432", "echo hi only.example:8443", "ECONNREFUSED", "ECONNREFUSED",
    ]  # fmt: skip
    # the addresses are those of outside, and one that does not answer is not the end
    assert world.dialled == [
        ("198.41.0.4", 5432), ("198.41.0.4", 443), ("199.9.14.201", 443),
        ("2001:500:2::c", 5432), ("192.33.4.12", 5432), ("199.9.14.202", 8443),
    ]  # fmt: skip


@apart
async def test_names_resolve_as_node_and_libc_ask_for_them(launch: Launch, world: World) -> None:
    sandbox = await launch()
    said = await node(
        sandbox,
        f"""
        import dns from 'node:dns/promises'
        const ask = (host, options) => dns.lookup(host, options).catch((error) => error.code)
        const four = (await ask('{DATABASE}', {{ all: true }})), other = await ask('ep-other.neon.tech')
        console.log(JSON.stringify([
          four, other, await ask('{DATABASE}'),
          await dns.resolve6('{DATABASE}').catch((error) => error.code), await dns.resolve4('{DATABASE}'),
          await ask('unlisted.example'), await ask('neon.tech'), await ask('xneon.tech'), await ask('gone.neon.tech'),
          await ask('inward.example'), await ask('secret.neon.tech'), await ask('neon.tech.unlisted.example'),
        ]))""",
    )
    assert isinstance(said, list)
    assert said[0] == [{"address": "127.1.0.1", "family": 4}]
    assert said[1] == {"address": "127.1.0.2", "family": 4}
    assert said[2] == {"address": "127.1.0.1", "family": 4}
    assert said[3] == "ENODATA"
    assert said[4] == ["127.1.0.1"]
    assert said[5:] == ["ENOTFOUND"] * 7
    assert not {"unlisted.example", "neon.tech", "xneon.tech"} & set(world.looked_up)
    told = (sandbox.directory / "envd.log").read_text()
    assert "inward.example leads to 127.0.0.1, 10.1.2.3, which no sandbox may reach" in told
    assert world.dialled == []


@apart
async def test_a_name_that_turns_inward_later_is_not_dialled(
    launch: Launch, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = await launch()
    assert await node(sandbox, TALK + f"console.log(JSON.stringify(await talk('{CAPTURE}', 443)))")
    monkeypatch.setitem(ZONE, CAPTURE, ["192.168.1.1"])
    said = await node(sandbox, TALK + f"console.log(JSON.stringify(await talk('{CAPTURE}', 443)))")
    assert said in ("closed", "ECONNRESET")
    assert world.dialled == [("199.9.14.201", 443)]


@apart
async def test_many_connections_at_once_and_all_end_with_the_sandbox(launch: Launch, world: World) -> None:
    sandbox = await launch()
    said = await node(
        sandbox,
        TALK
        + f"""
        const all = await Promise.all(Array.from({{ length: 60 }}, (_, n) =>
          talk(n % 2 ? '{DATABASE}' : '{CAPTURE}', 443)))
        console.log(JSON.stringify(all.filter((text) => text.startsWith('echo')).length))""",
    )
    assert said == 60
    await run(
        sandbox,
        f"setsid nohup node -e \"require('net').connect(5432, '{DATABASE}').write('x')\" >/dev/null 2>&1 </dev/null &",
    )
    await until(lambda: world.open == 1)
    await sandbox.stop()
    await until(lambda: world.open == 0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


@apart
async def test_nothing_exists_where_nothing_is_listed(launch: Launch, world: World) -> None:
    sandbox = await launch(frozenset())
    said = await run(sandbox, f"getent ahosts {DATABASE}; echo $?")
    assert said.output == "2\n"
    assert world.looked_up == []


@apart
async def test_a_sandbox_without_a_name_server_runs_and_says_so(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_self: machine.Machine, kind: socket.SocketKind) -> socket.socket:
        raise PermissionError(1, f"no {kind.name}")

    monkeypatch.setattr(machine.Machine, "_socket", refused)
    sandbox = await launch()
    assert (await run(sandbox, "echo works")).output == "works\n"
    assert "names cannot be looked up in this sandbox" in (sandbox.directory / "envd.log").read_text()


async def test_the_proxy_leads_listed_names_outward_only(world: World) -> None:
    server = await asyncio.start_server(Tunnel(frozenset(), AllowList(LISTED), world.outside).serve, "127.0.0.1", 0)
    answers = {}
    for host in (f"{CAPTURE}:443", f"{DATABASE}:5432", "inward.example:443", "secret.neon.tech:443", "neon.tech:443"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        writer.write(f"CONNECT {host} HTTP/1.1\r\n\r\n".encode())
        answers[host] = int((await reader.readline()).split()[1])
        writer.close()
    server.close()
    assert list(answers.values()) == [200, 200, 502, 502, 403]
    assert world.dialled == [("199.9.14.201", 443), ("198.41.0.4", 5432)]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::1", "fe80::1%eth0", "localhost", "",
    ],
)  # fmt: skip
async def test_addresses_close_to_us_are_not_public(address: str) -> None:
    assert not is_public(address)

    async def lookup(_host: str) -> list[str]:
        return [address]

    with pytest.raises(PrivateAddressError):
        await Outside(lookup).addresses("any.example")


def test_addresses_of_the_internet_are_public() -> None:
    assert all(is_public(one) for one in ("198.41.0.4", "2001:500:2::c", "::ffff:198.41.0.4", "64:ff9b::c629:4"))


def query(name: str, kind: int = dns.A, flags: int = 0x0100, questions: int = 1, family: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", 7, flags, questions, 0, 0, 1) + labels + b"\0" + struct.pack(">HH", kind, family)


def test_only_a_plain_question_is_read() -> None:
    good = dns.read(query("A.Example"))
    assert good is not None
    assert (good.id, good.name, good.kind, good.recursion) == (7, "a.example", dns.A, True)
    looped = query("a.example")[:12] + b"\xc0\x0c" + struct.pack(">HH", 1, 1)
    long_name = query(".".join(["a" * 60] * 5))
    for bad in (
        b"", b"x" * 11, query("a.example", flags=0x8000), query("a.example", flags=0x2800), looped, long_name,
        query("a.example", questions=2), query("a.example", questions=0), query("a.example", family=255),
        query("a b.example"), query("a.example")[:-1], query("a.example")[:18], b"\0" * 5000,
    ):  # fmt: skip
        assert dns.read(bad) is None


def test_an_answer_repeats_the_question() -> None:
    packet = query("a.example")
    question = dns.read(packet)
    assert question is not None
    answer = dns.reply(question, dns.NO_ERROR, "127.1.0.9")
    assert answer[:8] == struct.pack(">HHHH", 7, 0x8180, 1, 1)
    assert answer[12:].startswith(packet[12:])
    assert answer.endswith(bytes([127, 1, 0, 9]))
    assert dns.reply(question, dns.NO_SUCH_NAME)[2:8] == struct.pack(">HHH", 0x8183, 1, 0)


def test_the_list_is_exact_names_and_what_lies_below_a_suffix() -> None:
    allowed = AllowList(frozenset({"*.neon.tech", "a.example", "b.example:8443", "2001:db8::1:443", "c.example:99999"}))
    assert allowed.ports("x.y.neon.tech") == {443, 5432}
    assert allowed.ports("a.example") == {443, 5432}
    assert allowed.ports("b.example") == {8443}
    for name in ("neon.tech", "evilneon.tech", "x.a.example", "neon.tech.evil", "", "2001", "c.example"):
        assert not allowed.ports(name)


def test_a_create_names_hosts_and_its_addresses_mean_nothing() -> None:
    body = {"templateID": "base", "network": {"allowOut": ["*.neon.tech", CAPTURE, "10.0.0.0/8", "8.8.8.8", 5, "a b"]}}
    assert requests.wanted(body, default_seconds=1, key=None).hosts == {"*.neon.tech", CAPTURE}


@pytest.mark.isolation
async def test_a_create_through_the_sdk_brings_its_names_along(cloud: CloudUnderTest, make_sandbox: Any) -> None:
    sandbox = await make_sandbox(network={"allow_out": ["*.neon.tech"], "deny_out": ["0.0.0.0/0"]})
    if json.loads((cloud.var / "cloud.json").read_text())["isolation"] == "plain":
        missing("namespaces")
    script = "require('dns').lookup(process.argv[1], (error, address) => console.log(error ? error.code : address))"
    unlisted = await sandbox.commands.run(f'node -e "{script}" unlisted.example')
    assert unlisted.stdout == "ENOTFOUND\n"
    # A listed name is looked up outside: how that ends depends on this machine's network, but not on the sandbox's.
    listed = await sandbox.commands.run(f'node -e "{script}" no-such-name.neon.tech', timeout=60)
    assert listed.stdout in ("ENOTFOUND\n", "EAI_AGAIN\n", "127.1.0.1\n")
    assert (await sandbox.commands.run("cat /etc/resolv.conf")).stdout.startswith("nameserver 127.0.0.53\n")
