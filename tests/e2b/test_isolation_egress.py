"""The ways out of a sandbox let named paths and hosts pass, stream both ways, and nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from localcloud.e2b.isolation.gate import Gate, safe_path
from localcloud.e2b.isolation.tunnel import Tunnel
from localcloud.e2b.runtime import Egress
from tests.fixtures.machines import Machines, run


@dataclass
class Origin:
    """A product's listener that remembers what reached it."""

    port: int = 0
    seen: list[tuple[str, str, CIMultiDict[str]]] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append((request.method, request.raw_path, CIMultiDict(request.headers)))
        if request.path.endswith("/stream"):
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for number in range(3):
                await response.write(f"data: {number}\n\n".encode())
                await asyncio.sleep(0.5)
            return response
        if request.path.endswith("/forever"):
            response = web.StreamResponse()
            await response.prepare(request)
            try:
                while True:
                    await response.write(b"x")
                    await asyncio.sleep(0.02)
            except (OSError, asyncio.CancelledError):
                self.hung_up.set()
                raise
        if request.path.endswith("/broken"):
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"half")
            assert request.transport is not None
            request.transport.abort()
            return response
        size = 0
        async for chunk in request.content.iter_chunked(1 << 16):
            size += len(chunk)
        return web.Response(body=b"y" * 3_000_000 if request.path.endswith("/big") else str(size).encode())


