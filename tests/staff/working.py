"""A console behind which everything is real: a web process that carries its orders out, at vendors of its own.

What tests have made here is made by threads of their own: a browser's driver keeps the loop of the test's thread, and
what the test's transaction writes nobody else sees.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from django.db import connection
from django.test import override_settings
from django.utils import timezone

from provisioning import http, ledger, sweep
from provisioning.models import Ghost, Resource, Stray, SweepRun
from provisioning.providers.base import Made, Order
from provisioning.providers.registry import step_for
from sessions_app import jobs, services
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.fixtures.settings import vendor_values
from tests.staff.browsing import web

T = TypeVar("T")
_WITHIN = 60.0  # seconds for what a worker sees to


def aside(do: Callable[[], T]) -> T:
    """Do what needs the database in a thread of its own; it is committed."""

    def done() -> T:
        try:
            return do()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(done).result()


def until(done: Callable[[], Any], what: str) -> None:
    """Wait until that is so."""
    deadline = time.monotonic() + _WITHIN
    while not aside(done):
        assert time.monotonic() < deadline, f"{what}: not within {_WITHIN:g} s"
        time.sleep(0.1)


@dataclass(frozen=True)
class Working:
    """The console's address and the vendors behind it."""

    site: str
    cloud: CloudUnderTest
    _kept: list[Session] = field(default_factory=list)

    def begun(self, *, failing: str = "") -> Session:
        """A session whose legs have come to rest; `failing` is the operation at Resend that is refused meanwhile."""
        if failing:
            self.cloud.set_faults([{"vendor": "resend", "operation": failing, "fault": "status:422"}])
        made = aside(_begun)
        moving = Resource.objects.filter(session=made).exclude(state__in=["ready", "failed"])
        failed = Resource.objects.filter(session=made, provider="resend", state="failed")
        until(lambda: failed.exists() if failing else not moving.exists(), "a session at rest")
        self.cloud.clear_faults()
        return made

    def kept(self) -> Session:
        """The one session of those tests that leave it open and its other parts as they are."""
        if not self._kept:
            self._kept.append(self.begun())
        return self._kept[0]

    def things(self, session: Session) -> set[tuple[str, str]]:
        """What the vendors have under the session's name: vendor and kind."""
        return {(one["vendor"], one["kind"]) for one in self.cloud.live(name=f"mk0r-{session.slug}")}

    def copied(self) -> Stray:
        """Something at Resend, an hour old and under a name of ours that no row was written for, as a sweep saw it."""
        slug, now = slug_for(uuid.uuid4()), timezone.now()
        step = step_for("resend", "audience")
        order = Order(slug, f"mk0r-{slug}", 1, now, now + timedelta(days=1))
        made = _asked(lambda: step.create(order))
        with sqlite3.connect(self.cloud.var / "cloud" / "state.sqlite3", timeout=10) as store:
            old = (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
            changed = store.execute("UPDATE objects SET created_at = ? WHERE id = ?", [old, made.external_id]).rowcount
        assert changed == 1
        self.swept()
        return aside(lambda: Stray.objects.get(external_id=made.external_id))

    def swept(self) -> SweepRun:
        """A dry look at the vendors' inventories."""
        return _asked(lambda: sweep.run(dry=True))

    def lost(self, session: Session, provider: str, kind: str) -> Ghost:
        """Destroy a row's thing at its vendor, and have a sweep miss it."""
        row = aside(lambda: Resource.objects.get(session=session, provider=provider, kind=kind))
        _asked(lambda: step_for(provider, kind).destroy(Made(row.external_id, meta=row.meta)))
        self.swept()
        return aside(lambda: Ghost.objects.get(resource=row))

    def doubled(self, session: Session, provider: str, kind: str) -> Stray:
        """Have a second thing come under a row's name, as of a create that nobody waited for, and the first be lost."""
        row, step = aside(lambda: Resource.objects.get(session=session, kind=kind)), step_for(provider, kind)
        order = aside(lambda: ledger.order_for(ledger.row(row.pk)))
        second = _asked(lambda: step.create(order))
        _asked(lambda: step.destroy(Made(row.external_id, meta=row.meta)))
        told = {"reason": "lost", "message": "It is lost."}
        aside(lambda: Resource.objects.filter(pk=row.pk).update(state="failed", error=told))
        self.swept()
        return aside(lambda: Stray.objects.get(external_id=second.external_id))


def _begun() -> Session:
    made = services.session_begin(None)
    jobs.converge_soon(made.pk)
    return made


def _asked(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Ask a vendor, or have one asked, from this process."""

    async def once() -> T:
        async with http.borrowed():
            return await ask()

    return aside(lambda: asyncio.run(once()))


@contextmanager
def working(folder: Path) -> Iterator[Working]:
    """Run it until the block ends. Sandboxes have no key, so their leg fails at once and costs no time."""
    (var := folder / "vendors").mkdir()
    with run_cloud(var) as cloud:
        vendors = vendor_values(cloud) | {"E2B_API_KEY": ""}
        quick = {"MK0R_WORKER_INLINE": "true", "MK0R_JOB_POLL": "0.5", "MK0R_SWEEP_SECONDS": "100000"}
        with override_settings(**vendors), web(folder, **vendors, **quick) as site:
            yield Working(site, cloud)
