"""`manage.py rotate_keys`: bring every stored secret under the first key of the ring."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from provisioning.rekeying import rekey


class Command(BaseCommand):
    help = (
        "Encrypt every stored credential with the first key of MK0R_ENCRYPTION_KEYS, so that the others can be taken "
        "out. Safe while web and worker run, and to run again. Exit status 1 when no key opens a value."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """`--json` for scripts."""
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate, and say what was done."""
        found = rekey()
        if options["json"]:
            self.stdout.write(json.dumps({"resealed": found.resealed, "unreadable": found.unreadable}))
        else:
            self.stdout.write(f"{found.resealed} stored values are now under the first key.")
            for row in found.unreadable:
                self.stdout.write(f"  {row} opens with no key of the ring: put its key back, or revoke it.")
        if found.unreadable:
            sys.exit(1)
