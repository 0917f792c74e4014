"""The template's start command: started through envd as soon as a sandbox is up, and again whenever it ends.

It is what serves the preview: the `dev` script of `/app`, run by Node itself, which takes 50 MB less than npm. Its
output goes to `~/.mk0r/dev-server.log` inside, which begins anew past 2 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct
from pathlib import Path
from typing import Any

import aiohttp

log = logging.getLogger("localcloud.e2b")

TAG = "start-command"
SCRIPT = """mkdir -p "$HOME/.mk0r" && log="$HOME/.mk0r/dev-server.log"
[ "$(wc -c < "$log" 2>/dev/null || echo 0)" -gt 2000000 ] && mv "$log" "$log.1"
exec node --run dev >> "$log" 2>&1 < /dev/null"""
FIRST_PAUSE, LONGEST_PAUSE, STEADY_SECONDS = 0.5, 15.0, 20.0
LONGEST_FRAME = 1 << 20
_HEADER = struct.Struct(">BI")


class StartCommand:
    """Keeps one sandbox's start command running. `stop` ends the watch; the command ends with its sandbox."""

    def __init__(self, envd_socket: Path) -> None:
        self._socket = envd_socket
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._keep_running())

    async def stop(self) -> None:
        """Watch no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_running(self) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(self._socket)), timeout=aiohttp.ClientTimeout(total=None)
        ) as session:
            while True:
                begun = loop.time()
                with contextlib.suppress(aiohttp.ClientError, OSError, EOFError, ValueError):
                    await self._run_once(session)
                pause = FIRST_PAUSE if loop.time() - begun > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE)
                await asyncio.sleep(pause)

    async def _run_once(self, session: aiohttp.ClientSession) -> None:
        """Start the command and wait for its end."""
        order = {
            "process": {"cmd": "/bin/bash", "args": ["-l", "-c", SCRIPT], "cwd": "/app"},
            "tag": TAG,
            "stdin": False,
        }
        raw = json.dumps(order).encode()
        async with session.post(
            "http://envd/process.Process/Start",
            data=_HEADER.pack(0, len(raw)) + raw,
            headers={"Content-Type": "application/connect+json"},
        ) as answer:
            while True:
                _flags, length = _HEADER.unpack(await answer.content.readexactly(_HEADER.size))
                if length > LONGEST_FRAME:  # what answers inside may have been replaced by anything
                    return
                event: Any = json.loads(await answer.content.readexactly(length))
                if not isinstance(event, dict) or "event" not in event:
                    if isinstance(event, dict) and "error" in event:
                        log.warning("the start command was refused: %.300s", event["error"])
                    return
