"""One leg: the rows of one provider in one session, taken to rest step by step.

`Work` looks at its row and does the next thing, again and again: claim, create, save, finish; search where a create may
have made something, then adopt it or delete it and begin anew; destroy where the session is ending. Whatever it does is
written before and after, so that another process can take over at any line. It holds the leg's lease meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import timezone

from provisioning import faults, late, leases, ledger, teardown, words
from provisioning.exceptions import NotConfigured, ProvisioningError, VendorError
from provisioning.models import Resource
from provisioning.outcome import Outcome, Verb, Wire
from provisioning.providers.base import Found, Made, Order, Step
from provisioning.providers.registry import step_for
from provisioning.shielding import to_the_end

log = logging.getLogger(__name__)
State = Resource.State
P = ParamSpec("P")
T = TypeVar("T")

CREATES = 3  # how often a create is tried before the leg fails
SEARCHES = 3  # how often a search may fail before the leg does
FINISHES = 4
LOOK = 1.0  # seconds between looks for what a create whose outcome is lost may still make
PEEK = 3.0  # seconds between looks for something whose create has not answered
LATE = 30.0  # seconds past its deadline that a leg is still waited for
LATE_HERE = {"e2b": 270.0}  # on this machine the first sandbox waits until its files are downloaded


async def write(change: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run synchronous database code to its end, even if this task is cancelled meanwhile."""
    return await to_the_end(database_sync_to_async(change)(*args, **kwargs))


def deadline_of(provider: str) -> float:
    """Seconds a leg may take before the session goes on without it."""
    return float(settings.LEG_DEADLINES.get(provider, 15.0))


async def run_leg(session_id: UUID, provider: str) -> None:
    """Take every row of `provider` to rest, in order; a step that fails ends the leg. Waits for the leg's lease."""
    works: list[Work] = []
    async with leases.hold(leases.of_leg(session_id, provider)):
        await _take_to_rest(session_id, provider, works)
    for work in works:
        for made in work.late:
            await late.give_back(work.row, work.step, made)


async def _take_to_rest(session_id: UUID, provider: str, works: list[Work]) -> None:
    for row in await write(ledger.rows_of, session_id, provider):
        if row.state == State.GONE:  # destroyed by somebody who did not come to the next step
            continue
        if row.state in ledger.UNWANTED:
            await teardown.destroy(row)
            continue
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


def backoff(tries: int) -> float:
    """Seconds before try number `tries` + 1: 0.25, 0.5, 1 … 4, give or take half."""
    return min(0.25 * 2.0 ** max(tries - 1, 0), 4.0) * random.uniform(0.5, 1.5)  # noqa: S311


