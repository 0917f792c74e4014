"""`manage.py mk0r …`: what staff see and may do in the console, from a shell on the machine."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sessions_app.errors import Refused as SessionRefused
from staff.refusals import Refused
from staff.shell import REFUSED, accounts, looks, orders
from staff.shell.console import Console


class Command(BaseCommand):
    help = (
        "The staff console from the shell. Every change is an order: written to the audit log, carried out by a "
        "worker and followed here to its end. Exit status 0: done; 1: refused, or something failed; 3: not ended yet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """One subcommand for each thing to look at or to do."""
        commands = parser.add_subparsers(dest="what", required=True, metavar="COMMAND", title="commands")
        for module in (looks, orders, accounts):
            module.add(commands)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the subcommand; a refusal is told in its words, as JSON where JSON was asked for."""
        console = Console(self.stdout, self.stderr, json=options["json"])
        try:
            status = options["run"](console, options)
        except (Refused, SessionRefused) as refusal:
            console.refuse(refusal)
            status = REFUSED
        if status:
            sys.exit(status)
