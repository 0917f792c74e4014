"""What a push would put into the repository, looked at before it gets there.

The pack is indexed in a bare repository of its own that first fetched what the remote already has (a push sends deltas
against that), so nothing is judged by parsing packs ourselves. New commits must not hold `.github/workflows`: that is
code that would run elsewhere with the repository's rights. No new object, whatever its kind, may hold a secret.

Everything here is hostile: names, sizes and counts are bounded, the whole has a deadline, and git runs without the
machine's configuration, without hooks, and with the platform's credential in its environment only.
"""

from __future__ import annotations

import asyncio
import base64
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.pktline import Push

DEADLINE = 120.0  # seconds for the whole inspection
MAX_OBJECTS = 200_000
MAX_BLOB = 100_000_000  # bytes unpacked; the vendor refuses larger files as well
MAX_UNPACKED = 1_000_000_000  # bytes of all new objects together
WORKFLOWS = ".github/workflows"
_PIECE = 1_000_000
_REAP_SECONDS = 0.5


class Forbidden(Exception):
    """The push may not go through. `reason` stands beside each ref, the text is what a person reads."""

    def __init__(self, reason: str, explanation: str) -> None:
        super().__init__(explanation)
        self.reason = reason


def environment(credential: str) -> dict[str, str]:
    """Variables for a git that talks to the remote as the platform and to nobody else's configuration."""
    basic = base64.b64encode(f"x-access-token:{credential}".encode()).decode()
    settings = {
        "http.extraHeader": f"Authorization: Basic {basic}",
        "http.followRedirects": "false",
        "credential.helper": "",
        "core.hooksPath": os.devnull,
        "core.bigFileThreshold": "8m",
        "pack.threads": "1",
        "gc.auto": "0",
        "protocol.allow": "never",
        "protocol.https.allow": "always",
        "protocol.http.allow": "always",
    }
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for index, (key, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return env


async def inspect(push: Push, body: BinaryIO, *, remote: str, credential: str, secrets: Sequence[str]) -> None:
    """Look at what `push` brings; `body` is a real, unbuffered file that holds it.

    Raises:
        Forbidden: it may not go through.
    """
    tips = sorted({command.new for command in push.commands if command.new})
    if not tips:
        return
    try:
        async with asyncio.timeout(DEADLINE):
            with tempfile.TemporaryDirectory(prefix="mk0r-push-", ignore_cleanup_errors=True) as name:
                await _inspect(Path(name), push, body, tips, remote, environment(credential), secrets)
    except TimeoutError:
        raise Forbidden("took too long", "The push took too long to look at. Push it in smaller parts.") from None


async def _inspect(
    where: Path,
    push: Push,
    body: BinaryIO,
    tips: list[str],
    remote: str,
    env: dict[str, str],
    secrets: Sequence[str],
) -> None:
    git = _Git(where, env)
    object_format = "sha256" if len(tips[0]) == 64 else "sha1"
    await git.run("init", "-q", "--bare", f"--object-format={object_format}", ".")
    # A deletion is no pack; a new tip the remote already has sends an empty one.
    await git.run(
        "fetch", "-q", "--no-tags", remote, "+refs/*:refs/upstream/*", failing="the repository did not answer"
    )
    body.seek(push.pack_at)
    if body.read(4) == b"PACK":
        body.seek(push.pack_at)
        await git.run(
            "index-pack", "--stdin", "--fix-thin", f"--max-input-size={200_000_000}", stdin=body, failing="bad pack"
        )
    new = ["--stdin", "--not", "--glob=refs/upstream/*"]
    asked = "\n".join(tips).encode() + b"\n"
    commits = (await git.run("rev-list", *new, given=asked, failing="bad objects")).split()
    await _refuse_workflows(git, [*commits, *(tip.encode() for tip in tips)])
    listed = await git.run("rev-list", "--objects", *new, given=asked, failing="bad objects")
    await _refuse_secrets(git, _named(listed), secrets)


def _named(listed: bytes) -> dict[bytes, str]:
    """Object names of `rev-list --objects`, each with the path it was met at."""
    named: dict[bytes, str] = {}
    for line in listed.splitlines():
        name, _, path = line.partition(b" ")
        named[name] = path.decode("utf-8", "replace")
        if len(named) > MAX_OBJECTS:
            raise Forbidden("too many objects", f"A push may bring at most {MAX_OBJECTS:,} objects.")
    return named


async def _refuse_workflows(git: _Git, commits: Iterable[bytes]) -> None:
    """Ask of every new commit whether it has the directory, whichever way its tree got there."""
    asked = b"".join(b"%s^{tree}:%s\n" % (commit, WORKFLOWS.encode()) for commit in commits)
    # An unknown path answers "… missing"; a found one starts with the object's name and kind.
    for line in (await git.run("cat-file", "--batch-check", given=asked, failing="bad objects")).splitlines():
        if not line.endswith((b" missing", b" ambiguous")):
            raise Forbidden(
                "workflow files are not allowed",
                f"This push was refused: it contains {WORKFLOWS}/, which would run code outside your app.\n"
                "Remove that directory from the commits and push again.",
            )


async def _refuse_secrets(git: _Git, named: dict[bytes, str], secrets: Sequence[str]) -> None:
    needles = [value.encode() for value in secrets if len(value) >= 8]
    total = 0
    async with git.objects(named) as found:
        async for name, size, pieces in found:
            total += size
            if size > MAX_BLOB or total > MAX_UNPACKED:
                raise Forbidden("too large", f"A file of this push is too large: {named.get(name) or 'an object'}.")
            if await _holds(pieces, needles):
                path = named.get(name) or "a commit or tag message"
                raise Forbidden(
                    "contains a secret",
                    f"This push was refused: {path} contains the value of a credential of this app.\n"
                    "Read it from the environment instead, and push commits that never held it.",
                )


async def _holds(pieces: AsyncIterator[bytes], needles: list[bytes]) -> bool:
    """Whether any needle occurs, also across the border of two pieces. Always reads to the end."""
    keep = max(map(len, needles), default=1) - 1
    tail, hit = b"", False
    async for piece in pieces:
        window = tail + piece
        hit = hit or any(needle in window for needle in needles)
        tail = window[-keep:] if keep else b""
    return hit


class _Git:
    """Git in one bare repository, each run waited for, killed when its caller is cancelled."""

    def __init__(self, where: Path, env: dict[str, str]) -> None:
        self._where, self._env = where, env

    async def _start(self, *args: str, stdin: int | BinaryIO) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "git",
            *args,
            cwd=self._where,
            env=self._env,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_PIECE,
        )

    async def run(
        self,
        *args: str,
        given: bytes | None = None,
        stdin: BinaryIO | None = None,
        failing: str = "git failed",
    ) -> bytes:
        """Standard output of `git args`.

        Raises:
            Forbidden: git did not end well; `failing` says what that means.
        """
        source: int | BinaryIO = asyncio.subprocess.PIPE if given is not None else stdin or asyncio.subprocess.DEVNULL
        process = await self._start(*args, stdin=source)
        try:
            output, _ = await process.communicate(given)
        finally:
            await _reap(process)
        if process.returncode != 0:
            raise Forbidden(failing, f"The push could not be looked at: {failing}.")
        return output

    @asynccontextmanager
    async def objects(
        self, names: Iterable[bytes]
    ) -> AsyncIterator[AsyncIterator[tuple[bytes, int, AsyncIterator[bytes]]]]:
        """Content of each object in pieces; every object's pieces are read before the next object."""
        process = await self._start("cat-file", "--batch", "--buffer", stdin=asyncio.subprocess.PIPE)
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the pipes were asked for")
        feeding = asyncio.create_task(_feed(process.stdin, names), name="git-names")
        try:
            yield _objects(process.stdout)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await _reap(process)


async def _feed(stdin: asyncio.StreamWriter, names: Iterable[bytes]) -> None:
    for name in names:
        stdin.write(name + b"\n")
        await stdin.drain()
    stdin.close()
    await stdin.wait_closed()


async def _objects(stdout: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, int, AsyncIterator[bytes]]]:
    while head := await stdout.readline():
        parts = head.split()
        if len(parts) != 3 or not parts[2].isdigit():
            raise Forbidden("bad objects", "The push could not be looked at: an object is missing.")
        size = int(parts[2])
        yield parts[0], size, _pieces(stdout, size)
        await stdout.readexactly(1)


async def _pieces(stdout: asyncio.StreamReader, left: int) -> AsyncIterator[bytes]:
    while left:
        piece = await stdout.readexactly(min(left, _PIECE))
        left -= len(piece)
        yield piece


async def _reap(process: asyncio.subprocess.Process) -> None:
    """See that the process has ended: by closing its input, and by killing it if that is not enough.

    Killing comes second because killing what has just ended takes its exit status from under asyncio's nose.
    """
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_REAP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
