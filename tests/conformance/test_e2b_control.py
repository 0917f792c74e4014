"""The control plane through the unmodified SDK: made, found, listed, timed, paused, resumed, killed."""

from __future__ import annotations

import asyncio
import base64
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from e2b import (
    AsyncSandbox,
    AuthenticationException,
    RateLimitException,
    Sandbox,
    SandboxException,
    SandboxQuery,
    SandboxState,
)
from e2b.exceptions import SandboxNotFoundException, SandboxNotRunningException

from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("e2b", "e2b (Python)")


async def listed(e2b_options: dict[str, Any], query: SandboxQuery | None = None, **options: Any) -> list[Any]:
    pages = AsyncSandbox.list(query=query, **options, **e2b_options)
    found = []
    while pages.has_next:
        found += await pages.next_items()
    return found


async def pause_mode(cloud: CloudUnderTest, sandbox: AsyncSandbox) -> str | None:
    """What the last pause kept; the SDK does not show it."""
    async with httpx.AsyncClient(headers={"X-API-KEY": cloud.keys["e2b"]}) as client:
        answer = await client.get(f"{cloud.base_url}/e2b/sandboxes/{sandbox.sandbox_id}")
    mode: str | None = answer.json().get("pauseMode")
    return mode


async def test_a_new_sandbox_is_described_and_in_the_ledger(cloud: CloudUnderTest, make_sandbox, e2b_options) -> None:
    sandbox = await make_sandbox(metadata={"name": "mk0r-ada", "mk0r": "1"}, timeout=100)
    assert sandbox.sandbox_id[0] == "i"
    assert len(sandbox.sandbox_id) == 21
    assert sandbox.sandbox_id.isalnum()
    assert sandbox.get_host(5173) == f"5173-{sandbox.sandbox_id}.localhost:{cloud.port}"
    assert await sandbox.is_running()
    info = await sandbox.get_info()
    assert (info.sandbox_id, info.state, info.metadata) == (
        sandbox.sandbox_id, SandboxState.RUNNING, {"name": "mk0r-ada", "mk0r": "1"},
    )  # fmt: skip
    assert 90 < (info.end_at - datetime.now(UTC)).total_seconds() < 101
    assert [row["id"] for row in cloud.live(vendor="e2b", kind="sandbox", name="mk0r-ada")] == [sandbox.sandbox_id]


async def test_a_killed_sandbox_is_gone_everywhere(cloud: CloudUnderTest, make_sandbox, e2b_options) -> None:
    sandbox = await make_sandbox()
    assert await sandbox.kill() is True
    assert await sandbox.kill() is False
    assert await sandbox.is_running() is False
    with pytest.raises(SandboxNotRunningException, match="The sandbox was not found"):
        await sandbox.commands.run("true")
    with pytest.raises(SandboxNotRunningException):
        await sandbox.files.read("/app/x")
    with pytest.raises(SandboxNotFoundException):
        await AsyncSandbox.connect(sandbox.sandbox_id, **e2b_options)
    with pytest.raises(SandboxNotFoundException):
        await sandbox.get_info()
    assert not cloud.live(vendor="e2b", id=sandbox.sandbox_id)
    assert cloud.ledger(vendor="e2b", id=sandbox.sandbox_id)[0]["deleted_at"]
    assert not (cloud.var / "cloud" / "sandboxes" / sandbox.sandbox_id).exists()


async def test_the_same_idempotency_key_gives_the_same_sandbox(cloud: CloudUnderTest, make_sandbox) -> None:
    wanted = {"idempotency_key": "mk0r-once", "metadata": {"name": "mk0r-once"}}
    first, again = await asyncio.gather(make_sandbox(**wanted), make_sandbox(**wanted))
    assert first.sandbox_id == again.sandbox_id
    assert len(cloud.ledger(vendor="e2b", name="mk0r-once")) == 1
    with pytest.raises(SandboxException, match="422"):
        await make_sandbox(idempotency_key="mk0r-once", metadata={"name": "other"})
    await first.kill()
    anew = await make_sandbox(**wanted)
    assert anew.sandbox_id != first.sandbox_id


