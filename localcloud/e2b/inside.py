"""localcloud's own calls to the envd of a sandbox, which no client makes: run a command, set where commands start."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

LONGEST_FRAME = 1 << 20
_HEADER = struct.Struct(">BI")

Output = Callable[[str, bytes], None]


class InsideError(Exception):
    """envd refused or did not answer as it should; the message is fit for a person."""


def session(envd_socket: Path) -> aiohttp.ClientSession:
    """A client of one sandbox's envd without any deadline of its own."""
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(path=str(envd_socket)), timeout=aiohttp.ClientTimeout(total=None)
    )


async def run(
    client: aiohttp.ClientSession,
    command: str,
    *,
    cwd: str | None = None,
    environment: Mapping[str, str] | None = None,
    tag: str | None = None,
    hear: Output | None = None,
) -> str:
    """Run a line of a login shell to its end; returns "" when it succeeded, else how it ended (`exit status 3`).

    `hear` gets each piece of output with the name of its stream. Raises `InsideError`, and aiohttp's errors and
    `EOFError` when envd goes away. Whoever is cancelled leaves the command running.
    """
    process: dict[str, Any] = {"cmd": "/bin/bash", "args": ["-l", "-c", command]}
    if cwd is not None:
        process["cwd"] = cwd
    if environment:
        process["envs"] = dict(environment)
    order: dict[str, Any] = {"process": process, "stdin": False}
    if tag is not None:
        order["tag"] = tag
    raw = json.dumps(order).encode()
    async with client.post(
        "http://envd/process.Process/Start",
        data=_HEADER.pack(0, len(raw)) + raw,
        headers={"Content-Type": "application/connect+json"},
    ) as answer:
        ended = ""
        while True:
            event = await _event(answer.content)
            if event is None:
                return ended
            end = event.get("end")
            if isinstance(end, dict):
                ended = "" if end.get("exited") and not end.get("exitCode") else str(end.get("status", "ended"))
            _tell(event, hear)


async def _event(stream: aiohttp.StreamReader) -> dict[str, Any] | None:
    _flags, length = _HEADER.unpack(await stream.readexactly(_HEADER.size))
    if length > LONGEST_FRAME:  # what answers inside may have been replaced by anything
        raise InsideError("what answers inside is not envd any more")
    try:
        frame = json.loads(await stream.readexactly(length))
    except ValueError as problem:
        raise InsideError("what answers inside is not envd any more") from problem
    if isinstance(frame, dict) and "error" in frame:
        error = frame["error"]
        raise InsideError(str(error.get("message", error) if isinstance(error, dict) else error)[:300])
    event = frame.get("event") if isinstance(frame, dict) else None
    return event if isinstance(event, dict) else None


def _tell(event: dict[str, Any], hear: Output | None) -> None:
    data = event.get("data")
    if hear is None or not isinstance(data, dict):
        return
    for name in ("stdout", "stderr"):
        piece = data.get(name)
        if isinstance(piece, str):
            hear(name, base64.b64decode(piece))


async def start_commands_in(client: aiohttp.ClientSession, directory: str) -> None:
    """Let commands that name no directory start in `directory`. Raises aiohttp's errors."""
    async with client.post("http://envd/init", json={"defaultWorkdir": directory}) as answer:
        answer.raise_for_status()


async def healthy(client: aiohttp.ClientSession, within: float) -> bool:
    """Whether envd answers its health check in time."""
    try:
        async with client.get("http://envd/health", timeout=aiohttp.ClientTimeout(total=within)) as answer:
            return answer.status == 204
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
