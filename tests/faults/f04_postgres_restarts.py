"""F4: Postgres crashes and comes back, down for up to two seconds, again and again; vendors misbehave meanwhile."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from tests.faults.experiment import on_a_house
from tests.faults.house import House
from tests.faults.monkey import Monkey
from tests.faults.storm import storm

TITLE = "Postgres may crash at any time: the ledgers agree, and a visitor hardly ever sees a 500"
SMALL, FULL = 10, 1000
IN_FLIGHT = 30
_DOWN = (0.0, 2.0)  # seconds
_EVERY = (5.0, 40.0)
_MOST_500 = 0.01  # of all answers
_FEW_500 = 2  # as many as that say nothing: a short storm has not a hundred answers for each


async def trial(house: House, size: int) -> dict[str, Any]:
    """A storm of `size` sessions with nothing killed but Postgres; a short one has it killed more often."""
    restarts = 0

    async def crash() -> None:
        nonlocal restarts
        try:
            while True:
                await asyncio.sleep(random.uniform(*_EVERY) if size >= FULL else random.uniform(0.5, 3.0))
                await asyncio.to_thread(house.restart_postgres, random.uniform(*_DOWN))
                restarts += 1
        finally:
            house.restore()

    in_flight, restarted = min(IN_FLIGHT, size // 2), lambda: restarts > 0
    outcome = await storm(
        house, in_flight=in_flight, monkey=Monkey([]), sessions=size, meanwhile=crash, enough=restarted
    )
    assert restarts, "it never came to a restart"
    answered = sum(outcome.answers.values())
    broken = sum(number for status, number in outcome.answers.items() if status >= 500 and status != 503)
    assert broken <= max(answered * _MOST_500, _FEW_500), f"{broken} of {answered} answers were 500s: {outcome.answers}"
    return {"restarts": restarts, "answers": answered, "broken": broken, **outcome.demand()}


run = on_a_house(trial)
