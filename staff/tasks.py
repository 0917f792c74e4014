"""Jobs of the console."""

from __future__ import annotations

from uuid import UUID

from procrastinate.contrib.django import app

from staff import undertakings


@app.task(queue=undertakings.QUEUE, name=undertakings.CARRY_OUT)
async def carry_out(undertaking_id: str, visits: int = 0) -> None:
    """Go on with what a member of staff has ordered."""
    await undertakings.carry_out(UUID(undertaking_id), visits)
