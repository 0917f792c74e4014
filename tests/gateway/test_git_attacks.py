"""Ways round the look at a push: odd trees, odd spellings, packs that swell, remotes that hang."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import struct
import tempfile
import time
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from gateway import git_inspect
from gateway.git_process import Forbidden
from gateway.pktline import BadFraming, Command, Push, packet, read_push
from sessions_app import tokens
from sessions_app.models import Session
from tests.gateway.conftest import GITHUB_KEY, PASSWORD, GitHost, Upstream

NULL = "0" * 40


@pytest.fixture
async def work(tmp_path: Path, git: Any, site: str, git_host: GitHost, ada: Session) -> Path:
    git_host.create(ada)
    tree = tmp_path / "work"
    await git("init", "-q", "-b", "main", str(tree))
    url = f"http://mk0r:{tokens.gateway_token(ada)}@{urlsplit(site).netloc}/gateway/git/{ada.slug}.git"
    await git("remote", "add", "origin", url, cwd=tree)
    return tree


async def written(git: Any, tree: Path, kind: str, content: bytes) -> str:
    """An object of any content, also one that git would not make."""
    file = tree / ".git" / "object"
    file.write_bytes(content)
    done = await git("hash-object", "-t", kind, "-w", "--literally", str(file), cwd=tree)
    return str(done.stdout.strip())


def entry(mode: str, name: str, sha: str) -> bytes:
    return f"{mode} {name}\0".encode() + bytes.fromhex(sha)


async def test_a_workflow_does_not_pass_in_any_disguise(work: Path, git: Any) -> None:
    blob = await written(git, work, "blob", b"on: push\n")
    file = await written(git, work, "tree", entry("100644", "ci.yml", blob))
    flows = await written(git, work, "tree", entry("40000", "workflows", file))
    upper = await written(git, work, "tree", entry("40000", "Workflows", file))
    link = await written(git, work, "blob", b"docs")
    roots = {
        "another case": entry("40000", ".GitHub", upper),
        "a link": entry("120000", ".github", link) + entry("40000", "docs", flows),
        "a link as workflows": entry(
            "40000", ".github", await written(git, work, "tree", entry("120000", "workflows", link))
        ),
        "a repository of its own": entry("160000", ".github", "a" * 40),
        "a slash in a name": entry("40000", ".github/workflows", file),
        "a name twice": entry("100644", ".github", blob) + entry("40000", ".github", flows),
        "a climbing name": entry("40000", "..", flows),
    }
    for disguise, content in roots.items():
        root = await written(git, work, "tree", content)
        commit = (await git("commit-tree", root, "-m", disguise, cwd=work)).stdout.strip()
        for ref in ("refs/heads/x", "refs/tags/t"):
            pushed = await git("push", "-q", "-f", "origin", f"{commit}:{ref}", cwd=work, ok=False)
            assert pushed.returncode, disguise
            assert "refused" in pushed.stderr or "could not be looked at" in pushed.stderr, (disguise, pushed.stderr)
    assert (await git("ls-remote", "origin", cwd=work)).stdout == ""


async def test_a_secret_does_not_pass_in_another_spelling_or_place(work: Path, git: Any, ada: Session) -> None:
    secret = f"{PASSWORD}-ada"
    (work / "a.txt").write_text("x")
    await git("add", "-A", cwd=work)
    await git("commit", "-q", "-m", "clean", cwd=work)
    await git("push", "-q", "origin", "main", cwd=work)
    spelled = {
        "base64 of a line": base64.b64encode(f"NEON_ROLE_PASSWORD={secret}\n".encode()).decode(),
        "url": secret.replace("+", "%2B").replace("/", "%2F"),
        "hex": secret.encode().hex(),
    }
    for how, text in spelled.items():
        (work / "a.txt").write_text(f"const x = '{text}'\n")
        await git("commit", "-q", "-a", "-m", how, cwd=work)
        pushed = await git("push", "-q", "origin", "main", cwd=work, ok=False)
        assert "contains a secret" in pushed.stderr, how
        await git("reset", "-q", "--hard", "HEAD~1", cwd=work)
    safe = secret.replace("+", "p")
    assert safe != secret
    named = await git("push", "-q", "origin", f"HEAD:refs/heads/{tokens.gateway_token(ada)}", cwd=work, ok=False)
    assert "contains a secret" in named.stderr


def packed(*objects: bytes) -> bytes:
    body = b"PACK" + struct.pack(">II", 2, len(objects)) + b"".join(objects)
    return body + hashlib.sha1(body).digest()


def head(kind: int, size: int) -> bytes:
    out, size = [kind << 4 | size & 15], size >> 4
    while size:
        out[-1] |= 0x80
        out.append(size & 0x7F)
        size >>= 7
    return bytes(out)


def varint(size: int) -> bytes:
    out = [size & 0x7F]
    while size := size >> 7:
        out[-1] |= 0x80
        out.append(size & 0x7F)
    return bytes(out)


def swelling(copies: int) -> bytes:
    """A pack of a few kilobytes: sixteen megabytes of nothing, and a delta that repeats them `copies` times."""
    base = bytes(0xFFFFFF)
    name = hashlib.sha1(b"blob %d\0" % len(base) + base).digest()
    delta = varint(len(base)) + varint(len(base) * copies) + b"\xf0\xff\xff\xff" * copies
    return packed(head(3, len(base)) + zlib.compress(base), head(7, len(delta)) + name + zlib.compress(delta))


async def inspected(pack: bytes, remote: str, credential: str = "x") -> Forbidden:
    push = Push([Command(NULL, "1" * 40, "refs/heads/main")], frozenset(), 0)
    with tempfile.TemporaryFile(buffering=0) as made:
        body = cast("BinaryIO", made)
        body.write(pack)
        body.seek(0)
        with pytest.raises(Forbidden) as caught:
            await git_inspect.inspect(push, body, remote=remote, credential=credential, secrets=[])
    return caught.value


async def test_a_pack_that_swells_is_dropped_before_it_has(git_host: GitHost, ada: Session) -> None:
    """Without a limit on what git may take, a few kilobytes would have it take as much memory as there is."""
    path = git_host.create(ada)
    pack = swelling(45)
    assert len(pack) < 40_000
    refused = await inspected(pack, f"{git_host.url}/mk0r-apps/{path.name}", GITHUB_KEY)
    assert refused.reason == "bad pack"


@pytest.mark.parametrize("endless", ["options", "shallow"])
def test_a_push_without_an_end_is_not_read_to_its_end(endless: str) -> None:
    command = packet(b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/main\0push-options")
    asides = packet(b"an option") if endless == "options" else packet(b"shallow " + b"2" * 40)
    body = io.BytesIO(command + b"0000" + asides * 5000 if endless == "options" else asides * 5000)
    with pytest.raises(BadFraming, match="at most"):
        read_push(body)
    assert body.tell() < len(body.getvalue()) / 2


def alive(mark: str) -> list[str]:
    """Command lines of processes that mention `mark`."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = one.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if mark in line and str(os.getpid()) != one.parent.name:
            found.append(line)
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked at through /proc")
async def test_a_remote_that_hangs_leaves_no_process_and_no_directory(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(120)
        return web.Response()

    upstream.answer = hang
    monkeypatch.setattr(git_inspect, "DEADLINE", 1.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    refused = await inspected(b"", upstream.url)
    assert refused.reason == "took too long"
    deadline = time.monotonic() + 30
    while left := alive(upstream.url):  # a process that was killed takes a moment to end
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.05)
    assert list(tmp_path.glob("mk0r-push-*")) == []


async def test_pushes_of_one_session_wait_for_each_other_and_for_nobody_else(
    work: Path, git: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = most = 0
    real = git_inspect.inspect

    async def slowly(*args: Any, **kwargs: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.3)
        running -= 1
        await real(*args, **kwargs)

    monkeypatch.setattr("gateway.git_door.inspect", slowly)
    (work / "a.txt").write_text("x")
    await git("add", "-A", cwd=work)
    await git("commit", "-q", "-m", "one", cwd=work)
    await asyncio.gather(*(git("push", "-q", "origin", f"HEAD:refs/heads/b{n}", cwd=work) for n in range(3)))
    assert most == 1
