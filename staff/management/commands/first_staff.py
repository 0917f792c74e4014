"""`manage.py first_staff`: let somebody into the console of an installation that nobody can come into."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from staff import accounts, audit
from staff.actors import of_shell


class Command(BaseCommand):
    help = (
        "Where no active member of staff has a password of their own, make an account and print its one-time password: "
        "it signs in once, and then asks for a password of one's own. Otherwise nothing happens."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """`--json` for `up`."""
        parser.add_argument("--json", action="store_true", help="print one JSON object, empty where nothing happened")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print name and one-time password, or that there is nothing to do."""
        made = accounts.first()
        if made is not None:
            audit.record(of_shell(), "one_time_password", made[0].get_username())
        if options["json"]:
            found = {} if made is None else {"name": made[0].get_username(), "password": made[1]}
            self.stdout.write(json.dumps(found))
        elif made is None:
            self.stdout.write("Somebody has a password here already. For another: manage.py mk0r staff NAME")
        else:
            self.stdout.write(f"{settings.PUBLIC_URL}/admin/   name: {made[0].get_username()}   password: {made[1]}")
