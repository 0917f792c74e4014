"""A turn as a plan: a generator that yields what to do next and is sent what came of it.

Nothing is kept between requests. Each one runs the plan again from its start, feeding it the results the conversation
holds, and answers with the first step that has none yet. So a plan must do the same whenever it is fed the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from localcloud.anthropic.conversation import ToolResult


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call, in the coding agent's own terms."""

    name: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the assistant: some words, then tool calls. Without calls it ends the turn."""

    text: str
    calls: tuple[Call, ...] = ()


Plan = Generator[Step, list[ToolResult], str]


def next_step(make: Callable[[], Plan], results: Sequence[ToolResult]) -> Step:
    """The step that follows `results`."""
    plan = make()
    at = 0
    try:
        step = next(plan)
        while step.calls:
            answered = list(results[at : at + len(step.calls)])
            if len(answered) < len(step.calls):
                return step
            at += len(step.calls)
            step = plan.send(answered)
    except StopIteration as end:
        return Step(str(end.value))
    return step


def bash(command: str, description: str) -> Call:
    """Run a command in the app's directory."""
    return Call("Bash", {"command": command, "description": description})


def read(path: str) -> Call:
    """Read a file."""
    return Call("Read", {"file_path": path})


def write(path: str, content: str) -> Call:
    """Write a whole file. One that exists must have been read before, or the agent's tool refuses."""
    return Call("Write", {"file_path": path, "content": content})


def edit(path: str, old: str, new: str) -> Call:
    """Replace `old`, which must occur once, in a file that was read before."""
    return Call("Edit", {"file_path": path, "old_string": old, "new_string": new})


@dataclass(slots=True)
class Findings:
    """What is known about the app: where it lies, which names `.env` holds, which files exist, the spec's text."""

    root: str = ""
    env: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    spec: str = ""
    mail_ready: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.mail_ready = {"RESEND_API_KEY", "RESEND_FROM"} <= self.env

    def path(self, name: str) -> str:
        """Absolute path of a file of the app."""
        return f"{self.root}/{name}"


LOOK = (
    "pwd; echo '== names in .env'; sed -nE 's/^(export )?([A-Za-z_][A-Za-z0-9_]*)=.*/\\2/p' .env 2>/dev/null; "
    "echo '== files'; ls -1 index.html src/*.ts src/*.tsx src/*.css server/*.ts "
    "server/routes/*.ts server/migrations/*.sql 2>/dev/null; "
    "echo '== app.spec.json'; cat app.spec.json 2>/dev/null; true"
)


def findings(text: str) -> Findings:
    """Read what the command `LOOK` printed."""
    head, _, rest = text.partition("== names in .env")
    names, _, rest = rest.partition("== files")
    files, _, spec = rest.partition("== app.spec.json")
    root = next((line.strip() for line in head.splitlines() if line.startswith("/")), "/app")
    return Findings(root.rstrip("/"), frozenset(names.split()), frozenset(files.split()), spec.strip())
