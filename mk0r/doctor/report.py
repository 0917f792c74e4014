"""What was found out: parts of the installation, each with its checks, and what that means for a script."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class State(StrEnum):
    """How a check ended."""

    WELL = "well"
    WRONG = "wrong"
    NOTE = "note"  # worth knowing; nothing is broken by it


class Exit(IntEnum):
    """The exit status."""

    WELL = 0
    WRONG = 1
    NOT_LOOKED = 2  # the settings cannot be read: nothing was looked at


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `next` is the step that mends it, empty where there is none to take."""

    check: str
    state: State
    said: str
    next: str = ""


@dataclass(slots=True)
class Part:
    """A vendor, or something of ours. `where` is `local`, `real`, or empty for what is neither."""

    part: str
    label: str
    where: str = ""
    checks: list[Check] = field(default_factory=list)

    @property
    def state(self) -> State:
        """Wrong as soon as one check is; a note alone changes nothing."""
        return State.WRONG if any(one.state is State.WRONG for one in self.checks) else State.WELL

    def well(self, check: str, said: str) -> None:
        """Write down what is as it should be."""
        self.checks.append(Check(check, State.WELL, said))

    def note(self, check: str, said: str, following: str = "") -> None:
        """Write down what is worth knowing."""
        self.checks.append(Check(check, State.NOTE, said, following))

    def wrong(self, check: str, said: str, following: str) -> None:
        """Write down what is not well, and the step that mends it."""
        self.checks.append(Check(check, State.WRONG, said, following))


@dataclass(frozen=True, slots=True)
class Report:
    """All of it. `refusals` are settings that cannot work together, for which `web` and `worker` do not start."""

    parts: tuple[Part, ...]
    refusals: tuple[str, ...] = ()

    @property
    def status(self) -> Exit:
        """What a script goes by."""
        unwell = self.refusals or any(part.state is State.WRONG for part in self.parts)
        return Exit.WRONG if unwell else Exit.WELL
