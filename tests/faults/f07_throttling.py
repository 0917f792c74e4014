"""F7: a vendor that throttles is left alone as long as it asks, and gets its legs back one by one, within the budget.

All sessions of a round begin at once, with nobody allowed early, so that most of them wait. A door in front of
localcloud records when each create arrives. The vendor says 429 to the first ones, with a `Retry-After` of another kind
in each round, and means it no more once it has been heard. What was let in before that is under way and is not judged.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fixtures.ground import Ground, begin, ground
from tests.fixtures.recorder import Recorder, Seen, record

TITLE = "429 with Retry-After 0, 1, many, garbage, a date: honoured; creates within the budget; no herd"
SMALL, FULL = 6, 200  # sessions per round

BUDGET = "300/m"
PACE = 0.27  # seconds between two creates of a steady stream under that budget
HERD = 8  # a slow machine starts some late; were they not kept apart, all would come at once
FLYING = 5.0  # seconds at most that a call already let in may take to arrive, where a whole crowd begins at once
CREATES = "/github/user/repos"


def run(size: int, scratch: Path) -> dict[str, object]:
    """`size` sessions in each of five rounds."""
    with ground(scratch, GITHUB_BUDGET=BUDGET, RESEND_API_KEY="", NEON_API_KEY="", E2B_API_KEY="") as here:
        from django.conf import settings

        many = 30 if size > SMALL else 3
        with record(here.cloud.base_url) as recorder:
            settings.GITHUB_API_URL = f"{recorder.base_url}/github"
            rounds = {name: asyncio.run(_round(here, recorder, size, name, many)) for name in _KINDS}
            creates = recorder.of(CREATES)
            assert len(here.cloud.live(vendor="github")) == size * len(rounds), "each session has one repository"
    minute = _most_within(creates, 60.0)
    assert minute <= 300, f"{minute} creates within a minute"
    return {"creates": len(creates), "most_in_a_minute": minute, "rounds": rounds}


_KINDS = ("0", "1", "many", "garbage", "date")


def _rule(name: str, many: int) -> tuple[dict[str, Any], Callable[[float], float]]:
    """The fault of a round, and how many seconds it asks for when it is met at that moment of the monotonic clock."""
    rule = {"vendor": "github", "operation": "create_repository", "fault": "status:429", "probability": 1}
    if name == "garbage":
        return rule | {"retry_after": "in a while"}, lambda _: 0.0
    if name == "date":
        date = int(time.time()) + many
        now_is = time.time() - time.monotonic()
        return rule | {"retry_after": email.utils.formatdate(date, usegmt=True)}, lambda at: date - (at + now_is)
    seconds = float(many if name == "many" else name)
    return rule | {"seconds": seconds}, lambda _: seconds


async def _round(here: Ground, recorder: Recorder, size: int, name: str, many: int) -> dict[str, float]:
    from channels.db import database_sync_to_async
    from django.utils import timezone

    from provisioning import budgets, http
    from provisioning.models import Vendor
    from provisioning.providers.registry import step_for

    step = step_for("github", "repository")
    await database_sync_to_async(Vendor.objects.all().delete)()  # each round is a first time
    await database_sync_to_async(budgets.pick_up_slowly)(step, budgets.rates_of(step), timezone.now())
    sessions = [await database_sync_to_async(begin)() for _ in range(size)]
    before = len(recorder.of(CREATES))
    rule, asks = _rule(name, many)
    here.cloud.set_faults([rule])
    pauses = _Pauses()
    logging.getLogger("provisioning.standing").addHandler(pauses)
    legs = [asyncio.create_task(_provision(session.pk)) for session in sessions]
    while not pauses.heard:
        await asyncio.sleep(0.01)
    here.cloud.clear_faults()
    await asyncio.gather(*legs)
    await http.close_clients()
    logging.getLogger("provisioning.standing").removeHandler(pauses)
    creates = recorder.of(CREATES)[before:]
    refused = next(one for one in creates if one.status == 429)
    asked = asks(refused.at)
    again = [one for one in creates if one.at > pauses.heard[0] + min(FLYING, max(asked / 2, 1.0))]
    flying = len(creates) - len(again)
    assert again or not asked, f"{name}: nobody waited"
    waited = again[0].at - refused.at if again else 0.0
    assert waited >= asked, f"{name}: asked for {asked:.2f} s, back after {waited:.2f} s"
    herd = _most_within(again, PACE)
    most = 4 if size <= SMALL else HERD
    assert herd <= most, f"{name}: {herd} of {size} came back within {PACE} s of each other"
    return {"asked": round(asked, 2), "waited": round(waited, 2), "before_it_was_heard": flying, "at_once_after": herd}


class _Pauses(logging.Handler):
    """When each pause began for everybody."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("vendor_paused"):
            self.heard.append(time.monotonic())


async def _provision(session_id: Any) -> None:
    """Converge as the product does: again when the place comes that the leg waits for."""
    from channels.db import database_sync_to_async

    from provisioning import services
    from provisioning.models import Resource

    rows = Resource.objects.filter(session_id=session_id, provider="github")
    async with asyncio.timeout(400):
        while True:
            await services.converge(session_id)
            row = await database_sync_to_async(rows.get)()
            if row.state == "ready":
                return
            assert row.state == "planned", (row.state, row.error)
            await asyncio.sleep(1)


def _most_within(creates: list[Seen], seconds: float) -> int:
    """The most creates that arrived within any window of that length."""
    moments = [one.at for one in creates]
    return max((sum(1 for other in moments if one <= other < one + seconds) for one in moments), default=0)
