"""One rotation taken a step further: new credentials made and stored, and once `.env` has them, the old ones ended.

Between the two steps lies the delivery of `.env`, which `converge` does. Whatever dies at whatever line, what is left
is found again: by then either the vendor made nothing, or it tells what holds now (Neon), or what it made bears our
name beside the one that the row owns, and is deleted before another is made (Resend). Whoever works on a rotation holds
its leg's lease.
"""

from __future__ import annotations

import asyncio
import logging
import random

from provisioning import admission, faults, ledger, rotations, standing, words
from provisioning.exceptions import NotAdmitted, ProvisioningError, VendorError
from provisioning.models import Resource, Rotation
from provisioning.outcome import Outcome, Verb, Wire
from provisioning.providers.base import Made, Step
from provisioning.providers.registry import step_for
from provisioning.secrets import Unreadable
from provisioning.standing import Standing
from provisioning.work import write

log = logging.getLogger(__name__)

CALLS = 4  # that may leave for one rotation
TOTAL = 60.0  # seconds for one step, whatever the vendor does
USABLE_WITHIN = 20.0  # seconds until a new credential works at its vendor
_LONGEST_PAUSE = 300.0
_QUEUES = 15.0  # seconds for a place in a vendor's budget, while nobody else works on the leg
_GATEWAY = {408, 502, 504}  # said by something in between, which knows no more than we do
_FINAL = {Outcome.CONFIG, Outcome.REJECTED, Outcome.EXISTS, Outcome.GONE}
_ASLEEP = 60.0  # seconds, where a vendor is not to be asked


async def advance(row: Resource) -> None:
    """Take the next step of what is due for the row's credentials; never raises what a vendor can cause."""
    rotation = await write(rotations.due_of, row)
    if rotation is None:
        return
    one = _Advance(rotation)
    try:
        one.step.check()
        async with asyncio.timeout(TOTAL):
            await (one.end_old() if rotation.state == Rotation.State.MADE else one.make_new())
    except VendorError as error:
        await one.failed(error)
    except ProvisioningError as error:
        await one.put_off(_ASLEEP, words.said(error, one.step))
    except TimeoutError:
        await one.put_off(_pause(rotation.calls), f"{one.step.label} did not answer within {TOTAL:g} s")


