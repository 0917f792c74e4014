"""One sandbox as the control plane knows it: what was asked for, its state, and the errors of dealing with it."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.e2b import runtime
from localcloud.e2b.image import Image
from localcloud.e2b.startup import StartCommand

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class GoneError(Exception):
    """There is no such sandbox (any more)."""


class StateError(Exception):
    """The sandbox is not in the state the operation needs; the message says so."""


class BusyError(Exception):
    """What the operation needs does not answer; nothing was changed. The message says what."""


class UnresponsiveError(Exception):
    """The sandbox was paused while its envd did not answer, so its memory is not worth going on with."""


class FullError(Exception):
    """As many sandboxes exist as may."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a create asked for, checked. `timeout` is in seconds; `hosts` is what it may reach beyond the usual.

    Without `internet` it reaches nothing at all.
    """

    template: str
    timeout: int
    metadata: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    auto_pause: bool = False
    auto_pause_memory: bool = True
    auto_resume: bool = False
    hosts: frozenset[str] = frozenset()
    internet: bool = True
    name: str = ""


@dataclass(slots=True, eq=False)
class Sandbox:
    """One living sandbox. Times are Unix seconds; `end_at` means nothing while it is paused."""

    id: str
    wanted: Wanted
    image: Image
    access_token: str
    directory: Path
    started_at: float
    end_at: float
    machine: runtime.Runtime | None = None
    startup: StartCommand | None = None
    paused: bool = False
    pause_mode: str | None = None  # what its pause kept, `full` or `filesystem`, once it has finished
    unresponsive: bool = False  # its envd did not answer when it was paused with its memory
    # Requests in flight to the inside: cut when the sandbox pauses or ends, as its network would be.
    relays: set[asyncio.Task[Any]] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    ended: bool = False

    @property
    def state(self) -> str:
        """`running` or `paused`, as the control plane names it."""
        return "paused" if self.paused else "running"

    def cut(self) -> None:
        """End every request in flight."""
        for relay in tuple(self.relays):
            relay.cancel()


def new_id() -> str:
    """`i` and 20 of `[a-z0-9]`: no dash, which would break routing by host name."""
    return "i" + "".join(secrets.choice(ALPHABET) for _ in range(20))


def iso(moment: float) -> str:
    """A Unix time as the control plane writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
