"""The steps of a build, carried out inside its sandbox: COPY, RUN, ENV, WORKDIR and USER.

A local sandbox has one user and no root, and of its directories only `/app` and `/home/user` become part of a
template. A step that asks for root is run as that user, and the log says so; a directory elsewhere is refused.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from localcloud.e2b import inside
from localcloud.e2b.templates.buildlog import BuildLog, Lines
from localcloud.e2b.templates.uploads import Uploads

HOME = "/home/user"
OWN = ("/app", HOME, "/tmp")  # noqa: S108 - the sandbox's
USERS = {"user": False, "1000": False, "root": True, "0": True}  # whether it is root
CHUNK = 256 * 1024
_GLOB = re.compile(r"[*?\[{]")
_UNPACK = """set -e
unpacked=$(mktemp -d)
trap 'chmod -R u+rwX "$unpacked"; rm -rf "$unpacked" "$ARCHIVE"' EXIT
tar -xf "$ARCHIVE" -C "$unpacked" --no-same-owner
from="$unpacked/$SOURCE"
if [ ! -e "$from" ] && [ ! -L "$from" ]; then echo "the upload holds no '$SOURCE'" >&2; exit 1; fi
if [ -n "$MODE" ] && [ ! -L "$from" ]; then chmod -R "$MODE" "$from"; fi
if [ -d "$from" ] && [ ! -L "$from" ]; then mkdir -p "$TARGET"; cp -a "$from/." "$TARGET/"; exit; fi
case "$TARGET" in */) mkdir -p "$TARGET" ;; *) mkdir -p "$(dirname "$TARGET")" ;; esac
mv -f "$from" "$TARGET"
"""


class StepError(Exception):
    """A step failed; the message is what the build's status tells."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it was sent."""

    kind: str
    args: list[str]
    files_hash: str | None = None

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Step:
        """Read one that has been checked."""
        return cls(str(raw["type"]).upper(), list(raw.get("args") or []), raw.get("filesHash"))

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(self.args)}"


@dataclass(frozen=True, slots=True)
class Context:
    """What a step finds and may change for those behind it. No `cwd` means the home directory."""

    root: bool = False
    cwd: str | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """The environment of a command. A login shell takes its PATH from `MK0R_PATH`, or it would lose this one."""
        path = self.environment.get("PATH")
        return self.environment if path is None else {**self.environment, "MK0R_PATH": path}


@dataclass(frozen=True, slots=True)
class Bench:
    """Where steps are carried out: the envd of the build's sandbox, the uploads, and the log."""

    client: aiohttp.ClientSession
    uploads: Uploads
    log: BuildLog


async def carry_out(bench: Bench, step: Step, number: int, of: int, context: Context) -> Context:
    """Do one step; returns the context of the next. Raises `StepError`, and aiohttp's errors when envd goes away."""
    bench.log.say(f"[builder {number}/{of}] {step}", step=str(number))
    how = _KINDS.get(step.kind)
    if how is None:
        raise StepError(f"command type {step.kind} is not implemented")
    lines = Lines(bench.log, f"builder {number}/{of}", step=str(number))
    try:
        return await how(bench, step, lines, context)
    except inside.InsideError as problem:
        raise StepError(f"error starting process: {problem}") from problem
    finally:
        lines.end()


async def _run(bench: Bench, step: Step, lines: Lines, context: Context) -> Context:
    if not step.args:
        raise StepError("RUN requires command argument")
    command = step.args[0]
    root = _root(step.args[1]) if len(step.args) > 1 and step.args[1] else context.root
    if root:
        lines.hear("localcloud", b"there is no root in a local sandbox: this runs as 'user'\n")
    ended = await inside.run(bench.client, command, cwd=context.cwd, environment=context.variables(), hear=lines.hear)
    if ended:
        why = " (it asked for root, which a local sandbox does not have)" if root else ""
        raise StepError(f"failed to run command '{command}': {ended}{why}")
    return context


def _root(user: str) -> bool:
    root = USERS.get(user.partition(":")[0])
    if root is None:
        raise StepError(f"failed to create user: a local sandbox has one user, 'user', and '{user}' cannot be added")
    return root


