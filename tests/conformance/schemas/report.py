"""What the judge found, for a person and for a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.conformance.schemas.judge import Tally

_COLUMNS = ("replies", "requests", "unmatched", "failed")


def text(tallies: Mapping[str, Tally], seconds: float) -> str:
    """A table, then for each vendor what was judged apart, what no schema knows, and the first that failed."""
    lines = [f"{'vendor':<11}" + "".join(f"{name:>11}" for name in _COLUMNS)]
    for vendor, tally in sorted(tallies.items()):
        lines.append(f"{vendor:<11}" + "".join(f"{getattr(tally, name):>11}" for name in _COLUMNS))
    for vendor, tally in sorted(tallies.items()):
        lines += [f"{vendor}: {count} × {why}" for why, count in sorted(tally.apart.items())]
        lines += [f"{vendor}: {count} × not in the schema: {key}" for key, count in sorted(tally.unknown.items())]
        lines += [f"{vendor}: {example}" for example in tally.examples]
    return "\n".join([*lines, f"in {seconds:.1f} s"])


def machine(tallies: Mapping[str, Tally], seconds: float) -> dict[str, Any]:
    """The same as JSON."""
    return {"seconds": round(seconds, 1), "vendors": {vendor: vars(tally) for vendor, tally in tallies.items()}}
