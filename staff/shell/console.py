"""What a command writes, and what it asks: lines for a person, or one JSON object for a script and nothing else."""

from __future__ import annotations

import argparse
import json as json_text
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TextIO

from django.core.management.base import OutputWrapper
from django.utils import timezone

from staff.refusals import Refused

Run = Callable[["Console", dict[str, Any]], int]


class Console:
    """Standard output and error of one command."""

    def __init__(self, out: OutputWrapper | TextIO, err: OutputWrapper | TextIO, *, json: bool) -> None:
        self._out, self._err, self.json = out, err, json

    def say(self, *lines: str) -> None:
        """Lines for a person."""
        if not self.json:
            for line in lines:
                self._out.write(_printable(line) + "\n")

    def result(self, data: dict[str, Any]) -> None:
        """The object for a script: once per command."""
        if self.json:
            self._out.write(json_text.dumps(data, ensure_ascii=False) + "\n")

    def give(self, value: str) -> None:
        """A value as it is, for a person or a pipe to take away."""
        if not self.json:
            self._out.write(value + "\n")

    def aside(self, line: str) -> None:
        """A line beside the output, which a pipe does not see."""
        self._err.write(_printable(line) + "\n")

    def refuse(self, refusal: Exception) -> None:
        """Why it was not done."""
        code = str(getattr(refusal, "code", "refused"))
        self.result({"code": code, "message": str(refusal)})
        if not self.json:
            self.aside(str(refusal))

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Columns as wide as they have to be."""
        cells = [[_printable("" if cell is None else str(cell)) for cell in row] for row in rows]
        widths = [max(len(line[column]) for line in [list(titles), *cells]) for column in range(len(titles))]
        for line in [list(titles), *cells]:
            self.say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())

    def confirm(self, lines: Iterable[str], *, yes: bool) -> None:
        """Have a person say yes to what the lines tell.

        Raises:
            Refused: they did not; or nobody is there to ask and `--yes` was not given.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise Refused("This destroys something, and there is no terminal to ask on: say --yes if it is meant.")
        for line in lines:
            self.aside(line)
        self.aside("Type yes to go on:")
        if sys.stdin.readline().strip() != "yes":
            raise Refused("Nothing was done.")


def _printable(text: str) -> str:
    """Text that cannot steer a terminal: what a visitor typed may hold escape sequences."""
    return "".join(char if char.isprintable() else "�" for char in text)


def command(commands: Any, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    """Add a subcommand; every one can speak JSON."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=run)
    return parser


def ago(moment: str | None) -> str:
    """How long ago a moment of an answer was: 40 s, 12 min, 5 h, 3 d."""
    if moment is None:
        return "–"
    seconds = max(0.0, (timezone.now() - datetime.fromisoformat(moment)).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
