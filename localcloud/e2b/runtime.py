"""What the rest of the E2B stand-in may know about a sandbox's machine: start it, reach it, freeze it, stop it.

A sandbox is one tree of processes. Its first process (`isolation/inner.py`) starts envd and watches over it:

    python <directory of envd>/__main__.py --fd N --die-with-stdin [--map /app=<real> --map /home/user=<real>]

`--fd` is a unix stream socket that already listens. It is made outside and handed in, so no path inside the sandbox
decides what the outside connects to, and connections made while envd restarts wait instead of failing. `--map` comes
in `plain` mode only. envd's own environment is what a process of the sandbox starts with (PATH, HOME, USER, LOGNAME,
PORT and what `launch` was given).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

ENVD = Path(__file__).resolve().parent / "envd"
PREVIEW_PORT = 5173


class LaunchError(Exception):
    """A sandbox did not come up; the message says which step failed and is fit for a person."""


@dataclass(frozen=True)
class Egress:
    """Everything a sandbox may reach. What is not named here does not exist for it (but in `plain` mode).

    `tcp` maps a loopback port inside to a port on the host's 127.0.0.1. `http` maps a loopback port inside to an
    origin on the host and the path prefixes of it that pass. `hosts` are the names (`host` or `host:port`, 443 if
    not said) that this installation needs, reached through the CONNECT proxy on 127.0.0.1:3128. `names` are those a
    create asked for (`host`, `host:port`, `*.suffix`; 443 and 5432 if no port is said): they may lead to public
    addresses only. All of both can also be looked up inside and reached directly, on public addresses only.
    """

    tcp: Mapping[int, int] = field(default_factory=dict)
    http: Mapping[int, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Base:
    """What lies in a new sandbox's `/app` and `/home/user`: read-only directories, the topmost first, none for empty.

    Several layers of one directory are put together as an overlay would, and only where one can be mounted.
    """

    app: tuple[Path, ...] = ()
    home: tuple[Path, ...] = ()


class Runtime(Protocol):
    """One running sandbox. Every method may be called more than once."""

    id: str
    mode: str
    directory: Path
    envd_socket: Path

    def port_socket(self, port: int) -> Path:
        """A unix socket that reaches 127.0.0.1:`port` inside; refused by closing at once when nothing listens there."""

    async def port_open(self, port: int) -> bool:
        """Whether something inside listens on 127.0.0.1:`port`."""

    async def stop(self) -> None:
        """When it returns every process inside is dead and sockets and mounts are gone. Files stay."""

    async def freeze(self) -> None:
        """Stop every process where it stands (SIGSTOP)."""

    async def thaw(self) -> None:
        """Let frozen processes go on (SIGCONT)."""

    def standing(self) -> Base:
        """What its directories consist of by now: its own layer first in each, which goes on changing while it runs."""

    @property
    def alive(self) -> bool:
        """False once the sandbox ended, by `stop` or by itself."""


async def launch(
    *,
    sandbox_id: str,
    directory: Path,
    base: Base,
    egress: Egress,
    env: Mapping[str, str],
    mode: str,
    agent: Path | None = None,
) -> Runtime:
    """Start a sandbox over `directory` and return once its envd accepts connections.

    `base` shows in its directories under the sandbox's own changes (kept in `directory`, so a second launch over the
    same directory finds them). `agent` is the directory of installed agent
    versions, seen at `/opt/agent` even if filled later. `mode` is a value of MK0R_ISOLATION or what `detect` gave.
    Raises `LaunchError`; nothing is left running then.
    """
    from localcloud.e2b.isolation import machine

    return await machine.launch(
        machine.Plan(
            sandbox_id=sandbox_id, directory=directory, base=base, egress=egress, env=dict(env), agent=agent, mode=mode
        )
    )


async def detect(mode: str = "auto", directory: Path | None = None) -> str:
    """The isolation this machine can really run: `bwrap`, `unshare` or `plain`, found by running each once.

    `directory` is where sandboxes will lie: whether an overlay can be mounted there is part of the question.
    A mode other than `auto` is answered with itself when it works and with `LaunchError` when it does not.
    """
    from localcloud.e2b.isolation import detection

    return await detection.detect(mode, directory)


async def sweep(sandboxes: Path) -> int:
    """End what sandboxes under `sandboxes` left running when localcloud was killed; returns how many had leftovers.

    Called once at start, before the first `launch`.
    """
    from localcloud.e2b.isolation import leftovers

    return await leftovers.sweep(sandboxes)
