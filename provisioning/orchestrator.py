"""One leg: the rows of one provider in one session, made in the order of their steps, or destroyed where it is ending.

It holds the leg's lease meanwhile. What is done to a row stands in `work` and `teardown`.
"""

from __future__ import annotations

import logging
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from provisioning import endings, giving, lapses, late, leases, ledger, rotating, teardown, words
from provisioning.models import Resource
from provisioning.providers.registry import step_for
from provisioning.work import Work, write

log = logging.getLogger(__name__)
State = Resource.State
P = ParamSpec("P")
T = TypeVar("T")


async def run_leg(session_id: UUID, provider: str) -> None:
    """Take every row of `provider` to rest, in order; a step that fails ends the leg. Waits for the leg's lease.

    Returns as well when the next step has to wait for its place in the vendor's queue: call again when it comes.
    """
    works: list[Work] = []
    async with leases.hold(leases.of_leg(session_id, provider)):
        await _take_to_rest(session_id, provider, works)
    for work in works:
        for made in work.late:
            await late.give_back(work.row, work.step, made)


async def _take_to_rest(session_id: UUID, provider: str, works: list[Work]) -> None:
    rows = await write(ledger.rows_of, session_id, provider)
    for row in rows:  # first, as a step before it that has failed must not keep a key alive
        if row.state in lapses.HELD and await write(lapses.has_lapsed, row):
            await teardown.revoke(row)
    for row in rows:
        if row.state == State.GONE:  # destroyed by somebody who did not come to the next step
            continue
        if row.state in ledger.UNWANTED:
            await teardown.destroy(row)
            continue
        if row.state == State.READY:
            await rotating.advance(row)
            await giving.see_through(row)
        work = Work(row)
        works.append(work)
        await work.settle()
        if work.row.state in ledger.UNWANTED:  # the session ended while we worked: its other rows too
            return await _tear_down(session_id, provider)
        if work.row.state != State.READY:
            return None
    return None


async def _tear_down(session_id: UUID, provider: str) -> None:
    for row in await write(ledger.rows_of, session_id, provider):
        await teardown.destroy(row)


async def give_up(session_id: UUID, provider: str) -> None:
    """A fault of our own ended the leg: say so on its row. Making can be retried; destroying is tried again later."""
    for row in await write(ledger.rows_of, session_id, provider):
        step = step_for(row.provider, row.kind)
        told: dict[str, Any] = words.explain(None, step, tries=0, seconds=0.0)
        if row.state in ledger.IN_FLIGHT | {State.PLANNED}:
            given_up = await write(ledger.fail, row, told)
        elif await write(ledger.is_due, row):
            told = words.undeleted(None, step)
            given_up = await write(endings.undeleted, row, told)
        else:
            continue
        if given_up:
            log.warning("leg_gave_up session=%s provider=%s reference=%s", session_id, provider, told["reference"])
            return
