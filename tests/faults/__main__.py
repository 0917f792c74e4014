"""Run fault experiments: `python -m tests.faults [--size small|full|N] [F6 F7 …]`, each in a process of its own.

An experiment is a module `fNN_<what>.py` beside this one with `TITLE` (what has to hold), `SMALL` and `FULL` (how many
trials CI and `make chaos` run), and `run(size, scratch)`, which raises `AssertionError` when it does not hold and else
returns the figures it measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent


def experiments() -> dict[str, str]:
    """Module name of every experiment by its number, in order."""
    return {f"F{int(path.stem[1:3])}": f"tests.faults.{path.stem}" for path in sorted(HERE.glob("f[0-9][0-9]_*.py"))}


def trials(number: str, size: str) -> int:
    """How many trials `size` (small, full or a number) means for an experiment."""
    module = importlib.import_module(experiments()[number])
    return int({"small": module.SMALL, "full": module.FULL}.get(size, size))


def run_here(number: str, size: str) -> dict[str, object]:
    """Run one experiment in this process and return its figures."""
    module = importlib.import_module(experiments()[number])
    count = trials(number, size)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"mk0r-{number}-", ignore_cleanup_errors=True) as scratch:
        figures = module.run(count, Path(scratch))
    return {"experiment": number, "size": count, "seconds": round(time.monotonic() - began, 1), **figures}


def _run_to_its_end(command: list[str]) -> int:
    """Exit status of `command`. Ctrl-C reaches it too; it is given the time to clean up before it counts here."""
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


def main() -> int:
    """0 when every chosen experiment held."""
    parser = argparse.ArgumentParser(prog="tests.faults", description="Fault experiments.")
    parser.add_argument("numbers", nargs="*", help="F1, F2 …; all of them without one")
    parser.add_argument("--size", default="full", help="small, full or a number of trials")
    parser.add_argument("--here", action="store_true", help="run the one experiment in this process")
    chosen = parser.parse_args()
    known = experiments()
    if unknown := [number for number in chosen.numbers if number not in known]:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    if chosen.here:
        print(json.dumps(run_here(chosen.numbers[0], chosen.size)), flush=True)
        return 0
    failed = 0
    for number in chosen.numbers or known:
        print(f"== {number}: {importlib.import_module(known[number]).TITLE}", flush=True)
        command = [sys.executable, "-m", "tests.faults", "--here", "--size", chosen.size, number]
        failed += _run_to_its_end(command) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
