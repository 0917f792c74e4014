"""A sandbox's ports as a browser meets them: by host name, by header, and by the fallback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from e2b import AsyncSandbox
from yarl import URL

from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.machines import SERVER

BROWSER = {"User-Agent": "Mozilla/5.0 Firefox/140", "Accept": "text/html,*/*", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
async def served(make_sandbox: Callable[..., Awaitable[AsyncSandbox]]) -> AsyncSandbox:
    """A sandbox with an echoing server on 5173."""
    made = await make_sandbox(envs={"NAME": "ada"})
    await made.files.write("/home/user/server.js", SERVER)
    await made.commands.run("setsid nohup node ~/server.js > ~/server.log 2>&1 < /dev/null &", timeout=10)
    return made


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


def host(cloud: CloudUnderTest, sandbox_id: str, port: int = 5173) -> str:
    return f"{port}-{sandbox_id}.localhost:{cloud.port}"


async def until_open(cloud: CloudUnderTest, client: aiohttp.ClientSession, made: AsyncSandbox) -> None:
    async with asyncio.timeout(60):
        while True:
            async with client.get(cloud.base_url, headers={"Host": host(cloud, made.sandbox_id)}) as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)


async def test_http_by_host_name(cloud: CloudUnderTest, client: aiohttp.ClientSession, served: AsyncSandbox) -> None:
    await until_open(cloud, client, served)
    name = host(cloud, served.sandbox_id)
    headers = {"Host": name, "Origin": f"http://{name}", "Cookie": "a=1; b=2", "Connection": "X-Hop", "X-Hop": "1"}
    async with client.get(URL(f"{cloud.base_url}/a%20b/?q=%2e%2e", encoded=True), headers=headers) as answer:
        seen = json.loads(await answer.text())
        assert answer.headers["x-name"] == "ada"
        assert answer.headers.getall("Set-Cookie") == ["sid=1; Path=/", "theme=dark"]
    assert seen["url"] == "/a%20b/?q=%2e%2e"
    assert seen["headers"]["host"] == name
    assert seen["headers"]["origin"] == f"http://{name}"
    assert seen["headers"]["cookie"] == "a=1; b=2"
    assert "x-hop" not in seen["headers"]


async def test_bodies_and_events_stream(
    cloud: CloudUnderTest, client: aiohttp.ClientSession, served: AsyncSandbox
) -> None:
    await until_open(cloud, client, served)
    headers = {"Host": host(cloud, served.sandbox_id)}

    async def body() -> AsyncIterator[bytes]:
        for _ in range(400):  # more than the listener would ever take as one body
            yield b"z" * 100_000

    async with client.post(f"{cloud.base_url}/count", data=body(), headers=headers) as answer:
        assert await answer.text() == "40000000"
    now = asyncio.get_running_loop().time
    async with client.get(f"{cloud.base_url}/slow", headers=headers) as answer:
        times = [now() async for line in answer.content if line.startswith(b"data")]
    assert len(times) == 3
    assert times[-1] - times[0] > 0.25


async def test_websocket_keeps_protocol_host_and_origin(
    cloud: CloudUnderTest, client: aiohttp.ClientSession, served: AsyncSandbox
) -> None:
    await until_open(cloud, client, served)
    name = host(cloud, served.sandbox_id)
    headers = {"Host": name, "Origin": f"http://{name}"}
    async with client.ws_connect(f"{cloud.base_url}/?token=x", protocols=["vite-hmr"], headers=headers) as socket:
        assert socket.protocol == "vite-hmr"
        assert await socket.receive_str() == f"{name} http://{name}"
        await socket.send_str("hello")
        assert await socket.receive_str() == "echo hello"


async def test_by_header(cloud: CloudUnderTest, client: aiohttp.ClientSession, served: AsyncSandbox) -> None:
    await until_open(cloud, client, served)
    headers = {"E2b-Sandbox-Id": served.sandbox_id, "E2b-Sandbox-Port": "5173"}
    async with client.get(f"{cloud.base_url}/by-header", headers=headers) as answer:
        seen = json.loads(await answer.text())
    assert seen["url"] == "/by-header"
    assert not [name for name in seen["headers"] if name.startswith("e2b-")]


async def test_a_closed_port_and_a_missing_sandbox_say_so(
    cloud: CloudUnderTest, client: aiohttp.ClientSession, sandbox: AsyncSandbox
) -> None:
    closed = {"Host": host(cloud, sandbox.sandbox_id, 4999)}
    async with client.get(cloud.base_url, headers=closed) as answer:
        assert answer.status == 502
        assert await answer.json() == {
            "sandboxId": sandbox.sandbox_id,
            "message": "The sandbox is running but port is not open",
            "port": 4999,
            "code": 502,
        }
    async with client.get(cloud.base_url, headers=closed | BROWSER) as answer:
        assert answer.status == 502
        assert answer.content_type == "text/html"
        assert answer.headers["Refresh"] == "1"
        assert "port is not open" in await answer.text()
    missing = {"Host": host(cloud, "inobody0000000000000")}
    async with client.get(cloud.base_url, headers=missing) as answer:
        assert answer.status == 502
        assert (await answer.json())["message"] == "The sandbox was not found"
    async with client.get(cloud.base_url, headers=missing | BROWSER) as answer:
        assert answer.content_type == "text/html"
        assert "Refresh" not in answer.headers
    script = {"Sec-Fetch-Mode": "cors", "User-Agent": "Mozilla", "Accept": "text/html"}
    async with client.get(cloud.base_url, headers=closed | script) as answer:
        assert answer.content_type == "application/json"


async def test_the_fallback_is_an_origin_of_its_own(
    cloud: CloudUnderTest, client: aiohttp.ClientSession, served: AsyncSandbox
) -> None:
    await until_open(cloud, client, served)
    address = f"{cloud.base_url}/e2b/preview/{served.sandbox_id}/5173"
    async with client.get(address, allow_redirects=False) as answer:
        assert answer.status == 302
        where = answer.headers["Location"]
    async with client.get(address, allow_redirects=False) as answer:
        assert answer.headers["Location"] == where
    assert where.startswith("http://127.0.0.1:")
    cookies = {"Cookie": f"visitor=secret; preview-{served.sandbox_id}-5173-sid=1"}
    async with client.get(f"{where}page", headers=cookies) as answer:
        seen = json.loads(await answer.text())
        assert seen["headers"]["cookie"] == "sid=1"  # never what another program of this machine set
        assert answer.headers.getall("Set-Cookie")[1] == f"preview-{served.sandbox_id}-5173-theme=dark"
    for name in ("evil.example", where[7:-1].replace("127.0.0.1", "localhost")):  # localhost has cookies of its own
        async with client.get(where, headers={"Host": name}) as answer:
            assert answer.status == 421
    async with client.ws_connect(where, protocols=["vite-hmr"], headers={"Origin": where.rstrip("/")}) as socket:
        assert socket.protocol == "vite-hmr"
    await served.kill()
    async with client.get(where) as answer:
        assert answer.status == 502
    for bad in ("/e2b/preview/inobody/5173", f"/e2b/preview/{served.sandbox_id}/99999"):
        async with client.get(cloud.base_url + bad, allow_redirects=False) as answer:
            assert answer.status == 404


async def test_a_killed_sandbox_cuts_its_connections(
    cloud: CloudUnderTest, client: aiohttp.ClientSession, served: AsyncSandbox
) -> None:
    await until_open(cloud, client, served)
    headers = {"Host": host(cloud, served.sandbox_id)}
    async with client.ws_connect(cloud.base_url, headers=headers) as socket:
        await socket.receive()
        await served.kill()
        closed = await socket.receive(timeout=60)
        assert closed.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    async with client.get(cloud.base_url, headers=headers) as answer:
        assert (await answer.json())["message"] == "The sandbox was not found"
