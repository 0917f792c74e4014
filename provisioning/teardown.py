"""Destroying what a session owns, and proving that it is gone.

A row becomes `gone` only when its own thing and everything else that bears its name have been deleted and a second look
finds neither. Anything short of that is remembered, put off, and after six tries shown as stuck (I-7, I-8, I-9).
"""

from __future__ import annotations

import asyncio
import logging
import time

from channels.db import database_sync_to_async
from django.utils import timezone

from provisioning import faults, ledger, words
from provisioning.exceptions import ProvisioningError, VendorError
from provisioning.models import Resource
from provisioning.outcome import Outcome, Verb
from provisioning.providers.base import Made, Step
from provisioning.providers.registry import step_for
from provisioning.shielding import to_the_end

log = logging.getLogger(__name__)

QUICK_TRIES = 3  # within one call, before the row is put off
BUSY_PATIENCE = 10.0  # seconds for a vendor that is still working on the very thing (Neon answers 423 until it is done)
_ROUNDS = 3


async def destroy(row: Resource) -> None:
    """Take a deleting or stuck row to gone if it is due; never raises what a vendor can cause."""
    if row.state not in ledger.UNWANTED or (row.next_at is not None and row.next_at > timezone.now()):
        return
    step = step_for(row.provider, row.kind)
    try:
        if step.remote and (row.attempt or row.external_id):
            await _destroy_with_patience(row, step)
    except ProvisioningError as error:
        told = words.explain(error, step, tries=0, seconds=0.0)
        log.warning("delete_unproved session=%s provider=%s %s", row.session.slug, row.provider, error)
        at_least = (error.retry_after or 0.0) if isinstance(error, VendorError) else 0.0
        await to_the_end(database_sync_to_async(ledger.undeleted)(row, told, at_least=at_least))
    else:
        faults.point(f"{row.provider}.before_gone")
        await to_the_end(database_sync_to_async(ledger.gone)(row))
        faults.point(f"{row.provider}.after_gone")


async def _destroy_with_patience(row: Resource, step: Step) -> None:
    """Deletes and reads may be repeated freely."""
    step.check()
    tries, until = 0, time.monotonic() + BUSY_PATIENCE
    while True:
        try:
            return await _destroy_and_prove(row, step)
        except VendorError as error:
            tries += 1
            busy = error.status == 423 and time.monotonic() < until
            hopeless = error.status in {401, 403} or (error.retry_after or 0.0) > 2.0
            if hopeless or (tries >= QUICK_TRIES and not busy):
                raise
            await asyncio.sleep(max(error.retry_after or 0.0, 0.3 * 2 ** min(tries - 1, 2)))


async def _destroy_and_prove(row: Resource, step: Step) -> None:
    order = ledger.order_for(row)
    own = Made(row.external_id, row.url, row.meta)
    faults.point(f"{row.provider}.before_delete")
    if own.external_id:
        await step.destroy(own)
        faults.point(f"{row.provider}.after_delete")
    # A create whose caller died may still be under way at the vendor: until it has shown itself nothing is proved.
    await asyncio.sleep(ledger.may_appear_for(row, step.appears_within))
    for _ in range(_ROUNDS):
        left = [one for one in await step.find(order) if one.belongs_to(order)]
        for one in left:
            await step.destroy(Made(one.external_id, meta=one.meta))
        if not left:
            break
    else:
        raise VendorError("delete", Outcome.REMEMBER, verb=Verb.DELETE, status=200, detail="still listed")
    if own.external_id and await step.exists(own):
        raise VendorError("delete", Outcome.REMEMBER, verb=Verb.DELETE, status=200, detail="still there")
