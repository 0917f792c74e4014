"""One row taken to rest, step by step: looked at, and the next thing done, again and again.

Claim, create, save, finish; search where a create may have made something, then adopt it or delete it and begin anew.
Whatever is done is written before and after, so that another process can take over at any line. Whoever works on a row
holds its leg's lease (`orchestrator`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.conf import settings

from provisioning import admission, clock, faults, ledger, standing, words
from provisioning.exceptions import NotAdmitted, NotConfigured, ProvisioningError, VendorError
from provisioning.models import Resource
from provisioning.outcome import Outcome, Verb, Wire
from provisioning.providers.base import Found, Made, Order, Step
from provisioning.providers.registry import step_for
from provisioning.shielding import to_the_end
from provisioning.standing import Standing

log = logging.getLogger(__name__)
State = Resource.State
P = ParamSpec("P")
T = TypeVar("T")

CREATES = 3  # how often a create is tried before the leg fails
SEARCHES = 3  # how often a search may fail before the leg does
FINISHES = 4
LOOK = 1.0  # seconds between looks for what a create that was not answered may still make
PEEK = 3.0  # seconds between looks for something whose create has not answered
LATE = 30.0  # seconds past its deadline that a leg is still waited for
_GATEWAY = {408, 502, 504}  # said by something in between, which knows no more than we do
LATE_HERE = {"e2b": 270.0}  # on this machine the first sandbox waits until its files are downloaded


async def write(change: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run synchronous database code to its end, even if this task is cancelled meanwhile."""
    return await to_the_end(database_sync_to_async(change)(*args, **kwargs))


def deadline_of(provider: str) -> float:
    """Seconds a leg may take before the session goes on without it."""
    return float(settings.LEG_DEADLINES.get(provider, 15.0))


def longest(step: Step) -> float:
    """Seconds for which a row of that step is worked on at most."""
    return deadline_of(step.provider) + (LATE_HERE.get(step.provider, LATE) if step.local else LATE)


def backoff(tries: int) -> float:
    """Seconds before try number `tries` + 1: 0.25, 0.5, 1 … 4, give or take half."""
    return min(0.25 * 2.0 ** max(tries - 1, 0), 4.0) * random.uniform(0.5, 1.5)  # noqa: S311


