"""The template's start command: started through envd as soon as a sandbox is up.

The starter's is what serves the preview: the `dev` script of `/app`, run by Node itself, which takes 50 MB less than
npm, and started again whenever it ends. Its output goes to `~/.mk0r/dev-server.log` inside, which begins anew past
2 MB.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import aiohttp

from localcloud.e2b import inside
from localcloud.e2b.image import Start

log = logging.getLogger("localcloud.e2b")

TAG = "start-command"
SCRIPT = """mkdir -p "$HOME/.mk0r" && log="$HOME/.mk0r/dev-server.log"
[ "$(wc -c < "$log" 2>/dev/null || echo 0)" -gt 2000000 ] && mv "$log" "$log.1"
exec node --run dev >> "$log" 2>&1 < /dev/null"""
STARTER = Start(SCRIPT, cwd="/app", again=True)
FIRST_PAUSE, LONGEST_PAUSE, STEADY_SECONDS = 0.5, 15.0, 20.0


class StartCommand:
    """Runs one sandbox's start command. `stop` ends the watch; the command ends with its sandbox."""

    def __init__(self, envd_socket: Path, start: Start) -> None:
        self._socket = envd_socket
        self._start = start
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Watch no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        async with inside.session(self._socket) as client:
            while True:
                begun = loop.time()
                if await self._run_once(client) and not self._start.again:
                    return
                pause = FIRST_PAUSE if loop.time() - begun > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE)
                await asyncio.sleep(pause)

    async def _run_once(self, client: aiohttp.ClientSession) -> bool:
        """Start the command and wait for its end; False when it ended because envd did."""
        start = self._start
        try:
            await inside.run(client, start.command, cwd=start.cwd, environment=start.environment, tag=TAG)
        except inside.InsideError as problem:
            log.warning("the start command was refused: %s", problem)
        except (aiohttp.ClientError, OSError, EOFError):
            return False
        return True