async def test_a_create_whose_reply_was_lost_is_found_again_by_its_key(
    cloud: CloudUnderTest, make_sandbox, e2b_options
) -> None:
    wanted = {"idempotency_key": "mk0r-lost", "metadata": {"name": "mk0r-lost"}}
    cloud.set_faults([{"vendor": "e2b", "operation": "create_sandbox", "fault": "reset_after", "probability": 1}])
    try:
        with pytest.raises((httpx.HTTPError, OSError)):
            await make_sandbox(**wanted)
    finally:
        cloud.clear_faults()
    again = await make_sandbox(**wanted)
    assert [row["id"] for row in cloud.ledger(vendor="e2b", name="mk0r-lost")] == [again.sandbox_id]


async def test_metadata_finds_a_sandbox_whatever_it_holds(make_sandbox, e2b_options) -> None:
    awkward = {"app": "mk0r-abc def", "a&b=c": "100% ü"}
    sandbox = await make_sandbox(metadata=awkward)
    await make_sandbox(metadata={"app": "another"})
    found = await listed(e2b_options, SandboxQuery(metadata=awkward))
    assert [info.sandbox_id for info in found] == [sandbox.sandbox_id]
    assert found[0].metadata == awkward
    assert await listed(e2b_options, SandboxQuery(metadata={"app": "mk0r-abc"})) == []


async def test_lists_come_in_pages_and_in_order(cloud: CloudUnderTest, make_sandbox, e2b_options) -> None:
    made = [(await make_sandbox(metadata={"page": "yes"})).sandbox_id for _ in range(3)]
    query = SandboxQuery(metadata={"page": "yes"})
    pages = AsyncSandbox.list(query=query, limit=2, **e2b_options)
    assert [info.sandbox_id for info in await pages.next_items()] == made[:0:-1]
    assert pages.has_next
    assert [info.sandbox_id for info in await pages.next_items()] == made[:1]
    assert not pages.has_next
    assert [info.sandbox_id for info in await listed(e2b_options, query, order="asc", limit=1)] == made
    async with httpx.AsyncClient(headers={"X-API-KEY": cloud.keys["e2b"]}) as client:
        answer = await client.get(f"{cloud.base_url}/e2b/v2/sandboxes", params={"limit": 1})
        assert int(answer.headers["X-Total-Running"]) >= 3
        for bad in ({"limit": 0}, {"limit": "x"}, {"state": "dead"}, {"nextToken": "?"}, {"startedAfter": "soon"}):
            refused = await client.get(f"{cloud.base_url}/e2b/v2/sandboxes", params=bad)
            assert (refused.status_code, refused.json()["code"]) == (400, 400)


async def test_a_pause_keeps_files_and_processes(make_sandbox, e2b_options) -> None:
    sandbox = await make_sandbox(metadata={"nap": "1"})
    await sandbox.files.write("/app/kept", "yes")
    handle = await sandbox.commands.run(
        "while :; do date +%s%N >> ~/beat; sleep 0.05; done", background=True, timeout=0
    )
    assert await sandbox.pause() is True
    assert await sandbox.pause() is False
    states = {info.sandbox_id: info.state for info in await listed(e2b_options, SandboxQuery(metadata={"nap": "1"}))}
    assert states == {sandbox.sandbox_id: SandboxState.PAUSED}
    assert await listed(e2b_options, SandboxQuery(metadata={"nap": "1"}, state=[SandboxState.RUNNING])) == []
    assert await sandbox.is_running() is False
    paused_at = time.time_ns()
    await asyncio.sleep(0.5)
    resumed_at = time.time_ns()
    again = await AsyncSandbox.connect(sandbox.sandbox_id, timeout=60, **e2b_options)
    assert await again.files.read("/app/kept") == "yes"
    deadline = time.monotonic() + 30
    while (beats := [int(line) for line in (await again.files.read("beat")).split()])[-1] <= resumed_at:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert [beat for beat in beats if paused_at + 5e7 < beat < resumed_at] == []
    assert handle.pid in {process.pid for process in await again.commands.list()}


