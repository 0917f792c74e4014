"""Files through the unmodified SDK: written, read, listed, moved, removed, watched."""

from __future__ import annotations

import asyncio
import io
import os
import time

import httpx
import pytest
from e2b import AsyncSandbox, FileNotFoundException, FileType, InvalidArgumentException, Sandbox
from e2b.sandbox.filesystem.watch_handle import FilesystemEventType

from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("e2b", "e2b (Python)")


async def test_text_and_bytes_come_back_as_written(sandbox: AsyncSandbox) -> None:
    await sandbox.files.write("/app/text.txt", "größer\n")
    assert await sandbox.files.read("/app/text.txt") == "größer\n"
    raw = os.urandom(3_000_000)
    written = await sandbox.files.write("/app/raw.bin", raw)
    assert (written.path, written.name) == ("/app/raw.bin", "raw.bin")
    assert bytes(await sandbox.files.read("/app/raw.bin", format="bytes")) == raw
    await sandbox.files.write("/app/empty", "")
    assert await sandbox.files.read("/app/empty") == ""


async def test_missing_parents_are_made_and_relative_paths_start_at_home(sandbox: AsyncSandbox) -> None:
    await sandbox.files.write("a/b/c.txt", "deep")
    assert await sandbox.files.read("~/a/b/c.txt") == "deep"
    assert await sandbox.files.read("/home/user/a/b/c.txt") == "deep"


async def test_awkward_names_survive(sandbox: AsyncSandbox) -> None:
    for name in ('with space & "quotes".txt', "ünï.txt", "percent%20.txt", "semi;colon.txt", "back\\slash.txt"):
        await sandbox.files.write(f"/app/odd/{name}", name)
        assert await sandbox.files.read(f"/app/odd/{name}") == name


async def test_several_files_are_written_by_one_request(sandbox: AsyncSandbox) -> None:
    entries = [{"path": f"/app/many/{number}.txt", "data": f"file {number}"} for number in range(5)]
    written = await sandbox.files.write_files(entries)
    assert [info.path for info in written] == [entry["path"] for entry in entries]
    assert await sandbox.files.read("/app/many/3.txt") == "file 3"


async def test_streams_go_up_and_down_without_being_held(sandbox: AsyncSandbox) -> None:
    raw = os.urandom(5_000_000)
    await sandbox.files.write("/app/up.bin", io.BytesIO(raw))
    down = bytearray()
    async with await sandbox.files.read("/app/up.bin", format="stream") as reader:
        async for chunk in reader:
            down += chunk
    assert bytes(down) == raw
    await sandbox.files.write("/app/packed.txt", "x" * 100_000, gzip=True)
    assert await sandbox.files.read("/app/packed.txt", gzip=True) == "x" * 100_000


async def test_a_write_replaces_at_once_and_keeps_the_mode(sandbox: AsyncSandbox) -> None:
    await sandbox.files.write("/app/mode/.env", "A=1\n")
    await sandbox.commands.run("chmod 600 .env && ln -s .env link", cwd="/app/mode")
    before = await sandbox.files.get_info("/app/mode/.env")
    await sandbox.files.write("/app/mode/link", "A=2\n")
    after = await sandbox.files.get_info("/app/mode/.env")
    assert (before.mode, after.mode) == (0o600, 0o600)
    assert await sandbox.files.read("/app/mode/.env") == "A=2\n"
    assert (await sandbox.files.get_info("/app/mode/link")).type is FileType.SYMLINK
    left = await sandbox.commands.run("ls -A", cwd="/app/mode")
    assert left.stdout.split() == [".env", "link"]


async def test_an_upload_that_breaks_off_leaves_the_old_file(cloud: CloudUnderTest, sandbox: AsyncSandbox) -> None:
    await sandbox.files.write("/app/cut/kept.txt", "old")
    _, writer = await asyncio.open_connection("127.0.0.1", cloud.port)
    writer.write(
        f"POST /files?path=/app/cut/kept.txt HTTP/1.1\r\nHost: 127.0.0.1:{cloud.port}\r\n"
        f"E2b-Sandbox-Id: {sandbox.sandbox_id}\r\nX-Access-Token: {sandbox._envd_access_token}\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 1000\r\n\r\nnew".encode()
    )
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.transport.abort()
    await asyncio.sleep(1.2)
    deadline = time.monotonic() + 30
    while (await sandbox.commands.run("ls -A", cwd="/app/cut")).stdout.split() != ["kept.txt"]:
        assert time.monotonic() < deadline, "what came of it is left"
        await asyncio.sleep(0.1)
    assert await sandbox.files.read("/app/cut/kept.txt") == "old"


async def test_what_is_not_there_or_not_a_file_is_said(sandbox: AsyncSandbox) -> None:
    with pytest.raises(FileNotFoundException, match=r"none\.txt. does not exist"):
        await sandbox.files.read("/app/none.txt")
    with pytest.raises(InvalidArgumentException, match="is a directory"):
        await sandbox.files.read("/app")
    with pytest.raises(InvalidArgumentException, match="is a directory"):
        await sandbox.files.write("/app", "x")
    with pytest.raises(FileNotFoundException):
        await sandbox.files.list("/app/none")
    with pytest.raises(FileNotFoundException):
        await sandbox.files.get_info("/app/none")
    assert await sandbox.files.exists("/app/none") is False


