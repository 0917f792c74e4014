"""Giving an order in a test and seeing it through: the undertaking's job and those of the sessions it concerns."""

from __future__ import annotations

import asyncio
from typing import Any

from channels.db import database_sync_to_async

from sessions_app.models import Session
from sessions_app.process import sessions
from staff import undertakings
from staff.actors import Actor
from staff.models import Undertaking
from staff.powers import POWERS

db = database_sync_to_async


async def ordered(
    actor: Actor, power: str, keys: list[Any], *concerned: Session, reason: str = "", **options: Any
) -> list[tuple[str, str]]:
    """Have `actor` order it; what came of each thing, as state and words, once all have ended."""
    made = await db(undertakings.begin)(
        actor, POWERS[power], [str(key) for key in keys], reason=reason, options=options
    )
    return await seen_through(made, *concerned)


async def seen_through(made: Undertaking, *concerned: Session) -> list[tuple[str, str]]:
    """Run an order's job while the jobs of these sessions run, until it has ended."""
    carrying = asyncio.create_task(undertakings.carry_out(made.pk, 0))

    async def follow(session: Session) -> None:
        while not carrying.done():
            await sessions.converge(session.pk)
            await asyncio.sleep(0.1)

    await asyncio.gather(carrying, *(follow(one) for one in concerned))
    await made.arefresh_from_db()
    found = [(one.state, one.words) async for one in made.errands.order_by("number")]
    assert made.finished_at is not None, found
    return found
