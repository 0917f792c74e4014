"""A sandbox of the starter template: the dev server comes up by itself, stays up, and leaves its log inside."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from e2b import AsyncSandbox

from tests.fixtures.cloud import CloudUnderTest, run_cloud


async def page(cloud: CloudUnderTest, sandbox: AsyncSandbox, path: str = "/") -> httpx.Response:
    async with httpx.AsyncClient(headers={"Host": sandbox.get_host(5173)}, timeout=60) as client:
        return await client.get(cloud.base_url + path)


async def served(cloud: CloudUnderTest, sandbox: AsyncSandbox, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while (await page(cloud, sandbox)).status_code != 200:
        assert time.monotonic() < deadline, "the dev server did not come up"
        await asyncio.sleep(0.1)


async def vite_is_named(sandbox: AsyncSandbox) -> None:
    """It says that it is ready once it is, and a page may be quicker."""
    async with asyncio.timeout(30):
        while "VITE" not in await sandbox.files.read("/home/user/.mk0r/dev-server.log"):
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_the_dev_server_starts_by_itself_and_again_when_it_dies(cloud: CloudUnderTest, make_sandbox) -> None:
    sandbox = await make_sandbox("mk0r", request_timeout=170)
    await served(cloud, sandbox)
    assert "/src/main" in (await page(cloud, sandbox)).text
    assert (await page(cloud, sandbox, "/.env")).status_code in {403, 404}
    await vite_is_named(sandbox)
    [started] = [process for process in await sandbox.commands.list() if process.tag == "start-command"]
    await sandbox.commands.kill(started.pid)
    deadline = time.monotonic() + 60
    while not {p.pid for p in await sandbox.commands.list() if p.tag == "start-command"} - {started.pid}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await served(cloud, sandbox)


@pytest.mark.slow
async def test_the_dev_server_runs_without_isolation_too(tmp_path) -> None:
    with run_cloud(tmp_path, environment={"MK0R_ISOLATION": "plain"}) as cloud:
        options = {"api_key": cloud.keys["e2b"], "api_url": f"{cloud.base_url}/e2b", "sandbox_url": cloud.base_url}
        sandbox = await AsyncSandbox.create("mk0r", timeout=300, request_timeout=170, **options)
        await served(cloud, sandbox)
        await vite_is_named(sandbox)
        await sandbox.kill()