async def test_directories_are_made_listed_moved_and_removed(sandbox: AsyncSandbox) -> None:
    assert await sandbox.files.make_dir("/app/one/two") is True
    assert await sandbox.files.make_dir("/app/one/two") is False
    await sandbox.files.write("/app/one/two/file", "x")
    listed = await sandbox.files.list("/app/one", depth=2)
    assert [(entry.path, entry.type) for entry in listed] == [
        ("/app/one/two", FileType.DIR),
        ("/app/one/two/file", FileType.FILE),
    ]
    assert [entry.name for entry in await sandbox.files.list("/app/one")] == ["two"]
    moved = await sandbox.files.rename("/app/one/two", "/app/three/four")
    assert moved.path == "/app/three/four"
    assert await sandbox.files.read("/app/three/four/file") == "x"
    await sandbox.files.remove("/app/three")
    assert await sandbox.files.exists("/app/three") is False


async def test_an_entry_says_what_a_person_would_ask(sandbox: AsyncSandbox) -> None:
    begun = time.time()
    await sandbox.files.write("/app/info.txt", "12345", metadata={"author": "Ada"})
    info = await sandbox.files.get_info("/app/info.txt")
    assert (info.name, info.path, info.type, info.size) == ("info.txt", "/app/info.txt", FileType.FILE, 5)
    assert (info.permissions, info.owner, info.group) == ("-rw-r--r--", "user", "user")
    assert begun - 1 <= info.modified_time.timestamp() <= time.time() + 1
    assert info.metadata in ({"author": "Ada"}, None)  # None where the file system has no attributes


async def test_changes_are_streamed(sandbox: AsyncSandbox) -> None:
    seen: list[tuple[str, FilesystemEventType]] = []
    handle = await sandbox.files.watch_dir(
        "/app", on_event=lambda event: seen.append((event.name, event.type)), recursive=True, timeout=0
    )
    await sandbox.commands.run("mkdir -p deep/er && echo 1 > deep/er/new && rm deep/er/new", cwd="/app")
    await sandbox.files.write("/app/written", "x")
    deadline = time.monotonic() + 30
    while ("written", FilesystemEventType.CREATE) not in seen and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    await handle.stop()
    assert ("deep", FilesystemEventType.CREATE) in seen
    assert ("written", FilesystemEventType.CREATE) in seen
    assert not [name for name, _ in seen if ".envd-" in name]


def test_changes_are_kept_for_a_watcher_that_asks(cloud: CloudUnderTest, e2b_options) -> None:
    with Sandbox.create("base", timeout=60, **e2b_options) as sandbox:
        watcher = sandbox.files.watch_dir("/app")
        sandbox.commands.run("echo 1 > a; echo 2 >> a; rm a", cwd="/app")
        kinds: set[tuple[str, FilesystemEventType]] = set()
        deadline = time.monotonic() + 30
        while ("a", FilesystemEventType.REMOVE) not in kinds:  # the last of them
            assert time.monotonic() < deadline, kinds
            kinds |= {(event.name, event.type) for event in watcher.get_new_events()}
            time.sleep(0.05)
        assert {("a", FilesystemEventType.CREATE), ("a", FilesystemEventType.WRITE)} <= kinds
        assert watcher.get_new_events() == []
        watcher.stop()
        with pytest.raises(Exception, match="not found"):
            sandbox.files.watch_dir("/app/none")


async def test_signed_addresses_work_and_forged_ones_do_not(cloud: CloudUnderTest, sandbox: AsyncSandbox) -> None:
    await sandbox.files.write("/app/signed.txt", "signed")
    signed = httpx.URL(sandbox.download_url("/app/signed.txt", use_signature_expiration=60))
    host = {"Host": f"49983-{sandbox.sandbox_id}.localhost:{cloud.port}"}
    headers = {"E2b-Sandbox-Id": sandbox.sandbox_id}
    async with httpx.AsyncClient() as client:
        for routing in (headers, host):
            good = await client.get(f"{cloud.base_url}/files", params=signed.params, headers=routing)
            assert (good.status_code, good.text) == (200, "signed")
            forged = signed.params.set("path", "/etc/passwd")
            assert (await client.get(f"{cloud.base_url}/files", params=forged, headers=routing)).status_code == 401


def test_the_sync_sdk_reads_and_writes_too(cloud: CloudUnderTest, e2b_options) -> None:
    with Sandbox.create("base", timeout=60, **e2b_options) as sandbox:
        sandbox.files.write("/app/sync.txt", "sync")
        assert sandbox.files.read("/app/sync.txt") == "sync"
        assert sandbox.commands.run("cat sync.txt", cwd="/app").stdout == "sync"
