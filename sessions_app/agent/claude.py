"""Claude Code in a sandbox, one process per turn: detached, its stream in a file, followed by counted lines.

What is run lies in `sandbox/agent/*.sh`; values go in by environment and files, never into a shell's text. The process
belongs to the sandbox: a worker that dies leaves it running, and the next one finds it by the turn's number.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from sessions_app.agent import briefing
from sessions_app.agent.model import main_model
from sessions_app.agent.sandboxes import WORKDIR, Handle, Sandbox, Unreachable

log = logging.getLogger(__name__)

TICK = 0.1  # seconds between looks at the clock while the agent says nothing
_REST_LINES = 1_000
_MAX_LINE = 8_000_000  # characters; a longer line counts as an empty one
_QUEUE = 256
_ALIVE = 7  # exit code of rest.sh


@dataclass(frozen=True, slots=True)
class Probe:
    """What the sandbox has."""

    home: str
    installed: bool
    resumable: bool
    started: bool
    chromium: str
    browser_server: str
    left: int | None  # process group of an earlier turn's agent that nobody follows any more and that still works

    @property
    def isolated(self) -> bool:
        """Whether this is a machine of its own: every such sandbox has the same home, a plain process has not."""
        return self.home == "/home/user"


class Agent:
    """The agent of one turn in one sandbox."""

    def __init__(self, sandbox: Sandbox, number: int) -> None:
        self._sandbox = sandbox
        self._env = {"MK0R_TURN": str(number)}

    async def probe(self, conversation: UUID | None) -> Probe:
        """What the sandbox has, and whether it remembers the conversation."""
        done = await self._sandbox.run(
            briefing.asset("probe.sh"), env=self._env | {"MK0R_AGENT_SESSION": str(conversation or "none")}
        )
        found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        return Probe(
            home=found.get("home", ""),
            installed="claude" in found,
            resumable="resumable" in found,
            started="started" in found,
            chromium=found.get("chromium", ""),
            browser_server=found.get("browser_server", ""),
            left=int(found["left"]) if found.get("left", "").isdigit() else None,
        )

    async def prepare(self, home: str, *, prompt: str, instructions: str, tools: str) -> None:
        """Lay down what the agent reads, all outside the project: what lies in there is served and committed."""
        write = self._sandbox.write
        await asyncio.gather(
            write(f"{home}/.claude/CLAUDE.md", instructions),
            write(f"{home}/.mk0r/mcp.json", tools),
            write(f"{home}/.mk0r/turns/{self._env['MK0R_TURN']}/prompt", prompt),
        )

    async def start(self, home: str, token: str, conversation: UUID, *, resume: bool) -> int:
        """Start the agent, or find it started. Returns its process group.

        Raises:
            Unreachable: the sandbox did not answer, or could not start it; safe to repeat.
        """
        env = self._env | _environment(token) | {"MK0R_ARGS": "\n".join(_arguments(home, conversation, resume=resume))}
        done = await self._sandbox.run(briefing.asset("start.sh"), env=env, cwd=WORKDIR, seconds=20)
        if done.exit_code != 0 or not done.stdout.strip().isdigit():
            raise Unreachable(f"the agent did not start: {done.stderr[-200:]}")
        return int(done.stdout)

    async def stop(self, pid: int) -> None:
        """End the agent and what it started, within about a second and a half."""
        await self._sandbox.run(briefing.asset("stop.sh"), env=self._env | {"MK0R_PID": str(pid)}, seconds=10)

    async def ending(self) -> tuple[str, str]:
        """Exit status as text, empty when the agent was killed, and the end of what it complained about."""
        done = await self._sandbox.run(briefing.asset("ending.sh"), env=self._env)
        status, _, complaints = done.stdout.partition("\n")
        return status.strip(), complaints.strip()

    async def rest(self, pid: int, line: int) -> tuple[list[str], bool]:
        """Complete lines from number `line` on, and whether there may be more."""
        env = self._env | {"MK0R_PID": str(pid), "MK0R_FROM": str(line), "MK0R_LINES": str(_REST_LINES)}
        done = await self._sandbox.run(briefing.asset("rest.sh"), env=env, seconds=60)
        lines = done.stdout.split("\n")[:-1]
        return lines, done.exit_code == _ALIVE or len(lines) == _REST_LINES

    async def lines(self, pid: int, line: int = 1) -> AsyncGenerator[str | None, None]:
        """Each complete line from number `line` on, once; None every `TICK` seconds of silence. Ends with the agent.

        Raises:
            Unreachable: the sandbox did not answer; begin again after the last line received.
        """
        while True:
            async with aclosing(self._follow(pid, line)) as followed:
                async for each in followed:
                    line += each is not None
                    yield each
            while True:
                rest, more = await self.rest(pid, line)
                for each in rest:
                    line += 1
                    yield each
                if len(rest) < _REST_LINES:
                    break
            if not more:
                return
            await asyncio.sleep(TICK)  # the connection broke while the agent lives

    async def _follow(self, pid: int, line: int) -> AsyncGenerator[str | None, None]:
        """Complete lines as they are written, until the agent or the connection ends."""
        pieces: asyncio.Queue[str] = asyncio.Queue(_QUEUE)
        env = self._env | {"MK0R_PID": str(pid), "MK0R_FROM": str(line)}
        handle = await self._sandbox.start(briefing.asset("follow.sh"), env=env, on_output=pieces.put)
        ended = asyncio.create_task(_end_of(handle), name="agent-follow")
        cutter = LineCutter()
        try:
            while not (ended.done() and pieces.empty()):
                try:
                    async with asyncio.timeout(TICK):
                        piece = await pieces.get()
                except TimeoutError:
                    yield None
                    continue
                for each in cutter.feed(piece):
                    yield each
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)
            await handle.disconnect()


class LineCutter:
    """Cuts text into complete lines; one that is too long comes out empty, so that lines stay counted."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0

    def feed(self, piece: str) -> list[str]:
        """The lines that `piece` completes."""
        *complete, tail = piece.split("\n")
        lines = []
        for part in complete:
            lines.append("" if self._length + len(part) > _MAX_LINE else "".join([*self._parts, part]))
            self._parts, self._length = [], 0
        self._length += len(tail)
        self._parts = [*self._parts, tail] if self._length <= _MAX_LINE else []
        return lines


