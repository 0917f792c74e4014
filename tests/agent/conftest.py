"""What the agent tests share: a sandbox that is a directory with real processes, a played agent, a session.

The sandbox double speaks as much of the SDK as is used, over real bash, real git and real process groups. The agent is
a small program on its PATH that plays lines from a file, so a test decides what it says, when, and how it dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import e2b
import pytest
from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import services as provisioning
from provisioning.models import Resource
from sessions_app import services
from sessions_app.agent import turn as agent_turn
from sessions_app.models import Event, Session, Turn
from sessions_app.process import sessions
from sessions_app.slugs import slug_for

SECRET = "npg_Hidden0123456789/+xyz"
PLAYER = """#!{python}
import json, os, signal, sys, time, pathlib
home = pathlib.Path(os.environ["HOME"])
(home / "argv.json").write_text(json.dumps(sys.argv[1:]))
(home / "agent-env.json").write_text(json.dumps(dict(os.environ)))
(home / "prompt.txt").write_text(sys.stdin.read())
args = sys.argv[1:]
known = args[args.index("--session-id") + 1] if "--session-id" in args else None
if known:
    project = home / ".claude" / "projects" / "-app"
    project.mkdir(parents=True, exist_ok=True)
    (project / f"{{known}}.jsonl").write_text("")
def interrupted(*_):
    print(json.dumps({{"type": "result", "subtype": "error_during_execution", "is_error": True, "uuid": "u-int",
                      "terminal_reason": "aborted_streaming"}}), flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, interrupted)
for line in (home / "script.jsonl").read_text().splitlines():
    step = json.loads(line)
    match step:
        case {{"sleep": seconds}}: time.sleep(seconds)
        case {{"deaf": _}}:
            for each in (signal.SIGINT, signal.SIGTERM): signal.signal(each, signal.SIG_IGN)
        case {{"write": path, "text": text}}:
            target = pathlib.Path(path); target.parent.mkdir(parents=True, exist_ok=True); target.write_text(text)
        case {{"remove": path}}: pathlib.Path(path).unlink()
        case {{"shell": command}}: os.system(command)
        case {{"raw": text}}: sys.stdout.write(text); sys.stdout.flush()
        case {{"complain": text}}: sys.stderr.write(text); sys.stderr.flush()
        case {{"kill": _}}: os.killpg(os.getpgrp(), signal.SIGKILL)
        case {{"exit": code}}: sys.exit(code)
        case _: sys.stdout.write(json.dumps(step) + "\\n"); sys.stdout.flush()
"""


class _Handle:
    def __init__(self, process: asyncio.subprocess.Process, on_stdout: Callable[[str], Awaitable[None]]) -> None:
        self._process = process
        self._task = asyncio.ensure_future(self._pump(on_stdout))

    async def _pump(self, on_stdout: Callable[[str], Awaitable[None]]) -> None:
        assert self._process.stdout is not None
        while piece := await self._process.stdout.read(4096):
            await on_stdout(piece.decode(errors="replace"))
        await self._process.wait()

    async def wait(self) -> None:
        await asyncio.shield(self._task)

    async def disconnect(self) -> None:
        """As in the real one, this leaves the command running; the double ends it so that no test leaves one behind."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, 9)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._process.wait()
        self._process._transport.close()  # type: ignore[attr-defined]


class LocalSandbox:
    """A directory with `app` and `home`. `broken` counts down calls that fail as a lost connection does."""

    def __init__(self, root: Path, sandbox_id: str = "") -> None:
        self.root, self.app, self.home = root, root / "app", root / "home"
        self.sandbox_id = sandbox_id or "sbx" + uuid.uuid4().hex[:8]
        self.bin = root / "bin"
        for path in (self.app, self.home, self.bin):
            path.mkdir(parents=True, exist_ok=True)
        self.broken = 0
        self.pushed: list[str] = []
        self.commands = self.files = self
        self.env: dict[str, str] = {}

    def _env(self, envs: dict[str, str] | None) -> dict[str, str]:
        path = f"{self.bin}:{os.environ['PATH']}"
        return {"HOME": str(self.home), "PATH": path, "PORT": "5173"} | self.env | (envs or {})

    def _answer(self) -> None:
        if self.broken:
            self.broken -= 1
            raise e2b.SandboxException("the connection was reset")

    async def run(
        self, cmd: str, background: bool = False, envs: dict[str, str] | None = None, cwd: str | None = None,
        on_stdout: Any = None, timeout: float = 60, **_: Any,
    ) -> Any:  # fmt: skip
        self._answer()
        where = self.app if cwd == "/app" else self.home
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", cmd, cwd=where, env=self._env(envs), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE if not background else None,
            start_new_session=True,
        )  # fmt: skip
        if background:
            return _Handle(process, on_stdout)
        out, err = await asyncio.wait_for(process.communicate(), timeout)
        if process.returncode:
            raise e2b.CommandExitException(err.decode(), out.decode(errors="replace"), process.returncode, None)
        return e2b.CommandResult(err.decode(), out.decode(errors="replace"), 0, None)

    async def write(self, path: str, text: str) -> None:
        self._answer()
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    # --- for tests

    def plays(self, *steps: dict[str, Any]) -> None:
        """What the agent does when it is started."""
        (self.home / "script.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))

    def install(self) -> None:
        player = self.bin / "claude"
        player.write_text(PLAYER.format(python=sys.executable))
        player.chmod(player.stat().st_mode | stat.S_IXUSR)

    def git(self, *args: str) -> str:
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", *args], cwd=self.app, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    @property
    def log(self) -> list[dict[str, Any]]:
        """Complete lines of every turn's log."""
        lines: list[dict[str, Any]] = []
        for path in sorted((self.home / ".mk0r" / "turns").glob("*/log")):
            lines += [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
        return lines


@pytest.fixture
def sandbox(tmp_path: Path) -> LocalSandbox:
    """A sandbox with the starter's files and an agent that can be played."""
    made = LocalSandbox(tmp_path / "sandbox")
    made.install()
    (made.app / "index.html").write_text("<h1>Starter</h1>\n")
    (made.app / ".gitignore").write_text("node_modules\ndist\n.env\n")
    (made.app / ".env").write_text(f'NEON_ROLE_PASSWORD="{SECRET}"\n')
    return made


@pytest.fixture
def repository(tmp_path: Path, sandbox: LocalSandbox, settings: Any, session: Session) -> Path:
    """A bare repository where the gateway's would be."""
    path = tmp_path / "remotes" / f"{session.slug}.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    sandbox.env = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{path.parent}/.insteadOf",
                   "GIT_CONFIG_VALUE_0": f"{settings.GATEWAY_URL}/gateway/git/"}  # fmt: skip
    return path


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch, sandbox: LocalSandbox) -> None:
    """Provisioning's facade, with everything settled and this sandbox."""
    stand_in(monkeypatch, sandbox)