class Work:
    """One row on its way to ready or failed."""

    def __init__(self, row: Resource) -> None:
        self.row = row
        self.step: Step = step_for(row.provider, row.kind)
        self._error: ProvisioningError | None = None
        self._answered = False  # whether our create was answered, though not so that we know what became of it
        self._foreign = False  # the name is held by something that is not ours
        self._attempt = 0  # the one that is ours; 0 before there is
        self.late: list[Made] = []  # made by an attempt that had been replaced when it came to be written down
        self._absent = False  # a search, or a request that never left, proves that nothing is there
        self._creates = self._failed_searches = self._failed_finishes = 0
        self._began = time.monotonic()
        late = LATE_HERE.get(row.provider, LATE) if self.step.local else LATE
        self._limit = deadline_of(row.provider) + late

    async def settle(self) -> None:
        """Return once the row is ready, failed, or wanted no more. Raises nothing a vendor can cause."""
        try:
            async with asyncio.timeout(self._limit):
                while await self._next():
                    pass
        except TimeoutError:
            await self._fail(self._error or _silence(self._limit))
            self.row = await write(ledger.row, self.row.pk)

    async def _next(self) -> bool:
        """Take one step; False when there is none left to take."""
        row = self.row = await write(ledger.row, self.row.pk)
        if self._attempt and row.attempt != self._attempt:
            log.warning(
                "leg_taken_over %s ours=%s", self._who, self._attempt
            )  # we lost the lease: it goes on elsewhere
            return False
        if row.state == State.PLANNED:
            await self._begin()
        elif row.state not in ledger.IN_FLIGHT:
            return False
        elif row.attempt != self._attempt:
            return await self._take_over()
        elif row.external_id:
            await self._finish()
        else:
            await self._resume()
        return True

    async def _take_over(self) -> bool:
        """Go on with what another process began: under an attempt of ours, so that it cannot write any more."""
        taken = await write(ledger.take_over, self.row)
        self._attempt = taken.attempt if taken else 0
        return True

    async def _begin(self) -> None:
        try:
            self.step.check()  # before the claim: without a key no attempt is made, so none has to be cleaned up
        except NotConfigured as error:
            return await self._fail(error)
        await self._pause_until_due()
        self._point("before_claim")
        asks = self.row.attempt == 0 or self._absent
        claimed = await write(ledger.claim, self.row, asks=asks)
        if claimed is None:
            return None
        self.row, self._attempt = claimed, claimed.attempt
        self._point("after_claim")
        if self.row.external_id:
            await self._finish()
        elif asks or (await self._search() and await write(ledger.ask, self.row)):
            # A later attempt looks first: an earlier one, perhaps of another process, may have left something.
            await self._create()
        return None

    async def _create(self) -> None:
        self._absent = False
        self._creates += 1
        self._point("before_http")
        try:
            made = await self._made(ledger.order_for(self.row))
        except VendorError as error:
            await self._after_create(error)
        else:
            self._point("after_http")
            await self._keep(made)

    async def _made(self, order: Order) -> Made:
        """Wait for the create; once the leg is overdue also look, now and then, whether the thing is there already."""
        call = asyncio.create_task(self.step.create(order))
        try:
            await asyncio.wait({call}, timeout=self._left)
            while not call.done():
                if self.step.adoptable and (there := await self._already_there(order)):
                    return await self.step.adopt(order, there)
                await asyncio.wait({call}, timeout=PEEK)
            return await call
        finally:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

    async def _already_there(self, order: Order) -> Found | None:
        try:
            return next((one for one in await self.step.find(order) if one.belongs_to(order)), None)
        except VendorError:
            return None

    @property
    def _left(self) -> float:
        """Seconds until the leg is overdue."""
        return max(0.0, self._began + deadline_of(self.row.provider) - time.monotonic())

    async def _after_create(self, error: VendorError) -> None:
        self._error = error
        self._answered = error.wire is Wire.REPLIED  # then it is not under way any more
        log.info("create_failed %s outcome=%s status=%s %s", self._who, error.outcome, error.status, error.detail)
        if error.outcome in {Outcome.NOT_SENT, Outcome.LATER}:
            self._absent = True
            await self._again(max(error.retry_after or 0.0, backoff(self._creates)))
        elif error.outcome in {Outcome.AMBIGUOUS, Outcome.EXISTS}:
            await write(ledger.doubt, self.row)
            if error.wire is Wire.REPLIED and error.outcome is Outcome.AMBIGUOUS:
                await asyncio.sleep(backoff(1) / 2)  # a vendor that just failed may still be writing it down
        else:
            await self._fail(error)

    async def _again(self, pause: float, *, name: str = "") -> None:
        """Back to planned, or to failed when that was the last try or the wait is longer than we have."""
        if self._error is not None and (self._creates >= CREATES or pause > self._left):
            await self._fail(self._error)
        else:
            await write(ledger.replan, self.row, name=name, next_in=pause)

    async def _search(self) -> bool:
        """Find out what an attempt left behind and adopt it; True when it is proved that there is nothing."""
        order = ledger.order_for(self.row)
        try:
            self.step.check()
            found = await self.step.find(order)
            mine = [one for one in found if one.belongs_to(order)]
            if mine and self.step.adoptable:
                await self._keep(await self.step.adopt(order, mine[0]))
                await self._discard(mine[1:])
                return False
            await self._discard(mine, strict=True)
        except NotConfigured as error:
            await self._fail(error)
            return False
        except VendorError as error:
            await self._after_search(error)
            return False
        self._failed_searches = 0
        if not mine and not self._answered and (left := ledger.may_appear_for(self.row, self.step.appears_within)):
            await asyncio.sleep(min(left, LOOK))
            return False
        self._absent = True
        self._foreign = bool(found and not mine)
        return True

    async def _resume(self) -> None:
        """A create that did not tell: search, and plan anew where it made nothing."""
        await write(ledger.doubt, self.row)
        if await self._search():
            taken = isinstance(self._error, VendorError) and self._error.outcome is Outcome.EXISTS
            # Held by something older than our wish: not ours to adopt, so ours gets another name.
            name = f"mk0r-{self.row.session.slug}-{self.row.attempt}" if taken and self._foreign else ""
            await self._again(backoff(self._creates) if self._error else 0.0, name=name)

    async def _after_search(self, error: VendorError) -> None:
        self._failed_searches += 1
        self._error = self._error or error
        log.info("search_failed %s outcome=%s status=%s %s", self._who, error.outcome, error.status, error.detail)
        if error.outcome is Outcome.CONFIG or self._failed_searches >= SEARCHES:
            await self._fail(self._error if error.outcome is not Outcome.CONFIG else error)
        else:
            await asyncio.sleep(max(min(error.retry_after or 0.0, 10.0), backoff(self._failed_searches)))

    async def _discard(self, found: list[Found], *, strict: bool = False) -> None:
        """Delete what bears our name and cannot be used; a failure matters only where something new is to be made."""
        for one in found:
            try:
                await self.step.destroy(Made(one.external_id, meta=one.meta))
            except VendorError as error:
                log.warning("discard_failed %s outcome=%s status=%s", self._who, error.outcome, error.status)
                if strict:
                    raise

    async def _keep(self, made: Made) -> None:
        if not await write(ledger.keep, self.row, made):
            log.warning("reply_outlived_its_attempt %s", self._who)
            self.late.append(made)
        self._point("after_keep")

    async def _finish(self) -> None:
        self._point("before_finish")
        try:
            await self.step.finish(ledger.order_for(self.row), await write(ledger.made_of, self.row))
        except VendorError as error:
            await self._after_finish(error)
        else:
            self._point("after_finish")
            await write(ledger.ready, self.row)
            self._point("after_ready")

    async def _after_finish(self, error: VendorError) -> None:
        self._error = error
        self._failed_finishes += 1
        log.info("finish_failed %s outcome=%s status=%s %s", self._who, error.outcome, error.status, error.detail)
        if error.broken or error.outcome is Outcome.GONE:
            await self._discard([Found(self.row.external_id, meta=self.row.meta)])
            self._creates = max(self._creates, 1)
            self._absent = True
            await self._again(backoff(self._creates))
        elif error.operation != "connect" and (
            error.outcome in {Outcome.CONFIG, Outcome.REJECTED} or self._failed_finishes >= FINISHES
        ):
            await self._fail(error)
        else:
            await asyncio.sleep(max(min(error.retry_after or 0.0, 10.0), backoff(min(self._failed_finishes, 3))))

    async def _pause_until_due(self) -> None:
        if self.row.next_at is not None:
            await asyncio.sleep(max(0.0, (self.row.next_at - timezone.now()).total_seconds()))

    async def _fail(self, error: ProvisioningError | None) -> None:
        took = time.monotonic() - self._began
        kept = await write(_kept_of, self.row)
        told = words.explain(error, self.step, tries=self._creates, seconds=took, kept=kept)
        log.warning("leg_failed %s reason=%s reference=%s", self._who, told["reason"], told["reference"])
        await write(ledger.fail, self.row, told, answered=self._answered or self._absent)

    def _point(self, where: str) -> None:
        faults.point(f"{self.row.provider}.{where}")

    @property
    def _who(self) -> str:
        row = self.row
        return f"session={row.session.slug} provider={row.provider} kind={row.kind} attempt={row.attempt}"


def _kept_of(row: Resource) -> str:
    """What an earlier step of the same provider made, in words: it will be used again."""
    ready = Resource.objects.filter(session_id=row.session_id, provider=row.provider, state=State.READY).first()
    return f"The {ready.kind.replace('_', ' ')}" if ready else ""


def _silence(limit: float) -> VendorError:
    return VendorError("wait", Outcome.AMBIGUOUS, verb=Verb.CREATE, wire=Wire.LOST, detail=f"nothing in {limit:g} s")


async def give_up(session_id: UUID, provider: str) -> None:
    """A fault of our own ended the leg: say so on its row, so that it can be retried."""
    for row in await write(ledger.rows_of, session_id, provider):
        if row.state in ledger.IN_FLIGHT | {State.PLANNED}:
            step = step_for(row.provider, row.kind)
            told: dict[str, Any] = words.explain(None, step, tries=0, seconds=0.0)
            log.warning("leg_gave_up session=%s provider=%s reference=%s", session_id, provider, told["reference"])
            await write(ledger.fail, row, told)
            return