async def _end_of(handle: Handle) -> None:
    """Wait until following has ended, however it did: what was missed is read from the file."""
    try:
        await handle.wait()
    except Exception as error:  # noqa: BLE001 (the SDK raises what its libraries raise; all of it means the end)
        log.debug("agent.follow_ended error=%s", type(error).__name__)


def _arguments(home: str, conversation: UUID, *, resume: bool) -> list[str]:
    return [
        "-p",
        "--output-format",
        "stream-json",
        "--verbose",
        "--include-partial-messages",
        "--dangerously-skip-permissions",
        "--disable-slash-commands",
        "--strict-mcp-config",
        "--mcp-config",
        f"{home}/.mk0r/mcp.json",
        "--model",
        main_model(),
        "--resume" if resume else "--session-id",
        str(conversation),
    ]


def _environment(token: str) -> dict[str, str]:
    """The agent's own variables. It has no key but the session's token, and no door but the gateway."""
    local = "127.0.0.1,localhost,::1"
    return {
        "ANTHROPIC_BASE_URL": f"{settings.GATEWAY_URL}/gateway/model",
        "ANTHROPIC_AUTH_TOKEN": token,
        # Eight take about a minute with the agent's own back-off: a gateway that is being restarted is back by then.
        "CLAUDE_CODE_MAX_RETRIES": str(settings.MK0R_AGENT_RETRIES),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_BUG_COMMAND": "1",
        "API_TIMEOUT_MS": "600000",
        "BASH_DEFAULT_TIMEOUT_MS": "120000",
        "MCP_TIMEOUT": "30000",
        "IS_SANDBOX": "1",
        "NO_PROXY": local,
        "no_proxy": local,
    }
