"""The figures of one run at one vendor, and what it asks of staff."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

_NAMES = 20  # foreign names kept for a person to look at
_LONGEST = 100  # characters of one


@dataclass(slots=True)
class Report:
    """What was found at a vendor and what became of it. Only what stands in `asks` makes a run ask."""

    listed: int = 0  # things whose name begins with ours
    owned: int = 0
    unknown: int = 0  # our name, no owner
    foreign: int = 0  # another installation's, or nobody's
    ghosts: int = 0
    deleted: int = 0
    held: int = 0  # unknown, and left for staff
    left: int = 0  # unknown, and left alone because staff said so
    waiting: int = 0  # unknown, and not yet due
    due: int = 0  # unknown, and to be deleted: by the next run where this one was dry or had reached its cap
    repaired: int = 0
    trouble: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)
    foreign_names: list[str] = field(default_factory=list)
    asked_strays: list[int] = field(default_factory=list)
    asked_ghosts: list[int] = field(default_factory=list)

    def ask(self, why: str) -> None:
        """Have staff look, once for each reason."""
        if why not in self.asks:
            self.asks.append(why)

    def saw_foreign(self, names: list[str]) -> None:
        """Count names that are not ours and keep a few, as far as they can be shown: anybody may have given them."""
        self.foreign += len(names)
        shown = ["".join(one if one.isprintable() else "?" for one in name[:_LONGEST]) for name in names[:_NAMES]]
        self.foreign_names = [*self.foreign_names, *shown][:_NAMES]

    def stored(self) -> dict[str, Any]:
        """What is kept with the run."""
        kept = asdict(self)
        del kept["asked_strays"], kept["asked_ghosts"]
        return kept | {"asked_about": self.held + len(self.asked_ghosts)}
