"""Jobs of the console."""

from __future__ import annotations

from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from staff import undertakings

# What breaks an order's job, such as a restart of Postgres, passes; the order stands, and nobody else takes it up.
_AGAIN = RetryStrategy(wait=2, linear_wait=5)


@app.task(queue=undertakings.QUEUE, name=undertakings.CARRY_OUT, retry=_AGAIN)
async def carry_out(undertaking_id: str, visits: int = 0) -> None:
    """Go on with what a member of staff has ordered; a job that breaks is run again, after pauses that grow."""
    await undertakings.carry_out(UUID(undertaking_id), visits)