async def test_a_pause_keeps_what_a_process_reads_from(make_sandbox) -> None:
    sandbox = await make_sandbox()
    handle = await sandbox.commands.run("read one; read two; echo $one $two", background=True, stdin=True, timeout=0)
    await sandbox.commands.send_stdin(handle.pid, "before\n")
    await sandbox.pause()
    await sandbox.connect()
    heard = await sandbox.commands.connect(handle.pid, timeout=0)
    await sandbox.commands.send_stdin(handle.pid, "after\n")
    assert (await heard.wait()).stdout == "before after\n"


async def test_a_pause_without_memory_keeps_files_only(cloud: CloudUnderTest, make_sandbox) -> None:
    sandbox = await make_sandbox()
    await sandbox.files.write("/app/kept", "yes")
    await sandbox.commands.run("sleep 300", background=True, timeout=0)
    assert await sandbox.pause(keep_memory=False) is True
    assert await pause_mode(cloud, sandbox) == "filesystem"
    await sandbox.connect()
    assert await sandbox.files.read("/app/kept") == "yes"
    assert await sandbox.commands.list() == []
    assert await pause_mode(cloud, sandbox) is None


async def test_a_pause_with_memory_can_be_left_by_a_reboot(cloud: CloudUnderTest, make_sandbox) -> None:
    sandbox = await make_sandbox()
    await sandbox.files.write("/app/kept", "yes")
    await sandbox.commands.run("sleep 300", background=True, timeout=0)
    await sandbox.pause()
    assert await pause_mode(cloud, sandbox) == "full"
    await sandbox.connect(on_resume="reboot")
    assert await sandbox.files.read("/app/kept") == "yes"
    assert await sandbox.commands.list() == []


async def test_traffic_does_not_wake_what_kept_its_files_only(make_sandbox) -> None:
    sandbox = await make_sandbox(lifecycle={"on_timeout": "pause", "auto_resume": True})
    await sandbox.pause(mode="filesystem")
    with pytest.raises(SandboxNotRunningException):
        await sandbox.commands.run("true")
    await sandbox.connect()
    assert (await sandbox.commands.run("echo awake")).stdout == "awake\n"


async def test_traffic_wakes_a_sandbox_that_asked_for_it(make_sandbox) -> None:
    sandbox = await make_sandbox(lifecycle={"on_timeout": "pause", "auto_resume": True})
    await sandbox.pause()
    assert (await sandbox.commands.run("echo awake")).stdout == "awake\n"
    assert (await sandbox.get_info()).state is SandboxState.RUNNING


async def test_the_timeout_ends_a_sandbox(cloud: CloudUnderTest, make_sandbox) -> None:
    sandbox = await make_sandbox(timeout=60)
    await sandbox.set_timeout(1)
    deadline = time.monotonic() + 30
    while await sandbox.is_running() or cloud.live(vendor="e2b", id=sandbox.sandbox_id):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def test_the_timeout_pauses_where_that_was_asked_for(cloud: CloudUnderTest, make_sandbox) -> None:
    kept = ("full", "filesystem")
    made = [await make_sandbox(timeout=1, lifecycle={"on_timeout": {"action": "pause", "mode": mode}}) for mode in kept]
    deadline = time.monotonic() + 60
    while [await pause_mode(cloud, sandbox) for sandbox in made] != list(kept):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert {(await sandbox.get_info()).state for sandbox in made} == {SandboxState.PAUSED}


