"""Claude Code, the real program, with a home of its own and the stand-in as its model."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from embedded.node import node_environment
from localcloud.e2b.tree import prepare_agent
from tests.fixtures.cloud import CACHE, CloudUnderTest

_TURN_SECONDS = 150


@lru_cache(maxsize=1)
def program() -> Path:
    """The program, installed once per machine."""
    programs = asyncio.run(prepare_agent(CACHE, lambda _label, _part: None))
    return programs / "current" / "bin" / "claude"


@dataclass
class Agent:
    """One session of it in a directory."""

    cloud: CloudUnderTest
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    begun: bool = False

    def command(self, *more: str) -> list[str]:
        """Its command line for one turn; every turn after the first resumes the session."""
        identity = ["--resume" if self.begun else "--session-id", self.session]
        self.begun = True
        always = ["-p", "--output-format", "stream-json", "--verbose", "--dangerously-skip-permissions"]
        return [str(program()), *always, *identity, *more]

    def variables(self) -> dict[str, str]:
        """Its environment: nothing of ours but the path."""
        home = self.directory.parent / "home"
        home.mkdir(exist_ok=True)
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "IS_SANDBOX": "1",
            "ANTHROPIC_BASE_URL": f"{self.cloud.base_url}/anthropic",
            "ANTHROPIC_AUTH_TOKEN": self.cloud.keys["anthropic"],
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        return node_environment(own | self.environment)

    def run(self, prompt: str, *more: str) -> tuple[int, list[dict[str, Any]]]:
        """One turn: its exit status and the lines of its stream."""
        done = subprocess.run(
            self.command(*more), input=prompt, cwd=self.directory, env=self.variables(), capture_output=True,
            text=True, timeout=_TURN_SECONDS, check=False,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert lines, done.stdout[-2000:] + done.stderr[-2000:]
        return done.returncode, lines

    def turn(self, prompt: str, *more: str) -> list[dict[str, Any]]:
        """The lines of a turn that has to end well."""
        status, lines = self.run(prompt, *more)
        assert status == 0, lines[-1]
        return lines