class _Advance:
    """What one call of `advance` knows."""

    def __init__(self, rotation: Rotation) -> None:
        self.rotation = rotation
        self.row = rotation.resource
        self.step: Step = step_for(self.row.provider, self.row.kind)
        self.vendor: Standing | None = None
        self._asking = False

    async def make_new(self) -> None:
        if not await self._welcome():
            return
        taken = await write(rotations.take, self.rotation)
        if taken is None:
            return
        self.rotation, self.row = taken, taken.resource
        try:
            own = await write(ledger.made_of, self.row)
        except Unreadable:
            await write(rotations.give_up, taken, "the value before cannot be read, or its lease is over")
            return
        if taken.calls and await self._settled(own):
            return
        await self._make(own)

    async def _welcome(self) -> bool:
        """Whether the vendor may be asked now; else the rotation waits, or ends if nothing was asked of it so far."""
        self.vendor = await write(standing.of, self.row.provider)
        if self.vendor.paused_for > 0:
            wait = self.vendor.paused_for * random.uniform(1.0, 1.5)  # noqa: S311 - one by one
            await self.put_off(wait, f"{self.step.label} asks to be left alone for a while")
            return False
        refusing = self.vendor.refusing and not await write(standing.take_probe, self.row.provider)
        if not (self.vendor.stopped or refusing):
            return True
        why = "is paused by staff" if self.vendor.stopped else "refuses mk0r's own key"
        if self.rotation.calls == 0:
            await write(rotations.give_up, self.rotation, f"{self.step.label} {why}; nothing was changed")
        else:
            await self.put_off(_ASLEEP, f"{self.step.label} {why}")
        return False

    async def _place(self) -> bool:
        """Wait for a place in the vendor's budget; where none comes soon, the rotation is put off until one may."""
        assert self.vendor is not None  # noqa: S101 (`_welcome` came first)
        try:
            wait = await write(admission.reserve, self.step, self.vendor, _QUEUES)
        except NotAdmitted as error:
            await self.put_off(min(error.retry_in, _LONGEST_PAUSE), f"waits for its place at {self.step.label}")
            return False
        await asyncio.sleep(wait)
        return True

    async def _settled(self, own: Made) -> bool:
        """After calls that did not tell: see what came of them. True when there is nothing more to do now."""
        if wait := await write(rotations.doubtful_for, self.rotation):
            await self.put_off(wait, f"waiting for what {self.step.label} may still make of the last call")
            return True
        there = await self.step.caught_up(ledger.order_for(self.row), own)
        await self._heard(None)
        if there is not None:
            await self._keep(there)
            return True
        if self.rotation.calls >= CALLS:
            why = self.rotation.words or f"{self.step.label} was asked {CALLS} times in vain"
            await write(rotations.give_up, self.rotation, f"{why}. What was there before goes on")
            return True
        return False

    async def _make(self, own: Made) -> None:
        if not await self._place():
            return
        if not await write(rotations.send, self.rotation, self.step.settles_within):
            return
        self._point("before_rotate")
        self._asking = True
        made = await self.step.rotate(ledger.order_for(self.row), own)
        self._asking = False
        self._point("after_rotate")
        await self._heard(None)
        await self._keep(made)

    async def _keep(self, made: Made) -> None:
        if not await write(rotations.keep, self.rotation, made):
            await self._late(made)
            return
        self._point("after_rotated")
        log.info("credential_rotated %s", self._who)
        try:
            async with asyncio.timeout(USABLE_WITHIN):
                await self.step.finish(ledger.order_for(self.row), made)
        except (VendorError, TimeoutError) as error:  # it is stored, so it is delivered all the same
            log.warning("rotated_not_usable_yet %s cause=%s", self._who, type(error).__name__)

    async def _late(self, made: Made) -> None:
        """Another has gone on with it meanwhile: give back what we made, or have them look what holds now."""
        log.warning("rotated_too_late %s", self._who)
        if made.external_id == self.row.external_id:
            await write(rotations.look_again, self.row, CALLS)
        else:
            await self.step.destroy(Made(made.external_id, meta=made.meta))

    async def end_old(self) -> None:
        """`.env` holds the new value: nobody needs the old one."""
        self._point("before_retire")
        await self.step.retire(ledger.order_for(self.row), self.row.external_id)
        self._point("after_retire")
        if await write(rotations.done, self.rotation):
            log.info("credential_retired %s", self._who)

    async def failed(self, error: VendorError) -> None:
        """The vendor did not do it: try again later, or leave everything as it was where that cannot help."""
        log.info("rotation_failed %s outcome=%s status=%s", self._who, error.outcome, error.status)
        await self._heard(error)
        told = words.said(error, self.step)
        # Whatever is read within a `rotate` is read before its call leaves.
        answered = error.wire is not Wire.LOST and error.status not in _GATEWAY
        certain = self._asking and (error.verb is Verb.READ or (answered and error.outcome is not Outcome.AMBIGUOUS))
        if certain and error.outcome in _FINAL:
            await write(rotations.give_up, self.rotation, f"{told}. What was there before goes on")
            return
        pause = max(error.retry_after or 0.0, _pause(self.rotation.calls))
        await self.put_off(pause, told, certain=certain)

    async def put_off(self, seconds: float, told: str, *, certain: bool = False) -> None:
        """Have it looked at again in so many seconds."""
        await write(rotations.put_off, self.rotation, seconds, told, certain=certain)

    async def _heard(self, error: VendorError | None) -> None:
        if error is not None or (self.vendor is not None and self.vendor.troubled):
            self.vendor = await write(admission.heard, self.step, self.vendor, error)

    def _point(self, where: str) -> None:
        faults.point(f"{self.row.provider}.{where}")

    @property
    def _who(self) -> str:
        row = self.row
        return f"session={row.session.slug} provider={row.provider} kind={row.kind} attempt={self.rotation.attempt}"


def _pause(calls: int) -> float:
    """Seconds before the next try: 2, 4, 8 … give or take half."""
    return min(2.0 * 2.0 ** min(calls, 8), _LONGEST_PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311
