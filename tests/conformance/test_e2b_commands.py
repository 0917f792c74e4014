"""Commands through the unmodified SDK: output, input, ends, deadlines, and life beyond the client's."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from pathlib import Path

import httpx
import pytest
from e2b import (
    AsyncSandbox,
    CommandExitException,
    InvalidArgumentException,
    NotFoundException,
    Sandbox,
    TimeoutException,
)
from e2b.sandbox.commands.command_handle import PtySize

from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("e2b", "e2b (Python)")


async def eventually(check, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


async def test_output_and_status_of_a_command_come_back(sandbox: AsyncSandbox) -> None:
    done = await sandbox.commands.run("echo out; echo err >&2")
    assert (done.stdout, done.stderr, done.exit_code) == ("out\n", "err\n", 0)


async def test_a_failing_command_raises_with_its_code_and_output(sandbox: AsyncSandbox) -> None:
    with pytest.raises(CommandExitException) as raised:
        await sandbox.commands.run("echo before; exit 3")
    assert (raised.value.exit_code, raised.value.stdout) == (3, "before\n")
    assert raised.value.error == "exit status 3"


async def test_a_large_output_arrives_whole(sandbox: AsyncSandbox) -> None:
    done = await sandbox.commands.run("head -c 5000000 /dev/zero | tr '\\0' x")
    assert len(done.stdout) == 5_000_000


async def test_commands_start_at_home_with_the_sandbox_environment(make_sandbox) -> None:
    sandbox = await make_sandbox(envs={"COLOUR": "green", "SHAPE": "round"})
    done = await sandbox.commands.run("echo $COLOUR $SHAPE $USER $LOGNAME; pwd; echo $HOME", envs={"SHAPE": "square"})
    first, cwd, home = done.stdout.split("\n")[:3]
    assert first == "green square user user"
    assert cwd == home


async def test_cwd_is_honoured_and_must_exist(sandbox: AsyncSandbox) -> None:
    assert (await sandbox.commands.run("pwd -P", cwd="/app")).stdout.rstrip().endswith("/app")
    with pytest.raises(InvalidArgumentException, match="cwd '/nowhere' does not exist"):
        await sandbox.commands.run("true", cwd="/nowhere")


async def test_an_unknown_user_is_refused(sandbox: AsyncSandbox) -> None:
    with pytest.raises(Exception, match="invalid username: 'root'"):
        await sandbox.commands.run("id", user="root")
    assert (await sandbox.commands.run("true", user="user")).exit_code == 0


async def test_a_background_command_is_listed_waited_for_and_gone_afterwards(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run("read go; echo done", background=True, stdin=True, timeout=0)
    listed = {process.pid: process for process in await sandbox.commands.list()}
    assert listed[handle.pid].cmd == "/bin/bash"
    assert listed[handle.pid].args == ["-l", "-c", "read go; echo done"]
    await sandbox.commands.send_stdin(handle.pid, "go\n")
    assert (await handle.wait()).stdout == "done\n"
    assert handle.pid not in {process.pid for process in await sandbox.commands.list()}


async def test_kill_ends_the_whole_group_and_says_when_there_was_none(sandbox: AsyncSandbox) -> None:
    told: list[str] = []
    handle = await sandbox.commands.run("sleep 300 & echo $!; wait", background=True, timeout=0, on_stdout=told.append)

    async def started() -> bool:
        return bool(told)

    await eventually(started)
    assert await sandbox.commands.kill(handle.pid) is True
    with pytest.raises(CommandExitException) as raised:
        await handle.wait()
    assert raised.value.exit_code == -1
    assert raised.value.error == "signal: killed"
    child = int(raised.value.stdout)

    async def dead() -> bool:
        said = await sandbox.commands.run(f"kill -0 {child} 2>/dev/null && echo alive || echo dead")
        return said.stdout == "dead\n"

    await eventually(dead)
    assert await sandbox.commands.kill(handle.pid) is False
    assert await sandbox.commands.kill(999_999) is False


async def test_input_reaches_a_command_and_its_end_too(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run("cat; echo end", background=True, stdin=True, timeout=0)
    await sandbox.commands.send_stdin(handle.pid, "one\n")
    await sandbox.commands.send_stdin(handle.pid, "two\n")
    await sandbox.commands.close_stdin(handle.pid)
    assert (await handle.wait()).stdout == "one\ntwo\nend\n"


async def test_streamed_input_keeps_its_order(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run("head -n 200", background=True, stdin=True, timeout=0)
    async with sandbox.commands.stream_input(handle.pid) as feed:
        for number in range(200):
            await feed.send(f"{number}\n")
    assert (await handle.wait()).stdout.split() == [str(number) for number in range(200)]


async def test_input_is_refused_where_none_was_asked_for(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run("sleep 60", background=True, timeout=0)
    with pytest.raises(Exception, match="stdin not enabled or closed"):
        await sandbox.commands.send_stdin(handle.pid, "x")
    await handle.kill()
    with pytest.raises(NotFoundException):
        await sandbox.commands.send_stdin(999_999, "x")


async def test_a_command_outlives_the_client_that_started_it(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run(
        "for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done > ~/log", background=True, timeout=0
    )
    await handle.disconnect()
    await asyncio.sleep(0.2)
    again = await sandbox.commands.connect(handle.pid, timeout=0)
    assert (await again.wait()).exit_code == 0
    assert (await sandbox.files.read("log")).split() == list("123456")


async def test_output_without_a_listener_is_dropped_and_the_end_is_kept(sandbox: AsyncSandbox) -> None:
    script = "read go; echo unheard; touch ~/said; exit 0"
    handle = await sandbox.commands.run(script, background=True, stdin=True, timeout=0)
    await handle.disconnect()
    await sandbox.commands.send_stdin(handle.pid, "go\n")
    await eventually(lambda: sandbox.files.exists("said"))
    late = await sandbox.commands.connect(handle.pid, timeout=0)
    ended = await late.wait()
    assert (ended.exit_code, ended.stdout) == (0, "")
    with pytest.raises(NotFoundException):
        await sandbox.commands.connect(999_999)


async def test_two_listeners_hear_the_same(sandbox: AsyncSandbox) -> None:
    first = await sandbox.commands.run("read go; echo both", background=True, stdin=True, timeout=0)
    second = await sandbox.commands.connect(first.pid, timeout=0)
    await sandbox.commands.send_stdin(first.pid, "go\n")
    assert (await first.wait()).stdout == (await second.wait()).stdout == "both\n"


def test_the_deadline_kills_the_command(cloud: CloudUnderTest, e2b_options) -> None:
    sandbox = Sandbox.create("base", timeout=300, **e2b_options)
    try:
        with pytest.raises(TimeoutException):
            sandbox.commands.run("sleep 3000", timeout=1)
        deadline = time.monotonic() + 30
        while any("sleep 3000" in process.args for process in sandbox.commands.list()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        sandbox.kill()


async def test_the_deadline_holds_even_when_the_client_has_left(cloud: CloudUnderTest, sandbox: AsyncSandbox) -> None:
    order = json.dumps({"process": {"cmd": "/bin/sleep", "args": ["3000"]}, "tag": "left", "stdin": False}).encode()
    headers = {
        "E2b-Sandbox-Id": sandbox.sandbox_id,
        "E2b-Sandbox-Port": "49983",
        "X-Access-Token": sandbox._envd_access_token,
        "Content-Type": "application/connect+json",
        "Connect-Timeout-Ms": "4000",
    }
    async with (
        httpx.AsyncClient() as client,
        client.stream(
            "POST", f"{cloud.base_url}/process.Process/Start", headers=headers,
            content=b"\0" + len(order).to_bytes(4, "big") + order,
        ) as answer,
    ):  # fmt: skip
        first = await anext(answer.aiter_bytes())
        assert b"start" in first

    async def running() -> bool:
        return any(process.tag == "left" for process in await sandbox.commands.list())

    assert await running()

    async def ended() -> bool:
        return not await running()

    await eventually(ended)


async def test_detach_and_tail_lose_no_line_and_repeat_none(make_sandbox, e2b_options) -> None:
    sandbox = await make_sandbox()
    script = "for i in $(seq 40); do echo line $i; sleep 0.1; done"
    started = await sandbox.commands.run(
        f"setsid nohup bash -c '{script}' >> ~/log 2>&1 < /dev/null & echo $!", timeout=10
    )
    assert "line 40" not in await sandbox.files.read("log")  # it was not waited for
    pid = int(started.stdout)
    lines: list[str] = []

    async def tail(sandbox: AsyncSandbox):
        return await sandbox.commands.run(
            f"exec tail --pid={pid} -s 0.1 -n +{len(lines) + 1} -F ~/log",
            background=True, timeout=0, retain_output=False,
            on_stdout=lambda text: lines.extend(line for line in text.splitlines() if line),
        )  # fmt: skip

    first = await tail(sandbox)
    await asyncio.sleep(0.5)
    await first.disconnect()
    await asyncio.sleep(0.2)
    again = await AsyncSandbox.connect(sandbox.sandbox_id, **e2b_options)
    await (await tail(again)).wait()
    assert lines == [f"line {number}" for number in range(1, 41)]


async def test_a_child_that_holds_the_output_holds_the_command(sandbox: AsyncSandbox) -> None:
    begun = time.monotonic()
    done = await sandbox.commands.run("(sleep 0.6; echo late) & echo early")
    assert done.stdout == "early\nlate\n"
    assert time.monotonic() - begun >= 0.5


async def test_a_terminal_echoes_resizes_and_ends(sandbox: AsyncSandbox) -> None:
    seen = bytearray()
    terminal = await sandbox.pty.create(PtySize(rows=24, cols=80), on_data=seen.extend, timeout=0)
    await sandbox.pty.send_stdin(terminal.pid, b"stty size; tty\n")

    async def has(text: bytes) -> bool:
        return text in bytes(seen)

    await eventually(lambda: has(b"24 80"))
    await sandbox.pty.resize(terminal.pid, PtySize(rows=40, cols=100))
    await sandbox.pty.send_stdin(terminal.pid, b"stty size\n")
    await eventually(lambda: has(b"40 100"))
    assert b"/dev/pts" in bytes(seen)
    await sandbox.pty.send_stdin(terminal.pid, b"exit 0\n")
    assert (await terminal.wait()).exit_code == 0


async def test_many_commands_at_once(sandbox: AsyncSandbox) -> None:
    results = await asyncio.gather(*(sandbox.commands.run(f"sleep 0.2; echo {number}") for number in range(20)))
    assert [int(result.stdout) for result in results] == list(range(20))


async def test_a_reader_that_stalls_holds_the_source_back(cloud: CloudUnderTest, sandbox: AsyncSandbox) -> None:
    def resident() -> int:
        status = Path(f"/proc/{cloud.info['pid']}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    order = json.dumps({"process": {"cmd": "/usr/bin/yes"}, "tag": "flood", "stdin": False}).encode()
    headers = {
        "E2b-Sandbox-Id": sandbox.sandbox_id,
        "X-Access-Token": sandbox._envd_access_token,
        "Content-Type": "application/connect+json",
    }
    before = resident()
    async with (
        httpx.AsyncClient(timeout=None) as client,
        client.stream(
            "POST", f"{cloud.base_url}/process.Process/Start", headers=headers,
            content=b"\0" + len(order).to_bytes(4, "big") + order,
        ) as answer,
    ):  # fmt: skip
        await anext(answer.aiter_raw())
        await asyncio.sleep(1)
        assert resident() - before < 20_000
    [flood] = [process for process in await sandbox.commands.list() if process.tag == "flood"]
    assert await sandbox.commands.kill(flood.pid)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/process.Process/SendSignal", b'{"process":{"pid":1}', 400, "invalid_argument"),
        ("/process.Process/SendSignal", b"[]", 400, "invalid_argument"),
        ("/process.Process/SendSignal", b'{"process":{"pid":-1}}', 400, "invalid_argument"),
        ("/process.Process/SendSignal", b'{"process":{"pid":999999},"signal":"SIGNAL_SIGKILL"}', 404, "not_found"),
        ("/process.Process/SendInput", b'{"process":{"tag":"nobody"}}', 404, "not_found"),
        ("/filesystem.Filesystem/Stat", b'{"path":5}', 400, "invalid_argument"),
        ("/filesystem.Filesystem/Stat", b'{"path":"a\\u0000b"}', 400, "invalid_argument"),
    ],
)
async def test_bad_calls_get_the_protocols_errors(cloud, sandbox: AsyncSandbox, path, body, status, code) -> None:
    headers = {
        "E2b-Sandbox-Id": sandbox.sandbox_id,
        "X-Access-Token": sandbox._envd_access_token,
        "Content-Type": "application/json",
    }
    async with httpx.AsyncClient() as client:
        answer = await client.post(cloud.base_url + path, headers=headers, content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_broken_frame_is_an_error_in_the_stream(cloud, sandbox: AsyncSandbox) -> None:
    headers = {
        "E2b-Sandbox-Id": sandbox.sandbox_id,
        "X-Access-Token": sandbox._envd_access_token,
        "Content-Type": "application/connect+json",
    }
    async with httpx.AsyncClient() as client:
        for body in (b"", b"\0\0\0\0\x09{}", b"\1\0\0\0\2{}", b"\0\0\0\0\2{}", b"\0" + base64.b64decode("//////8=")):
            answer = await client.post(f"{cloud.base_url}/process.Process/Start", headers=headers, content=body)
            assert answer.status_code == 200
            assert answer.content[0] == 2
            assert "error" in json.loads(answer.content[5:])
