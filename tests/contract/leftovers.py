"""Nothing stays at a vendor: what a test made is deleted however it ends, and what a killed run left, by the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from provisioning.exceptions import VendorError
from provisioning.providers.base import Found, Made, Order, Step
from tests.contract.places import FOREIGN, PREFIX, Place

Result = TypeVar("Result")
_BUSY = {423, 429, 503}
OLD = timedelta(hours=1)  # longer than any run takes


async def patiently(place: Place, call: Callable[[], Awaitable[Result]]) -> Result:
    """Await `call`, again while the vendor is at work on the thing or asks for patience. Raises `VendorError`."""
    until = time.monotonic() + place.patience
    while True:
        try:
            return await call()
        except VendorError as error:
            wait = max(error.retry_after or 0, place.pause)
            if error.status not in _BUSY or time.monotonic() + wait > until:
                raise
        await asyncio.sleep(wait)


def named(name: str) -> Order:
    """An order that does for finding what bears a name."""
    now = datetime.now(UTC)
    return Order("live0test000", name, 1, now - OLD, now + OLD)


def is_leftover(found: Found, run: str, now: datetime) -> bool:
    """Whether a test made it: this run, or one that is over by now. Nothing else may be deleted."""
    if found.name.startswith(f"{PREFIX}{run}-"):
        return True
    ours = found.name.startswith(PREFIX) or found.name == FOREIGN
    return ours and found.created_at is not None and now - found.created_at > OLD


async def sweep(step: Step, place: Place, run: str) -> list[str]:
    """Delete every leftover of a step; returns their names. Raises an `ExceptionGroup` of what could not be deleted."""
    now, swept, errors = datetime.now(UTC), [], []
    listed = await patiently(place, step.inventory)
    foreign = [
        Found(one.external_id, one.created_at, one.meta, FOREIGN)
        for one in await patiently(place, lambda: step.find(named(FOREIGN)))
    ]
    for found in [*listed, *foreign]:
        if not is_leftover(found, run, now):
            continue
        made = Made(found.external_id, meta=found.meta)
        try:
            await patiently(place, lambda made=made: step.destroy(made))  # type: ignore[misc]
            swept.append(found.name)
        except VendorError as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup(f"left at {step.provider}", errors)
    return swept
