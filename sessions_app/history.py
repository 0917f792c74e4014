"""Undo, redo and jump, worked out from a session's versions alone.

Versions are commits and only ever added: a turn adds one with a new tree, and undo, redo and a jump each add one that
repeats an older tree and says which (`restores`). Folding them in order gives the *line* a person means by undo and
redo:

* a turn is put on the line after the place where we stand, and what lay beyond it is no longer on the line;
* a restore moves to the place of the tree it repeats. A tree that is no longer on the line (its branch was left behind)
  is put on the line like a turn, so that a jump to it can be undone as well.

Nothing is lost by leaving the line: every version stays in the list and can be jumped to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Step(Protocol):
    """What the fold needs of a version."""

    @property
    def number(self) -> int: ...
    @property
    def restores(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class History:
    """The line of version numbers with trees of their own, and where on it the app stands (None: no version yet)."""

    line: tuple[int, ...] = ()
    place: int | None = None

    @property
    def current(self) -> int | None:
        """Number of the version whose tree the app has, counted by the first version that had it."""
        return None if self.place is None else self.line[self.place]

    @property
    def undo(self) -> int | None:
        """Number of the version undo would restore, or None."""
        return self.line[self.place - 1] if self.place else None

    @property
    def redo(self) -> int | None:
        """Number of the version redo would restore, or None."""
        if self.place is None or self.place + 1 >= len(self.line):
            return None
        return self.line[self.place + 1]


def fold(versions: Iterable[Step]) -> History:
    """The history that these versions, in order of their numbers, amount to."""
    line: list[int] = []
    place: int | None = None
    origins: dict[int, int] = {}
    for version in versions:
        origin = version.number if version.restores is None else origins.get(version.restores, version.restores)
        origins[version.number] = origin
        if version.restores is not None and origin in line:
            place = line.index(origin)
            continue
        del line[0 if place is None else place + 1 :]
        line.append(origin)
        place = len(line) - 1
    return History(tuple(line), place)


def origin(versions: Iterable[Step], number: int) -> int | None:
    """Number of the version that first had the tree of version `number`, or None when there is no such version."""
    origins: dict[int, int] = {}
    for version in versions:
        origins[version.number] = (
            version.number if version.restores is None else origins.get(version.restores, version.restores)
        )
    return origins.get(number)
