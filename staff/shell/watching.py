"""An order watched to its end, line by line: what changed since the last look, and in the end what came of it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob, ProcrastinateWorker

from staff.models import Errand
from staff.powers import POWERS
from staff.shell import DONE, NOT_ENDED, REFUSED
from staff.shell.console import Console
from staff.telling import orders
from staff.undertakings import lock_of

EVERY = 0.5  # seconds between two looks
PATIENCE = 10.0  # seconds until somebody should have taken it up
State = Errand.State


class Watch:
    """One order, watched for `most` seconds, or to its end. Synchronous database code."""

    def __init__(self, console: Console, key: UUID, *, most: float | None) -> None:
        self._console, self._key, self._most = console, key, most
        self._began = time.monotonic()
        self._shown: dict[int, tuple[str, str]] = {}
        self._said_busy = False
        self.note = ""

    def follow(self) -> int:
        """Look until it has ended; until the time is up; or until it shows that nobody is there to carry it out."""
        try:
            while not self.look() and not self.time_is_up and self._in_hand():
                time.sleep(EVERY)
        except KeyboardInterrupt:
            self.note = "It goes on without being watched."
        return self.conclude()

    @property
    def time_is_up(self) -> bool:
        """Whether it has been watched for as long as was asked for."""
        return self._most is not None and time.monotonic() - self._began >= self._most

    def look(self) -> bool:
        """Say what is new; whether it has ended."""
        told = self._told()
        if not self._shown:
            count = len(told["errands"])
            self._console.say(f"{_title(told)}: {count} {'thing' if count == 1 else 'things'}, order {self._key}")
        for errand in told["errands"]:
            seen = errand["state"], errand["words"]
            if self._shown.get(errand["number"]) != seen:
                self._shown[errand["number"]] = seen
                parts = (errand["state"].ljust(8), errand["label"], errand["words"], errand["link"])
                self._console.say("  ".join(part for part in parts if part))
        return told["finished_at"] is not None

    def conclude(self) -> int:
        """Tell how it stands; the exit status."""
        told = self._told()
        if told["finished_at"] is None:
            self._console.result({**told, "note": self.note})
            follow = f"Not ended yet. To go on watching: manage.py mk0r follow {self._key}"
            self._console.say(*([self.note] if self.note else []), follow)
            return NOT_ENDED
        self._console.result(told)
        tally = ", ".join(f"{count} {state}" for state, count in told["tally"].items() if count)
        self._console.say(f"Ended: {tally}.")
        return REFUSED if told["tally"][State.FAILED] else DONE

    def _told(self) -> dict[str, Any]:
        return orders.told(orders.found(self._key))

    def _in_hand(self) -> bool:
        """Whether somebody works on it, or may soon; says so where that takes long."""
        if time.monotonic() - self._began < PATIENCE or self._taken_up():
            return True
        alive = timezone.now() - timedelta(seconds=2 * settings.MK0R_WORKER_SILENCE)
        if ProcrastinateWorker.objects.filter(last_heartbeat__gt=alive).exists():
            if not self._said_busy:
                self._said_busy = True
                self._console.say("The workers are busy; it is taken up as soon as one is free.")
            return True
        self.note = (
            "No worker is running, so nothing happens yet: the order stands and is carried out once one is "
            "(manage.py worker). With --here this command is one."
        )
        return False

    def _taken_up(self) -> bool:
        if any(state != State.WAITING for state, _ in self._shown.values()):
            return True
        return not ProcrastinateJob.objects.filter(lock=lock_of(self._key), status="todo").exists()


def _title(told: dict[str, Any]) -> str:
    return POWERS[told["power"]].title if told["power"] in POWERS else str(told["power"])
