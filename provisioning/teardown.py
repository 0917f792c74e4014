"""Destroying what a session owns, and proving that it is gone; revoking what has lapsed.

A row becomes `gone` only when its own thing and everything else that bears its name have been deleted and a second look
finds neither. Anything short of that is remembered, put off, and after six tries shown as stuck (I-7, I-8, I-9).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time

from channels.db import database_sync_to_async

from provisioning import (
    admission,
    endings,
    faults,
    giving,
    lapses,
    ledger,
    repository_access,
    rotations,
    standing,
    words,
)
from provisioning.exceptions import ProvisioningError, VendorError
from provisioning.models import Resource
from provisioning.outcome import Outcome, Verb, Wire
from provisioning.providers.base import Made, Step
from provisioning.providers.registry import step_for
from provisioning.shielding import to_the_end
from provisioning.standing import Standing

log = logging.getLogger(__name__)

QUICK_TRIES = 3  # within one call, before the row is put off
BUSY_PATIENCE = 10.0  # seconds for a vendor that is still working on the very thing (Neon answers 423 until it is done)
TOTAL = 90.0  # seconds for one call, whatever the vendor does
_ROUNDS = 3


async def destroy(row: Resource) -> None:
    """Take a deleting or stuck row to gone if it is due; never raises what a vendor can cause."""
    if not await database_sync_to_async(ledger.is_due)(row):
        return
    if giving.offered_to(row):  # it may be somebody else's by now, and is not deleted while it may come to be
        await giving.see_through(row)
        return
    step = step_for(row.provider, row.kind)
    found = 0
    there = step.remote and (row.attempt or row.external_id)
    vendor = await database_sync_to_async(standing.of)(row.provider) if there else None
    if vendor is not None and vendor.deletes_paused_for > 0:
        await _put_off(row, vendor)
        return
    try:
        if vendor is not None:
            async with asyncio.timeout(TOTAL):
                found = await _destroy_with_patience(row, step, vendor)
            await _heard(step, vendor, None)
    except (ProvisioningError, TimeoutError) as caught:
        error = caught if isinstance(caught, ProvisioningError) else _silence()
        told = words.undeleted(error, step)
        log.warning("delete_unproved session=%s provider=%s %s", row.session.slug, row.provider, error)
        if isinstance(error, VendorError) and admission.throttles(error):
            await _put_off(row, await database_sync_to_async(standing.of)(row.provider))
            return
        at_least = (error.retry_after or 0.0) if isinstance(error, VendorError) else 0.0
        await to_the_end(database_sync_to_async(endings.undeleted)(row, told, at_least=at_least))
    else:
        unsure = not found and await database_sync_to_async(ledger.in_doubt)(row)
        if unsure or await database_sync_to_async(rotations.in_doubt)(row):
            # Whoever asked for it died before the answer: the vendor may be making it at this moment (I-10).
            await to_the_end(database_sync_to_async(endings.wait_out)(row))
            return
        faults.point(f"{row.provider}.before_gone")
        await to_the_end(database_sync_to_async(endings.gone)(row))
        faults.point(f"{row.provider}.after_gone")


async def _put_off(row: Resource, vendor: Standing) -> None:
    """Leave the vendor alone for as long as it asked of everybody; not being let in counts for nothing."""
    wait = max(vendor.deletes_paused_for, standing.SHORTEST_PAUSE) * random.uniform(1.0, 1.5)  # noqa: S311 - one by one
    await to_the_end(database_sync_to_async(endings.put_off)(row, wait))


async def revoke(row: Resource) -> None:
    """Have the vendor take a lapsed row's credentials no more (I-13); never raises what a vendor can cause."""
    step = step_for(row.provider, row.kind)
    try:
        step.check()
        async with asyncio.timeout(TOTAL):
            await _revoke_what_is_there(row, step)
            if await database_sync_to_async(rotations.is_open)(row):  # the value before may live as well
                await step.retire(ledger.order_for(row), "")
    except (ProvisioningError, TimeoutError) as error:
        log.warning("revoke_unproved session=%s provider=%s %s", row.session.slug, row.provider, error)
        await to_the_end(database_sync_to_async(lapses.unrevoked)(row))
    else:
        await to_the_end(database_sync_to_async(lapses.revoked)(row, words.revoked(step)))


async def _revoke_what_is_there(row: Resource, step: Step) -> None:
    """What its vendor no longer has opens nothing either."""
    try:
        await step.revoke(Made(row.external_id, row.url, row.meta))
    except VendorError as error:
        if error.outcome is not Outcome.GONE:
            raise


def _silence() -> VendorError:
    detail = f"not done in {TOTAL:g} s"
    return VendorError("delete", Outcome.REMEMBER, verb=Verb.DELETE, wire=Wire.LOST, detail=detail)


async def _heard(step: Step, vendor: Standing, error: VendorError | None) -> None:
    """Let everybody know what a delete met: a throttle pauses, success closes the breaker; a refusal may be of deleting
    alone, and opens nothing."""
    if vendor.troubled if error is None else admission.throttles(error) or admission.stumbles(error):
        await to_the_end(database_sync_to_async(admission.heard)(step, vendor, error))


async def _destroy_with_patience(row: Resource, step: Step, vendor: Standing) -> int:
    """How many things were destroyed. Deletes and reads may be repeated freely."""
    step.check()
    tries, until = 0, time.monotonic() + BUSY_PATIENCE
    while True:
        try:
            return await _destroy_and_prove(row, step)
        except VendorError as error:
            tries += 1
            await _heard(step, vendor, error)
            busy = error.status == 423 and time.monotonic() < until
            hopeless = error.status in {401, 403} or admission.throttles(error)
            if hopeless or (tries >= QUICK_TRIES and not busy):
                raise
            await asyncio.sleep(max(error.retry_after or 0.0, 0.3 * 2 ** min(tries - 1, 2)))


async def _destroy_and_prove(row: Resource, step: Step) -> int:
    order = ledger.order_for(row)
    own = Made(row.external_id, row.url, row.meta)
    destroyed = 0
    await repository_access.end(row)
    faults.point(f"{row.provider}.before_delete")
    if own.external_id:
        await step.destroy(own)
        destroyed += 1
        faults.point(f"{row.provider}.after_delete")
    for _ in range(_ROUNDS):
        left = [one for one in await step.find(order) if one.belongs_to(order)]
        for one in left:
            await step.destroy(Made(one.external_id, meta=one.meta))
            destroyed += 1
            faults.point(f"{row.provider}.after_delete")
        if not left:
            break
    else:
        raise VendorError("delete", Outcome.REMEMBER, verb=Verb.DELETE, status=200, detail="still listed")
    if own.external_id and await step.exists(own):
        raise VendorError("delete", Outcome.REMEMBER, verb=Verb.DELETE, status=200, detail="still there")
    return destroyed
