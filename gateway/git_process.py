"""Git as a child process that nothing survives: bounded in memory, alone in its process group, killed as a whole.

What git reads here was sent by strangers. It runs without the machine's configuration and without hooks, with the
platform's credential in its environment only, and may take no more than `MAX_PIECE` of memory in one go: a pack of a
few kilobytes can describe a file of any size.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

MAX_PIECE = 200_000_000  # bytes git may allocate at once
SILENCE = 30  # seconds without a byte per second from the remote
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
        "http.lowSpeedLimit": "1",
        "http.lowSpeedTime": str(SILENCE),
    }
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOC_LIMIT": str(MAX_PIECE),
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for index, (key, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return env


class Git:
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
            process_group=0,  # git starts programs of its own, which have to end with it
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
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
