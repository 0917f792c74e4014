"""Bringing a session to rest: all legs at once, `.env` when they have settled, the preview when it answers.

Level-triggered: it looks at the rows, starts what is missing, and looks again whenever something ends and twice a
second, so that a retry or a teardown that comes meanwhile is taken up at once and waits for no other leg. It may be
called at any time, any number of times, in any process.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError

from provisioning import delivery, giving, lapses, ledger, orchestrator, rotations, work
from provisioning.models import Resource
from provisioning.providers.registry import PROVIDERS

log = logging.getLogger(__name__)
State = Resource.State

PATIENCE = 30.0  # seconds that a queued leg's place is waited for here; what comes later is taken up when it is due
_LOOK = 0.5  # seconds
_LOOK_QUEUED = 1.0  # where nothing else is under way
_DATABASE_PAUSE = 1.0
_STARTS = 20  # of one leg in one call; more means that it ends without getting anywhere


@dataclass
class _Leg:
    """A leg this call is working on."""

    task: asyncio.Task[None]
    overdue_at: float
    overdue: bool = False


@dataclass
class _Converging:
    """What one call of `converge` has under way."""

    session_id: UUID
    group: asyncio.TaskGroup
    legs: dict[str, _Leg] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    holds: dict[str, float] = field(default_factory=dict)  # until when a leg that queued may hold up `.env`
    env: asyncio.Task[bool] | None = None
    preview: asyncio.Task[None] | None = None
    preview_of: str = ""
    env_failed: bool = False

    async def run(self) -> None:
        while True:
            state = await database_sync_to_async(_look)(self.session_id)
            self._start_legs(state.unsettled)
            await self._mark_overdue()
            self._hold(state.queued)
            if state.awaiting_preview and state.awaiting_preview != self.preview_of:
                self.preview_of = state.awaiting_preview
                self.preview = self.group.create_task(delivery.await_preview(self.session_id))
            if state.sandbox_ready and not self._in_time(state.queued) and not self.env_failed:
                await self._start_env()
            running: list[asyncio.Task[Any]] = [leg.task for leg in self.legs.values()]
            running += [task for task in (self.env, self.preview) if task is not None and not task.done()]
            soon = [wait for wait in state.queued.values() if wait <= PATIENCE]
            if running:
                timeout = min([self._until_look(), *soon])
                await asyncio.wait(running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            elif soon:
                await asyncio.sleep(min([_LOOK_QUEUED, *soon]))
            else:
                return
            self._reap()

    def _start_legs(self, unsettled: list[str]) -> None:
        # Those that take longest first: rows are claimed one after another, and the longest leg makes the total.
        for provider in sorted(unsettled, key=work.deadline_of, reverse=True):
            if provider in self.legs or self.starts.get(provider, 0) >= _STARTS:
                continue
            self.starts[provider] = self.starts.get(provider, 0) + 1
            if self.starts[provider] == _STARTS:
                log.error("leg_gets_nowhere session=%s provider=%s", self.session_id, provider)
            task = self.group.create_task(_guarded(self.session_id, provider), name=f"leg {provider} {self.session_id}")
            self.legs[provider] = _Leg(task, time.monotonic() + work.deadline_of(provider))
            self.env_failed = False

    async def _mark_overdue(self) -> None:
        """A leg past its deadline is shown as unknown and no longer waited for; it may still arrive."""
        for provider, leg in self.legs.items():
            if not leg.overdue and time.monotonic() >= leg.overdue_at:
                leg.overdue = True
                for row in await work.write(ledger.rows_of, self.session_id, provider):
                    await work.write(ledger.doubt, row)

    def _hold(self, queued: dict[str, float]) -> None:
        """A leg may hold up the others' `.env` for its deadline in all, from when it first had to queue."""
        for provider in queued:
            self.holds.setdefault(provider, time.monotonic() + work.deadline_of(provider))
            self.starts.pop(provider, None)  # to wait for one's turn is not to get nowhere
        for provider in self.holds.keys() - queued.keys() - self.legs.keys():
            del self.holds[provider]

    def _in_time(self, queued: dict[str, float]) -> bool:
        """Whether something is worth waiting for before `.env` is written."""
        now = time.monotonic()
        working = (not leg.overdue and now < self.holds.get(provider, math.inf) for provider, leg in self.legs.items())
        return any(working) or any(now + wait < self.holds[provider] for provider, wait in queued.items())

    async def _start_env(self) -> None:
        if self.env is None and await database_sync_to_async(delivery.env_is_due)(self.session_id):
            self.env = self.group.create_task(delivery.deliver_env(self.session_id))

    def _until_look(self) -> float:
        waits = [leg.overdue_at - time.monotonic() for leg in self.legs.values() if not leg.overdue]
        return max(0.0, min([_LOOK, *waits]))

    def _reap(self) -> None:
        for provider in [provider for provider, leg in self.legs.items() if leg.task.done()]:
            del self.legs[provider]
        if self.env is not None and self.env.done():
            self.env_failed = not self.env.result()
            self.env = None


@dataclass(frozen=True)
class _Level:
    """What the rows say there is to do."""

    unsettled: list[str]
    queued: dict[str, float]  # seconds until the place of each leg that waits for one
    sandbox_ready: bool
    awaiting_preview: str  # id of the sandbox whose page has not answered yet


async def converge(session_id: UUID) -> None:
    """Take each leg of the session to rest and write `.env`.

    Returns when every leg is ready, failed, or gone (or its next try lies in the future, or its place in the vendor's
    queue more than half a minute away), `.env` holds what the ready ones brought, and the preview has answered or was
    waited for. What a vendor does raises nothing here.
    """
    async with asyncio.TaskGroup() as group:
        await _Converging(session_id, group).run()


async def _guarded(session_id: UUID, provider: str) -> None:
    """One leg; whatever goes wrong in it stays in it (I-24)."""
    try:
        await orchestrator.run_leg(session_id, provider)
    except (OperationalError, InterfaceError) as error:
        # Postgres is away: what was done is on the row or will be found, so the leg goes on when it is back.
        log.warning("leg_without_database session=%s provider=%s cause=%s", session_id, provider, type(error).__name__)
        await asyncio.sleep(_DATABASE_PAUSE)
    except Exception:  # the task's boundary: a fault of our own must not end the other legs
        log.exception("leg_crashed session=%s provider=%s", session_id, provider)
        await orchestrator.give_up(session_id, provider)


def _look(session_id: UUID) -> _Level:
    rows: dict[str, list[Resource]] = {provider: [] for provider in PROVIDERS}
    for row in Resource.objects.filter(session_id=session_id).order_by("id"):
        rows[row.provider].append(row)
    sandbox = next((row for row in rows["e2b"] if row.state == State.READY), None)
    asked = set(lapses.lapsed(session_id).values_list("resource__provider", flat=True))
    asked |= {one.resource.provider for one in rotations.due(session_id)}
    asked |= {provider for provider, its in rows.items() if any(map(giving.is_due, its))}
    return _Level(
        unsettled=[provider for provider, its in rows.items() if provider in asked or ledger.needs_work(its)],
        queued={provider: wait for provider, its in rows.items() if (wait := ledger.queued_for(its)) > 0},
        sandbox_ready=sandbox is not None,
        awaiting_preview=sandbox.external_id if sandbox and "answered" not in sandbox.meta else "",
    )
