"""A pause under which the sandbox's own daemon does not answer."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import httpx
import pytest
from e2b import AsyncSandbox, GuestUnresponsiveException, SandboxException

from tests.e2b.test_lifetime import marked
from tests.fixtures.cloud import CloudUnderTest


def stopped(sandbox_id: str) -> list[int]:
    """Processes of a sandbox that were told to stop, and have."""
    found = []
    for pid in marked(sandbox_id):
        with contextlib.suppress(OSError):
            if "\nState:\tT" in Path(f"/proc/{pid}/status").read_text():
                found.append(pid)
    return found


@pytest.mark.slow
async def test_memory_that_hangs_is_noted_and_left_by_a_reboot(cloud: CloudUnderTest, make_sandbox) -> None:
    sandbox: AsyncSandbox = await make_sandbox()
    await sandbox.files.write("/app/kept", "yes")
    handle = await sandbox.commands.run("read go; kill -STOP $PPID", background=True, stdin=True, timeout=0)
    await handle.disconnect()
    with contextlib.suppress(SandboxException):  # its daemon may stop before it has answered
        await sandbox.commands.send_stdin(handle.pid, "go\n", request_timeout=5)
    async with asyncio.timeout(60):
        while not stopped(sandbox.sandbox_id):
            await asyncio.sleep(0.05)
    path = f"{cloud.base_url}/e2b/sandboxes/{sandbox.sandbox_id}/pause"
    async with httpx.AsyncClient(headers={"X-API-KEY": cloud.keys["e2b"]}, timeout=30) as client:
        for refused in ({"requireHealthyGuest": True}, {"memory": False}):
            answer = await client.post(path, json=refused)
            assert (answer.status_code, "does not answer" in answer.json()["message"]) == (503, True)
    assert (await sandbox.get_info()).state.value == "running"
    assert await sandbox.pause() is True
    assert (await sandbox.get_info()).envd_unresponsive_at_pause is True
    with pytest.raises(GuestUnresponsiveException):
        await sandbox.connect()
    await sandbox.connect(on_resume="reboot")
    assert await sandbox.files.read("/app/kept") == "yes"