async def _user(_bench: Bench, step: Step, _lines: Lines, context: Context) -> Context:
    if not step.args:
        raise StepError("USER requires a username argument")
    return replace(context, root=_root(step.args[0]))


async def _environment(bench: Bench, step: Step, lines: Lines, context: Context) -> Context:
    if not step.args or len(step.args) % 2:
        raise StepError(f"{step.kind} requires both a key and value arguments")
    fresh = dict(context.environment)
    for name, value in zip(step.args[::2], step.args[1::2], strict=True):
        if not name or "=" in name or "\0" in name + value:
            raise StepError(f"failed to evaluate environment variable {name}: not a usable name or value")
        fresh[name] = await _expanded(bench, value, lines) if "$" in value else value
    return replace(context, environment=fresh)


async def _expanded(bench: Bench, value: str, lines: Lines) -> str:
    """`$NAME` and `${NAME}` replaced by the sandbox's own values; nothing else of the shell's is done."""
    escaped = re.sub(r'[\\"`]|\$\(', lambda found: f"\\{found[0]}", value)
    got = bytearray()

    def hear(stream: str, piece: bytes) -> None:
        if stream == "stdout":
            got.extend(piece)
        else:
            lines.hear(stream, piece)

    ended = await inside.run(bench.client, f'printf %s "{escaped}"', hear=hear)
    if ended:
        raise StepError(f"failed to evaluate environment variable value '{value}': {ended}")
    return got.decode(errors="replace")


async def _workdir(bench: Bench, step: Step, lines: Lines, context: Context) -> Context:
    if not step.args:
        raise StepError("WORKDIR requires a path argument")
    path = posixpath.normpath(posixpath.join(context.cwd or "/", step.args[0]))
    how = f"mkdir -p {shlex.quote(path)}" if _own(path) else f"test -d {shlex.quote(path)}"
    if await inside.run(bench.client, how, hear=lines.hear):
        raise StepError(f"failed to create workdir: {_elsewhere(path)}")
    return replace(context, cwd=path)


def _own(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in OWN)


def _elsewhere(path: str) -> str:
    return f"'{path}' cannot be made: a local template has /app and {HOME} of its own and nothing else; build at E2B"


async def _copy(bench: Bench, step: Step, lines: Lines, context: Context) -> Context:
    if len(step.args) < 2:
        raise StepError("COPY requires a local path and a container path argument")
    source, target, owner, mode = (*step.args, "", "")[:4]
    if owner:
        _root(owner)
    archive = bench.uploads.path(step.files_hash or "")
    if not archive.is_file():
        raise StepError(f"failed to open files object from storage: {step.files_hash} was not uploaded")
    place = posixpath.normpath(posixpath.join(context.cwd or HOME, target))
    if not _own(place):
        raise StepError(f"failed to move files in sandbox: {_elsewhere(place)}")
    inner = f"/tmp/{step.files_hash}.tar"  # noqa: S108 - the sandbox's
    async with bench.client.post(
        "http://envd/files", params={"path": inner}, data=_chunks(archive),
        headers={"Content-Type": "application/octet-stream"},
    ) as answer:  # fmt: skip
        if answer.status != 200:
            raise StepError(f"failed to copy layer tar data to sandbox: {(await answer.text())[:300]}")
    order = {
        "ARCHIVE": inner,
        "SOURCE": _fixed(source),
        "TARGET": place + ("/" if target.endswith("/") else ""),
        "MODE": mode,
    }
    if ended := await inside.run(bench.client, _UNPACK, environment=order, hear=lines.hear):
        raise StepError(f"failed to move files in sandbox: {ended}")
    return context


def _fixed(source: str) -> str:
    """The part of a source before its first wildcard: the client has found the files and packed them by their paths."""
    parts: list[str] = []
    for part in posixpath.normpath(source).split("/"):
        if _GLOB.search(part):
            break
        parts.append(part)
    return "/".join(parts) or "."


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


_KINDS: dict[str, Callable[[Bench, Step, Lines, Context], Awaitable[Context]]] = {
    "RUN": _run,
    "USER": _user,
    "ENV": _environment,
    "ARG": _environment,
    "WORKDIR": _workdir,
    "COPY": _copy,
    "ADD": _copy,
}
