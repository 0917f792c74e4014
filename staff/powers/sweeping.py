"""Powers over the sweep: run it by hand, and answer what a run asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.db.models import Model, Q
from django.urls import reverse
from django.utils import timezone

from provisioning import clock, sweep, sweep_rows
from provisioning.models import Ghost, Stray, SweepRun
from provisioning.sweep_rules import DRY_COUNTS
from sessions_app.database import db
from staff.powers.base import Came, Effect, Option, Order, Power, State
from staff.powers.strays import effect_of_ghost, effect_of_stray
from staff.powers.subjects import numbers, vendor
from staff.powers.switches import switch
from staff.refusals import Refused

ALL = "all"  # the one key of a sweep, which looks at every vendor
_FIGURES = ("listed", "owned", "unknown", "foreign", "ghosts", "deleted", "repaired", "held")


class Sweep(Power):
    """Hold every vendor's inventory against the ledger now: dry, or, once somebody has seen a dry run, for good."""

    name = "sweep"
    title = "Sweep the vendors"
    noun = ("sweep", "sweeps")
    heading: ClassVar[str] = "What a live run would delete or repair, as last seen"
    link_words = "orphans"
    warning = (
        "A dry run looks and remembers. A live one deletes at its vendor what provably is ours and has no owner, and "
        "tells sessions of what they have lost."
    )
    options = (Option("dry", "Run", (("true", "Dry: look only"), ("false", "Live")), preset="true"),)

    def find(self, keys: Sequence[str]) -> list[Model]:
        return [SweepRun()] if ALL in keys else []

    def key(self, subject: Model) -> str:  # noqa: ARG002
        return ALL

    def label(self, subject: Model) -> str:  # noqa: ARG002
        return "every vendor"

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:  # noqa: ARG002
        open_still = Stray.objects.filter(cleared_at=None, deleted_at=None, dismissed_at=None)
        due = open_still.filter(Q(provable=True) | Q(approved_at__isnull=False)).order_by("provider", "id")
        ghosts = Ghost.objects.select_related("resource").filter(dismissed_at=None).order_by("id")
        return {ALL: [*(effect_of_stray(one) for one in due), *(effect_of_ghost(one) for one in ghosts)]}

    def destroyed(self, subjects: Sequence[Model], effects: dict[str, list[Effect]], options: dict[str, Any]) -> int:  # noqa: ARG002
        live = str(options.get("dry", "true")).lower() == "false"
        return sum(one.exists for one in effects.get(ALL, [])) if live else 0

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        dry = switch(options, "dry", "Say whether the run is to be dry or live.")
        if not dry and not sweep_rows.looked_by_hand(clock.now() - DRY_COUNTS):
            raise Refused("Dry run first: a live one is taken within an hour after a dry run by hand, so look at that.")
        return {"dry": dry}

    async def act(self, order: Order, key: str) -> Came:  # noqa: ARG002 (there is one)
        run = await sweep.run(dry=bool(order.options["dry"]), by_hand=True)
        return Came(State.DONE, told(run), reverse("admin:orphans"))


def told(run: SweepRun) -> str:
    """The figures of a run in one line, every vendor's added up, and what it could not do."""
    sums = {name: sum(int(report.get(name, 0)) for report in run.report.values()) for name in _FIGURES}
    due = sum(int(report.get("due", 0)) for report in run.report.values())
    words = (
        f"run {run.pk}: {sums['listed']} listed, {sums['owned']} owned, {sums['unknown']} of ours without an owner, "
        f"{sums['foreign']} foreign, {sums['ghosts']} ghosts; "
    )
    if run.dry:
        words += f"a live run would delete {due}"
    else:
        words += f"{sums['deleted']} deleted, {sums['repaired']} repaired" + (f", {due} more to come" if due else "")
    if sums["held"] or run.state == SweepRun.State.ASKING:
        words += f"; it asks about {len(run.asked.get('strays', [])) + len(run.asked.get('ghosts', []))}"
    troubled = [f"{vendor(name)}: {one['trouble'][0]}" for name, one in run.report.items() if one.get("trouble")]
    return words + (f". Not whole: {'; '.join(troubled)}" if troubled else "")


class Approve(Power):
    """Delete and repair exactly what a run of the sweep asked about; done when all of that is gone."""

    name = "approve"
    title = "Delete and repair what is asked about"
    noun = ("run", "runs")
    heading: ClassVar[str] = "What is destroyed or repaired"
    link_words = "orphans"
    warning = (
        "This cannot be undone. Your word stands in for what the sweep cannot know: that what is listed belongs to no "
        "other copy of this installation, and to no session that a restored backup has forgotten."
    )
    destroys = True

    def find(self, keys: Sequence[str]) -> list[Model]:
        return list(SweepRun.objects.filter(pk__in=numbers(keys)).order_by("-id"))

    def label(self, subject: Model) -> str:
        return f"sweep run {subject.pk}"

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        runs = [one for one in subjects if isinstance(one, SweepRun)]
        asked = {which: {pk for run in runs for pk in run.asked.get(which, [])} for which in ("strays", "ghosts")}
        strays = Stray.objects.filter(cleared_at=None, deleted_at=None, dismissed_at=None).in_bulk(asked["strays"])
        ghosts = Ghost.objects.select_related("resource").filter(dismissed_at=None).in_bulk(asked["ghosts"])
        return {
            self.key(run): [
                *(effect_of_stray(strays[pk]) for pk in run.asked.get("strays", []) if pk in strays),
                *(effect_of_ghost(ghosts[pk]) for pk in run.asked.get("ghosts", []) if pk in ghosts),
            ]
            for run in runs
        }

    def destroyed(self, subjects: Sequence[Model], effects: dict[str, list[Effect]], options: dict[str, Any]) -> int:  # noqa: ARG002
        return sum(one.exists for found in effects.values() for one in found)

    async def act(self, order: Order, key: str) -> Came:
        run_id = int(key)
        try:
            await db(lambda: sweep_rows.approve(run_id, by=order.by, now=timezone.now()))
        except sweep_rows.NothingToApprove as error:
            # A worker that died after the approval left the sweep to whoever comes after it.
            if not await db(_outstanding, run_id):
                return Came(State.NOTHING, str(error), reverse("admin:orphans"))
        await sweep.run(by_hand=True)
        return await db(self.followed, key)

    def followed(self, key: str) -> Came:
        left = _outstanding(int(key))
        if not left:
            return Came(State.DONE, _came_of(int(key)), reverse("admin:orphans"))
        return Came(State.WORKING, f"{_came_of(int(key))}; {len(left)} left, {left[0]}", reverse("admin:orphans"))


def _outstanding(run_id: int) -> list[str]:
    """Why each thing that the approval of this run covers is still there."""
    run = SweepRun.objects.get(pk=run_id)
    if run.approved_at is None:
        return []
    strays, ghosts = sweep_rows.asked_about(run)
    left = [one for one in strays if one.approved_at and not one.deleted_at and not one.cleared_at]
    return [*(one.why or "not looked at yet" for one in left), *("to be repaired" for one in ghosts if one.approved_at)]


def _came_of(run_id: int) -> str:
    run = SweepRun.objects.get(pk=run_id)
    strays, ghosts = sweep_rows.asked_about(run)
    deleted = sum(one.deleted_at is not None for one in strays)
    of_strays, of_ghosts = len(run.asked.get("strays", [])), len(run.asked.get("ghosts", []))
    return f"{deleted} of {of_strays} deleted, {of_ghosts - len(ghosts)} of {of_ghosts} repaired"