class Work:
    """One row on its way to ready or failed."""

    def __init__(self, row: Resource) -> None:
        self.row = row
        self.step: Step = step_for(row.provider, row.kind)
        self._attempt = 0  # the attempt that is ours: claimed, or taken over from somebody who stopped
        self._error: ProvisioningError | None = None
        self._foreign = False  # the name is held by something that is not ours
        self.late: list[Made] = []  # made by an attempt that had been replaced when it came to be written down
        self._absent = False  # a search, or a request that never left, proves that nothing is there
        self._certain = row.doubt_until is None  # every create so far was answered or never left: none is under way
        self._creates = self._failed_searches = self._failed_finishes = 0
        self._vendor: Standing | None = None  # how the vendor stood with us when we were let in
        self._began = time.monotonic()
        self._limit = longest(self.step)

    async def settle(self) -> None:
        """Return once the row is ready, failed, queued or wanted no more. Raises nothing a vendor can cause."""
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
            log.warning("leg_taken_over %s ours=%s", self._who, self._attempt)
            return False  # we were thought dead, and another goes on with it (I-3)
        if row.state == State.PLANNED:
            return await write(ledger.queued_for, [row]) <= admission.SHORT and await self._begin()
        if row.state not in ledger.IN_FLIGHT:
            return False
        if not self._attempt:
            return await self._take_over()
        if row.external_id:
            await self._finish()
        else:
            await self._resume()
        return True

    async def _take_over(self) -> bool:
        """Go on with what another process began: under an attempt of ours, so that it cannot write any more."""
        taken = await write(ledger.take_over, self.row)
        self._attempt, self._certain = (taken.attempt if taken else 0), False
        return True

    async def _begin(self) -> bool:
        try:
            self.step.check()  # before the claim: without a key no attempt is made, so none has to be cleaned up
        except NotConfigured as error:
            await self._fail(error)
            return True
        await self._pause_until_due()
        if not await self._admitted():
            return False
        self._point("before_claim")
        at_once = self._absent or ledger.left_nothing(self.row)  # else an earlier attempt may have left something: look
        claimed = await write(ledger.claim, self.row, settles=self.step.settles_within if at_once else 0.0)
        if claimed is None:
            return True
        self.row, self._attempt = claimed, claimed.attempt
        self._point("after_claim")
        if self.row.external_id:
            await self._finish()
        elif at_once or (await self._search() and await write(ledger.send, self.row, self.step.settles_within)):
            await self._create()
        return True

    async def _admitted(self, *, refused: bool = False) -> bool:
        """Whether the attempt may begin, now; else the row has its place in the queue, or has failed.

        `refused`: the vendor has just put this very row off.
        """
        try:
            wait = await write(self._ask)
        except NotAdmitted as error:
            await self._fail(error)
            return False
        if refused or wait > admission.SHORT:
            await write(ledger.queue, self.row, wait, refused=refused, certain=self._certain)
            return False
        if wait > 0:
            await asyncio.sleep(wait)
            before, self._vendor = self._vendor, await write(standing.of, self.row.provider)
            probe = before is not None and before.refusing
            if not (probe or self._vendor.welcomes):  # it has changed its mind meanwhile
                return await self._admitted()
        self._began = time.monotonic()  # the leg's time does not run while it queues
        return True

    def _ask(self) -> float:
        self._vendor = standing.of(self.row.provider)
        return admission.ask(self.row, self.step, self._vendor)

    async def _heard(self, error: VendorError | None) -> None:
        """Let everybody know what a call met. A success that changes nothing for anybody costs nothing."""
        if error is not None or self._vendor is None or self._vendor.troubled:
            self._vendor = await write(admission.heard, self.step, self._vendor, error)

    async def _create(self) -> None:
        self._absent = False
        self._creates += 1
        certain, self._certain = self._certain, False
        self._point("before_http")
        try:
            made = await self._made(ledger.order_for(self.row))
        except VendorError as error:
            self._certain = certain and error.wire is not Wire.LOST and error.status not in _GATEWAY
            await self._after_create(error)
        else:
            self._point("after_http")
            await self._keep(made)
            await self._heard(None)

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
        log.info("create_failed %s outcome=%s status=%s %s", self._who, error.outcome, error.status, error.detail)
        await self._heard(error)
        if admission.throttles(error):
            await self._admitted(refused=True)
        elif error.outcome in {Outcome.NOT_SENT, Outcome.LATER}:
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
            await write(ledger.replan, self.row, name=name, next_in=pause, certain=self._certain)

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
        await self._heard(None)
        self._failed_searches = 0
        if not mine and not self._certain and await write(ledger.in_doubt, self.row):
            await asyncio.sleep(LOOK)  # the vendor may be making it at this moment
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
        await self._heard(error)
        if error.outcome is Outcome.CONFIG or self._failed_searches >= SEARCHES:
            await self._fail(self._error if error.outcome is not Outcome.CONFIG else error)
        else:
            await self._rest(backoff(self._failed_searches))

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
            await self._heard(None)
            self._point("after_finish")
            await write(ledger.ready, self.row)
            self._point("after_ready")

    async def _after_finish(self, error: VendorError) -> None:
        self._error = error
        self._failed_finishes += 1
        log.info("finish_failed %s outcome=%s status=%s %s", self._who, error.outcome, error.status, error.detail)
        await self._heard(error)
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
            await self._rest(backoff(min(self._failed_finishes, 3)))

    async def _rest(self, pause: float) -> None:
        """Sleep `pause` seconds, or as long as the vendor is to be left alone."""
        left = self._vendor.paused_for if self._vendor is not None else 0.0
        await asyncio.sleep(max(pause, left * random.uniform(1.0, 1.2)))  # noqa: S311

    async def _pause_until_due(self) -> None:
        if self.row.next_at is not None and self.row.place_at is None:
            await asyncio.sleep(max(0.0, (self.row.next_at - await write(clock.now)).total_seconds()))

    async def _fail(self, error: ProvisioningError | None) -> None:
        took = time.monotonic() - self._began
        kept = await write(_kept_of, self.row)
        told = words.explain(error, self.step, tries=self._creates, seconds=took, kept=kept)
        log.warning("leg_failed %s reason=%s reference=%s", self._who, told["reason"], told["reference"])
        await write(ledger.fail, self.row, told, certain=self._certain)

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