async def test_connecting_extends_the_time_and_never_shortens_it(make_sandbox) -> None:
    sandbox = await make_sandbox(timeout=100)
    first = (await sandbox.get_info()).end_at
    await sandbox.connect(timeout=10)
    assert (await sandbox.get_info()).end_at == first
    await sandbox.connect(timeout=500)
    assert (await sandbox.get_info()).end_at > first
    await sandbox.set_timeout(50)
    assert (await sandbox.get_info()).end_at < first


async def test_a_command_in_flight_learns_that_its_sandbox_was_killed(make_sandbox) -> None:
    sandbox = await make_sandbox()
    handle = await sandbox.commands.run("sleep 60", background=True, timeout=0)
    await sandbox.kill()
    with pytest.raises(SandboxNotRunningException):
        await asyncio.wait_for(handle.wait(), 40)


async def test_keys_are_checked(cloud: CloudUnderTest, sandbox: AsyncSandbox, e2b_options) -> None:
    with pytest.raises(AuthenticationException, match="Invalid API key format"):
        await AsyncSandbox.create("base", **{**e2b_options, "api_key": "mallory"})
    with pytest.raises(AuthenticationException, match="Cannot get the team"):
        await AsyncSandbox.create("base", **{**e2b_options, "api_key": "e2b_" + "0" * 40})
    async with httpx.AsyncClient() as client:
        missing = await client.get(f"{cloud.base_url}/e2b/v2/sandboxes")
        assert (missing.status_code, missing.json()["message"]) == (401, "authorization header is missing")
    routing = {"E2b-Sandbox-Id": sandbox.sandbox_id, "E2b-Sandbox-Port": "49983"}
    async with httpx.AsyncClient(headers=routing, base_url=cloud.base_url) as client:
        for headers in ({}, {"X-Access-Token": "0" * 64}):
            answer = await client.get("/files", params={"path": "/etc/passwd"}, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["message"].startswith("unauthorized access")
        assert (await client.get("/health")).status_code == 204
        inside = await client.post("/init", json={}, headers={"X-Access-Token": sandbox._envd_access_token})
        assert inside.status_code == 403


@pytest.mark.usefixtures("apart")
async def test_a_sandbox_without_internet_access_reaches_nothing(cloud: CloudUnderTest, make_sandbox) -> None:
    port = cloud.base_url.rpartition(":")[2]
    line = f"(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo open || echo closed"
    usual, shut = await make_sandbox(), await make_sandbox(allow_internet_access=False)
    assert (await usual.commands.run(line)).stdout == "open\n"
    assert (await shut.commands.run(line)).stdout == "closed\n"
    assert (await shut.get_info()).allow_internet_access is False


async def test_one_sandbox_does_not_open_another_by_its_token(cloud: CloudUnderTest, make_sandbox) -> None:
    ada, ben = await make_sandbox(), await make_sandbox()
    headers = {"E2b-Sandbox-Id": ada.sandbox_id, "X-Access-Token": ben._envd_access_token}
    async with httpx.AsyncClient(headers=headers, base_url=cloud.base_url) as client:
        assert (await client.get("/files", params={"path": "/etc/passwd"})).status_code == 401


async def test_past_the_last_page_there_is_nothing(cloud: CloudUnderTest, make_sandbox, e2b_options) -> None:
    await make_sandbox(metadata={"page": "last"})
    pages = AsyncSandbox.list(query=SandboxQuery(metadata={"page": "last"}), **e2b_options)
    assert len(await pages.next_items()) == 1
    with pytest.raises(Exception, match="No more items"):
        await pages.next_items()
    token = base64.urlsafe_b64encode(b"0.0__i0").decode()
    async with httpx.AsyncClient(headers={"X-API-KEY": cloud.keys["e2b"]}) as client:
        for path in ("v2/sandboxes", "snapshots"):
            answer = await client.get(f"{cloud.base_url}/e2b/{path}", params={"nextToken": token})
            assert (answer.status_code, answer.json(), "x-next-token" in answer.headers) == (200, [], False)


async def test_a_rate_limit_is_told_apart(cloud: CloudUnderTest, e2b_options) -> None:
    cloud.set_faults([{"vendor": "e2b", "operation": "create_sandbox", "fault": "status:429", "seconds": 0}])
    try:
        with pytest.raises(RateLimitException, match="429: Rate limit exceeded"):
            await AsyncSandbox.create("base", **e2b_options)
    finally:
        cloud.clear_faults()


async def test_a_closed_port_is_told_from_a_sandbox_that_is_gone(cloud: CloudUnderTest, make_sandbox) -> None:
    sandbox = await make_sandbox()
    async with httpx.AsyncClient(headers={"E2b-Sandbox-Id": sandbox.sandbox_id, "E2b-Sandbox-Port": "9999"}) as client:
        closed = await client.get(cloud.base_url)
        await sandbox.kill()
        gone = await client.get(cloud.base_url)
    assert (closed.status_code, closed.json()["message"]) == (502, "The sandbox is running but port is not open")
    assert (gone.status_code, gone.json()["message"]) == (502, "The sandbox was not found")


@pytest.mark.usefixtures("apart")
async def test_processes_of_another_sandbox_are_out_of_reach(make_sandbox) -> None:
    ada, ben = await make_sandbox(), await make_sandbox()
    theirs = await ben.commands.run("exec sleep 4242", background=True, timeout=0)
    assert "4242" not in (await ada.commands.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")).stdout
    assert await ada.commands.kill(theirs.pid) is False
    assert theirs.pid in {process.pid for process in await ben.commands.list()}


async def test_what_cannot_be_understood_is_refused(cloud: CloudUnderTest, e2b_options) -> None:
    with pytest.raises(SandboxException, match="404: template 'nothing' not found"):
        await AsyncSandbox.create("nothing", **e2b_options)
    headers = {"X-API-KEY": cloud.keys["e2b"]}
    async with httpx.AsyncClient(headers=headers, base_url=f"{cloud.base_url}/e2b") as client:
        for body in (
            {},
            {"templateID": 5},
            {"templateID": "base", "timeout": -1},
            {"templateID": "base", "timeout": "5"},
            {"templateID": "base", "timeout": 90000},
            {"templateID": "base", "metadata": {"a": 1}},
            {"templateID": "base", "envVars": {"A=B": "c"}},
            {"templateID": "base", "autoPause": True, "autoPauseMemory": False, "autoResume": {"enabled": True}},
            [],
        ):
            answer = await client.post("/v2/sandboxes", json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, 400), body
        for wish in ({"mcp": {"a": {}}}, {"volumeMounts": [{}]}, {"network": {"allowPublicTraffic": False}}):
            answer = await client.post("/v2/sandboxes", json={"templateID": "base", **wish})
            assert (answer.status_code, "does not cover" in answer.json()["message"]) == (501, True)
        broken = await client.post("/v2/sandboxes", content=b"{", headers={"Content-Type": "application/json"})
        assert broken.status_code == 400
        missing = await client.delete("/sandboxes/inobody")
        assert missing.status_code == 404
        assert missing.json()["message"] == "Sandbox \"inobody\" doesn't exist or you don't have access to it"
        assert (await client.get("/templates/aliases/mk0r")).json()["templateID"] == "mk0r"
        assert (await client.get("/templates/aliases/unknown")).status_code == 404
        assert (await client.post("/sandboxes/inobody/fork", json={})).status_code == 404
        assert (await client.put("/sandboxes/inobody/network", json={})).status_code == 501


def test_the_sync_sdk_makes_and_kills(cloud: CloudUnderTest, e2b_options) -> None:
    sandbox = Sandbox.create("base", timeout=60, **e2b_options)
    assert sandbox.is_running()
    assert Sandbox.connect(sandbox.sandbox_id, **e2b_options).sandbox_id == sandbox.sandbox_id
    assert sandbox.kill() is True
    assert sandbox.is_running() is False