def loopback() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    made = Origin()
    runner = web.ServerRunner(web.Server(made.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = int(runner.addresses[0][1])
    yield made
    await runner.cleanup()


@pytest.fixture
async def gate(origin: Origin) -> AsyncIterator[str]:
    """Base address of a gate that lets `/gateway/` of the origin pass."""
    made = Gate(f"http://127.0.0.1:{origin.port}", ("/gateway/",))
    listener = loopback()
    await made.open(listener)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    await made.close()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize(
    "path",
    [
        "/", "/admin", "/gateway", "/gatewayx/", "//gateway/x", "/gateway/../admin", "/gateway/%2e%2e/admin",
        "/gateway/%2E%2E/admin", "/gateway/..%2fadmin", "/gateway/%2e%2e%2fadmin", "/gateway/.%2e/admin",
        "/gateway/%252e%252e/admin", "/gateway/./x", "/gateway//x", "/gateway/..;/admin", "/gateway\\..\\admin",
        "/gateway/%5c..%5cadmin", "/gateway/x%00", "/gateway/%zz", "/GATEWAY/x", "/api/../gateway/x",
    ],
)  # fmt: skip
async def test_other_paths_do_not_pass(gate: str, origin: Origin, client: aiohttp.ClientSession, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(gate).port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    assert status in (400, 403)
    assert origin.seen == []


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/gateway/x", "*", "gateway/x"])
async def test_targets_that_are_no_path_do_not_pass(gate: str, origin: Origin, target: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(gate).port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    line = await reader.readline()
    writer.close()
    assert b" 40" in line
    assert origin.seen == []


def test_ordinary_paths_are_left_as_they_are() -> None:
    for path in ("/gateway/git/x.git/info/refs?service=a", "/gateway/a%20b", "/posthog/e/?ip=1&_=..", "/a/@b/c~d"):
        assert safe_path(path) == path.partition("?")[0]


async def test_an_allowed_path_passes_unchanged(gate: str, origin: Origin, client: aiohttp.ClientSession) -> None:
    headers = {"Authorization": "Bearer t", "X-Api-Key": "k", "Host": "5173-iother.localhost:8001"}
    headers |= {"E2b-Sandbox-Id": "iother", "X-Forwarded-Host": "evil", "Connection": "X-Drop", "X-Drop": "1"}
    async with client.post(
        URL(f"{gate}/gateway/a%20b?q=..%2f", encoded=True), data=b"hello", headers=headers
    ) as answer:
        assert (answer.status, await answer.text()) == (200, "5")
    method, path, seen = origin.seen[0]
    assert (method, path) == ("POST", "/gateway/a%20b?q=..%2f")
    assert seen["Authorization"] == "Bearer t"
    assert seen["X-Api-Key"] == "k"
    assert seen["Host"] == f"127.0.0.1:{origin.port}"  # what the sandbox calls itself must not route anything
    assert not {"E2b-Sandbox-Id", "X-Forwarded-Host", "X-Drop"} & set(seen)


async def test_large_bodies_stream_both_ways(gate: str, client: aiohttp.ClientSession) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b"z" * 100_000

    async with client.post(f"{gate}/gateway/upload", data=body()) as answer:
        assert await answer.text() == "8000000"
    async with client.get(f"{gate}/gateway/big") as answer:
        assert len(await answer.read()) == 3_000_000


async def test_events_arrive_as_they_are_sent(gate: str, client: aiohttp.ClientSession) -> None:
    now = asyncio.get_running_loop().time
    async with client.get(f"{gate}/gateway/stream") as answer:
        times = [now() async for line in answer.content if line.startswith(b"data")]
    assert len(times) == 3
    assert times[2] - times[0] > 0.2


async def test_half_an_answer_does_not_look_whole(gate: str, client: aiohttp.ClientSession) -> None:
    with pytest.raises(aiohttp.ClientError):
        async with client.get(f"{gate}/gateway/broken") as answer:
            await answer.read()


async def test_a_client_that_leaves_ends_the_request(gate: str, origin: Origin, client: aiohttp.ClientSession) -> None:
    async with client.get(f"{gate}/gateway/forever") as answer:
        await answer.content.readany()
        answer.close()
    await asyncio.wait_for(origin.hung_up.wait(), 30)


async def test_an_origin_that_is_down_is_a_clear_502(client: aiohttp.ClientSession) -> None:
    made = Gate("http://127.0.0.1:9", ("/gateway/",))
    listener = loopback()
    await made.open(listener)
    async with client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/gateway/x") as answer:
        assert answer.status == 502
        assert "127.0.0.1:9 could not be reached" in (await answer.json())["message"]
    await made.close()


async def test_the_tunnel_knows_its_hosts(origin: Origin) -> None:
    server = await asyncio.start_server(
        Tunnel(frozenset({f"localhost:{origin.port}", "npm.example"})).serve, "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]

    async def ask(line: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{line}\r\nHost: x\r\n\r\n".encode())
        first = await asyncio.wait_for(reader.readline(), 30)
        if b" 200 " in first:
            await reader.readline()
            writer.write(b"POST /tunnelled HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
            first += await asyncio.wait_for(reader.read(), 30)
        writer.close()
        await writer.wait_closed()
        return first

    assert (await ask(f"CONNECT localhost:{origin.port} HTTP/1.1")).endswith(b"\r\n\r\n2")
    assert b" 403 " in await ask(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1")
    assert b" 403 " in await ask("CONNECT npm.example:22 HTTP/1.1")
    assert b" 403 " in await ask("CONNECT npm.example.evil.example:443 HTTP/1.1")
    assert b" 405 " in await ask(f"GET http://localhost:{origin.port}/ HTTP/1.1")
    assert b" 405 " in await ask("CONNECT localhost HTTP/1.1")
    server.close()


@pytest.mark.isolation
@pytest.mark.parametrize("machines", ["bwrap", "unshare"], indirect=True)
async def test_a_sandbox_reaches_the_gateway_at_its_usual_address(machines: Machines, origin: Origin) -> None:
    egress = Egress(
        http={origin.port: (f"http://127.0.0.1:{origin.port}", ("/gateway/",))}, hosts=frozenset({"a.example"})
    )
    machine = await machines.make(egress=egress)
    script = f"""
      const base = 'http://127.0.0.1:{origin.port}'
      const got = await fetch(base + '/gateway/x', {{ method: 'POST', body: 'abc' }})
      const refused = await fetch(base + '/admin')
      console.log(JSON.stringify([got.status, await got.text(), refused.status]))
    """
    said = await run(machine, f"cat > /tmp/a.mjs <<'X'\n{script}\nX\nnode /tmp/a.mjs")
    assert json.loads(said.output) == [200, "3", 403]
    assert (
        await run(machine, "echo $https_proxy $npm_config_proxy")
    ).output == "http://127.0.0.1:3128 http://127.0.0.1:3128\n"
    assert [path for _, path, _ in origin.seen] == ["/gateway/x"]
