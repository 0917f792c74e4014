"""F2: web and worker processes killed and stopped at random times and points, vendors misbehaving, thirty in flight.

In a house of its own the product's time constants are what they are in production: a death is missed after 15 s, so
where deaths come much faster than that nobody gets anywhere. A long run is therefore given longer pauses, and one that
is over in seconds shorter ones.
"""

from __future__ import annotations

from typing import Any

from tests.faults.experiment import on_a_house
from tests.faults.house import UNHURRIED, House
from tests.faults.monkey import Monkey
from tests.faults.storm import storm

TITLE = "whatever is killed at random, the ledgers agree within 60 s of the last kill"
SMALL, FULL = 12, 2000
IN_FLIGHT = 30
_KILLS_PER_SESSION = 1 / 20
_SHORT, _LONG = 30, 400  # sessions


async def trial(house: House, size: int) -> dict[str, Any]:
    """A storm of `size` sessions."""
    pauses = (0.4, 1.5) if size < _SHORT else (1.0, 3.0) if size < _LONG else (4.0, 12.0)
    monkey = Monkey(list(house.slots.values()), every=pauses)
    if size < _SHORT:  # where processes start slowly nobody would get anywhere between deaths that come so fast
        monkey.most = monkey.kills + 2 * size
    wanted = monkey.kills + size * _KILLS_PER_SESSION
    in_flight = min(IN_FLIGHT, size // 2)
    outcome = await storm(
        house, in_flight=in_flight, monkey=monkey, sessions=size, enough=lambda: monkey.kills >= wanted
    )
    assert outcome.kills >= size * _KILLS_PER_SESSION, f"only {outcome.kills} kills in {size} sessions"
    return outcome.demand()


run = on_a_house(trial, **UNHURRIED)
