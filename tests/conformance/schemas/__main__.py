"""`python -m tests.conformance.schemas <directory> [--json]`: exit status 1 where a body does not fit, 2 without."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from tests.conformance.schemas import exchanges, report
from tests.conformance.schemas.judge import Judge


def main(arguments: list[str] | None = None) -> int:
    """Judge the traffic below the directory that *arguments* (the command line's) name; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.schemas", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--json", action="store_true", help="for a program to read")
    asked = parser.parse_args(arguments)
    begun, judge = time.monotonic(), Judge()
    judge.hear(exchanges.read(asked.directory))
    if not judge.tallies:
        sys.stderr.write(f"No traffic lies in {asked.directory}: run `make test` or `make conformance` first.\n")
        return 2
    told = report.machine if asked.json else report.text
    found = told(judge.tallies, time.monotonic() - begun)
    sys.stdout.write((found if isinstance(found, str) else json.dumps(found, indent=2)) + "\n")
    return 0 if all(tally.sound for tally in judge.tallies.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
