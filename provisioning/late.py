"""What comes too late: a thing made by an attempt that another process had replaced by the time it was there.

A process that was paused, or lost its connection to Postgres, may go on with a create after its leg was taken over. Its
reply is refused (I-3), and by then nobody else may know of the thing: so whoever made it gives it back.
"""

from __future__ import annotations

import asyncio
import logging

from channels.db import database_sync_to_async

from provisioning import leases, ledger
from provisioning.exceptions import VendorError
from provisioning.models import Resource
from provisioning.providers.base import Made, Step

log = logging.getLogger(__name__)

_TRIES = 4
_PAUSE = 0.5  # seconds before the second try, doubled each time


async def give_back(row: Resource, step: Step, made: Made) -> None:
    """Destroy `made` unless its row owns it after all, adopted by whoever has the leg now. Call it without the lease.

    What cannot be destroyed is left to the session's teardown, which looks for everything that bears the name.
    """
    async with leases.hold(leases.of_leg(row.session_id, row.provider)):
        now = await database_sync_to_async(ledger.row)(row.pk)
        if now.external_id == made.external_id:
            return
        for tries in range(_TRIES):
            try:
                await step.destroy(made)
            except VendorError as error:
                log.warning("late_not_given_back session=%s provider=%s %s", row.session.slug, row.provider, error)
                await asyncio.sleep(_PAUSE * 2**tries)
            else:
                log.warning("late_given_back session=%s provider=%s", row.session.slug, row.provider)
                return
