"""`manage.py doctor`: for each vendor whether it is local or real, answers, and can do its work; what to do if not."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mk0r.doctor.examination import SECONDS, examine
from mk0r.doctor.telling import document, lines


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 300:
        raise ArgumentTypeError("a number of seconds up to 300 is wanted")
    return seconds


class Command(BaseCommand):
    help = (
        "Check the database and every vendor: local or real, reachable, key, rights and limits. Exit status 0 if all "
        "is well, 1 if something is not, 2 if the settings cannot be read and nothing was looked at."
    )
    requires_system_checks = ()  # what they would stop at is told here, beside everything else

    def add_arguments(self, parser: CommandParser) -> None:
        """`--json` for scripts, `--seconds` for the impatient."""
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
        parser.add_argument("--seconds", type=_seconds, default=SECONDS, help="how long a vendor may take in all")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was found, and end with its status."""
        report = asyncio.run(examine(options["seconds"]))
        if options["json"]:
            self.stdout.write(json.dumps(document(report)))
        else:
            self.stdout.write("\n".join(lines(report)))
        if report.status:
            sys.exit(int(report.status))
