"""`manage.py sweep`: hold every vendor's inventory against the ledger, now, and say what was found."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from provisioning import clock, http, sweep, sweep_rows, sweep_rules
from provisioning.sweep_models import SweepRun
from staff import audit
from staff.actors import of_shell

_COLUMNS = (
    ("listed", "listed"),
    ("owned", "owned"),
    ("ours unknown", "unknown"),
    ("foreign", "foreign"),
    ("ghosts", "ghosts"),
    ("deleted", "deleted"),
    ("held", "held"),
)


class Command(BaseCommand):
    help = (
        "Sweep the vendors' inventories: delete what provably is ours and has no owner, repair rows whose thing is "
        "gone, and report the rest. Exit status 1 when it asks for a decision."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """`--dry-run` only looks; `--approve RUN` answers what that run asked."""
        parser.add_argument("--dry-run", action="store_true", help="look and remember, but delete and repair nothing")
        parser.add_argument(
            "--approve", type=int, metavar="RUN", help="delete and repair exactly what that run asked about, then sweep"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep once and print the figures; exit with 1 when staff are asked."""
        if options["approve"] is not None:
            if options["dry_run"]:
                raise CommandError("--approve deletes; it cannot be given together with --dry-run.")
            self._approve(options["approve"], quiet=options["json"])
        else:
            self._require_dry_first(dry=options["dry_run"])
        run = asyncio.run(_sweep(dry=options["dry_run"]))
        if options["json"]:
            self.stdout.write(json.dumps(_told(run)))
        else:
            self._print(run)
        if run.state == SweepRun.State.ASKING:
            sys.exit(1)

    def _require_dry_first(self, *, dry: bool) -> None:
        """What a live run by hand would delete has been looked at by somebody; every run by hand is on record."""
        if not dry and not sweep_rows.looked_by_hand(clock.now() - sweep_rules.DRY_COUNTS):
            raise CommandError("Look first: manage.py sweep --dry-run. A live run is taken within an hour after that.")
        audit.record(of_shell(), "sweep", "every vendor", dry=dry)

    def _approve(self, number: int, *, quiet: bool) -> None:
        actor = of_shell()
        try:
            with transaction.atomic():
                strays, ghosts = sweep_rows.approve(number, by=actor.name, now=timezone.now())
                audit.record(actor, "approve", f"sweep run {number}")
        except sweep_rows.NothingToApprove as error:
            raise CommandError(str(error)) from error
        if not quiet:
            self.stdout.write(f"Run {number} approved: {strays} to delete, {ghosts} rows to repair.")

    def _print(self, run: SweepRun) -> None:
        titles = [title for title, _ in _COLUMNS]
        self.stdout.write("  ".join(["vendor  ", *titles]))
        for vendor, figures in run.report.items():
            cells = [str(figures[key]).rjust(len(title)) for title, key in _COLUMNS]
            self.stdout.write("  ".join([vendor.ljust(8), *cells]))
        for vendor, figures in run.report.items():
            for trouble in figures["trouble"]:
                self.stdout.write(f"{vendor}: {trouble}")
            if figures["due"]:
                self.stdout.write(f"{vendor}: {figures['due']} more will be deleted by the next run")
            if figures["foreign_names"]:
                shown = ", ".join(figures["foreign_names"][:5])
                self.stdout.write(f"{vendor}: not ours and left alone: {shown}{' …' * (figures['foreign'] > 5)}")
        if run.state == SweepRun.State.ASKING:
            self._print_question(run)

    def _print_question(self, run: SweepRun) -> None:
        self.stdout.write(f"\nRun {run.pk} asks:")
        for line in run.reason.splitlines():
            self.stdout.write(f"  {line}")
        strays, ghosts = sweep_rows.asked_about(run)
        for stray in strays:
            made = f"{stray.made_at:%Y-%m-%d %H:%M}" if stray.made_at else "at an unknown time"
            self.stdout.write(
                f"  delete {stray.provider} {stray.kind} {stray.name} ({stray.external_id}), made {made}?"
            )
        for ghost in ghosts:
            self.stdout.write(f"  give up {ghost.resource} ({ghost.external_id})?")
        self.stdout.write(f"If that is right: manage.py sweep --approve {run.pk}")


def _told(run: SweepRun) -> dict[str, Any]:
    strays, ghosts = sweep_rows.asked_about(run)
    asked = [
        {"provider": one.provider, "kind": one.kind, "name": one.name, "external_id": one.external_id, "why": one.why}
        for one in strays
    ]
    lost = [{"resource": str(one.resource), "external_id": one.external_id} for one in ghosts]
    return {
        "run": run.pk,
        "state": run.state,
        "dry": run.dry,
        "reason": run.reason,
        "vendors": run.report,
        "asked": {"strays": asked, "ghosts": lost},
    }


async def _sweep(*, dry: bool) -> SweepRun:
    try:
        return await sweep.run(dry=dry, by_hand=True)
    finally:
        await http.close_clients()