def stand_in(monkeypatch: pytest.MonkeyPatch, sandbox: LocalSandbox) -> None:
    """Have provisioning's facade answer with this sandbox."""

    async def connected(session_id: uuid.UUID) -> LocalSandbox:
        sandbox._answer()
        return sandbox

    async def converge(session_id: uuid.UUID) -> None:
        return None

    monkeypatch.setattr(provisioning, "sandbox", connected)
    monkeypatch.setattr(provisioning, "converge", converge)
    monkeypatch.setattr(provisioning, "secret_values", lambda session: [SECRET])
    monkeypatch.setattr(provisioning, "env_entries", lambda session: {"DATABASE_URL": None, "NEON_ROLE_PASSWORD": None})
    monkeypatch.setattr(provisioning, "resources_state", lambda session: [
        {"provider": r.provider, "state": r.state, "error": r.error} for r in session.resources.all()
    ])  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Shorter pauses between looks at the database, and a model that counts as a stand-in."""
    monkeypatch.setattr(agent_turn, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(agent_turn, "FLUSH_SECONDS", 0.02)
    monkeypatch.setattr("sessions_app.process.DRAIN_SECONDS", 0.2)
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:1/anthropic"


@pytest.fixture
def session(transactional_db: None, sandbox: LocalSandbox) -> Session:
    """Ada's session, everything ready."""
    session_id = uuid.uuid4()
    made = Session.objects.create(id=session_id, slug=slug_for(session_id), visitor_hash="ada")
    for provider, kind in (("neon", "project"), ("github", "repository"), ("e2b", "sandbox")):
        Resource.objects.create(
            session=made, provider=provider, kind=kind, name=f"mk0r-{made.slug}", state="ready",
            external_id=sandbox.sandbox_id if provider == "e2b" else "x1",
        )  # fmt: skip
    return made


async def in_db(function: Callable[..., Any], *args: Any) -> Any:
    return await database_sync_to_async(function)(*args)


@pytest.fixture
async def prompted(session: Session) -> AsyncIterator[Callable[..., Awaitable[Turn]]]:
    """Submits a prompt and runs its turn to the end, as the worker would."""

    async def run(prompt: str = "A guest book", *, wait: bool = True) -> Turn:
        turn: Turn = await in_db(services.turn_submit, session, prompt)
        if wait:
            async with asyncio.timeout(90):
                await agent_turn.run(turn.pk)
            await in_db(turn.refresh_from_db)
        return turn

    yield run
    await sessions.close()


def log_of(session: Session) -> list[Event]:
    return list(Event.objects.filter(session=session).order_by("seq"))


@pytest.fixture
def events(session: Session) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    """Data of the session's events, of one type when it is named."""

    async def read(kind: str | None = None) -> list[dict[str, Any]]:
        found = await in_db(log_of, session)
        return [event.data | {"_type": event.type} for event in found if kind in {None, event.type}]

    return read


def text(words: str, *, uuid: str, message: str = "m1") -> dict[str, Any]:
    content = [{"type": "text", "text": words}]
    return {"type": "assistant", "uuid": uuid, "message": {"id": message, "content": content}}


def delta(words: str, *, uuid: str, message: str = "m1") -> dict[str, Any]:
    event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}
    return {"type": "stream_event", "uuid": uuid, "api_message_id": message, "event": event}


def tool(name: str, arguments: dict[str, Any], *, uuid: str, call: str = "t1") -> dict[str, Any]:
    content = [{"type": "tool_use", "id": call, "name": name, "input": arguments}]
    return {"type": "assistant", "uuid": uuid, "message": {"id": "m2", "content": content}}


def answer(output: str, *, uuid: str, call: str = "t1") -> dict[str, Any]:
    content = [{"type": "tool_result", "tool_use_id": call, "content": output}]
    return {"type": "user", "uuid": uuid, "message": {"role": "user", "content": content}}


def result(words: str = "All done.", **more: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, "result": words, "uuid": "u-end"} | more


INIT = {"type": "system", "subtype": "init", "cwd": "/app", "uuid": "u-init"}


@pytest.fixture(autouse=True)
def _no_process_left(sandbox: LocalSandbox) -> Iterator[None]:
    yield
    for pid in (sandbox.home / ".mk0r" / "turns").glob("*/pid"):
        subprocess.run(["pkill", "-KILL", "-s", pid.read_text().strip()], check=False)


__all__ = ["timedelta", "timezone"]
