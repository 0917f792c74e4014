"""The life of sessions' resources as a state machine: what visitors, vendors, dead processes and time do, in any order.

One machine owns an event loop, up to three sessions, and the faults in force at localcloud. After each step it reads
rows and localcloud's ledger and holds the invariants; at its end the vendors behave, everything is ended, and nothing
of ours may be left.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import uuid
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any

import httpx
from django.conf import settings as product
from django.db import transaction
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from provisioning import faults, http, ledger, services, signals, work
from provisioning.exceptions import VendorError
from provisioning.models import Resource
from provisioning.providers.base import Made
from provisioning.providers.registry import step_for
from provisioning.secrets import Secret
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from tests.fixtures.cloud import CloudUnderTest
from tests.provisioning import life_audit
from tests.provisioning.waiting import converge_elsewhere

SESSIONS = 3
ROUNDS = 12  # of converging until everything is gone, once the vendors behave
# What a row waits for: its next try, and that nothing can come any more of a request that was left behind.
DATES = [field.name for field in Resource._meta.fields if field.name in {"next_at", "doubt_until"}]
VENDORS = ("github", "resend", "neon")
KINDS = [("github", "repository"), ("resend", "audience"), ("resend", "api_key"), ("neon", "project")]
SECRETS = {"project": {"DATABASE_URL", "NEON_ROLE_PASSWORD"}, "api_key": {"RESEND_API_KEY"}}
OPERATIONS = {
    "github": ["create_repository", "get_repository", "delete_repository", "set_actions_permissions", "*"],
    "resend": ["create_audience", "create_api_key", "list_audiences", "list_api_keys", "get_audience",
               "delete_audience", "delete_api_key", "*"],
    "neon": ["create_project", "list_projects", "list_operations", "get_project", "delete_project", "*"],
}  # fmt: skip
MISBEHAVIOUR = [
    *(f"status:{code}" for code in (200, 302, 400, 401, 404, 408, 422, 423, 429, 500, 502, 503)),
    "reset_before", "reset_after", "garbage", "truncate",
]  # fmt: skip
POINTS = [*faults.CREATE_POINTS, *faults.DELETE_POINTS]

vendors = st.sampled_from(VENDORS)
trouble = vendors.flatmap(
    lambda vendor: st.fixed_dictionaries(
        {
            "vendor": st.just(vendor),
            "operation": st.sampled_from(OPERATIONS[vendor]),
            "fault": st.sampled_from(MISBEHAVIOUR),
        }
    )
)


class LifeCycle(RuleBasedStateMachine):
    """Everything that may happen to the resources of up to three sessions. `cloud` is set by a subclass."""

    cloud: CloudUnderTest
    sessions = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.operator = httpx.Client(
            base_url=f"{self.cloud.base_url}/_cloud/",
            headers={"Authorization": f"Bearer {self.cloud.info['operator_key']}"},
            timeout=60,
        )
        self.begun: list[Session] = []
        self.ended: set[uuid.UUID] = set()
        self.lost: set[int] = set()  # rows whose thing the vendor lost
        self.faults: list[dict[str, Any]] = []
        self.seen = life_audit.check(0)
        self._put_faults([])

    def _put_faults(self, rules: list[dict[str, Any]]) -> None:
        self.operator.put("faults", json=rules).raise_for_status()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    # What visitors do

    @precondition(lambda self: len(self.begun) < SESSIONS)
    @rule(target=sessions)
    def begin(self) -> Session:
        session_id = uuid.uuid4()
        with transaction.atomic():
            session = Session.objects.create(id=session_id, slug=slug_for(session_id))
            services.plan(session)
        self.begun.append(session)
        return session

    @rule(session=sessions)
    def converge(self, session: Session) -> None:
        self.run(services.converge(session.pk))
        self._rests(session)

    @rule(session=sessions)
    def two_converge_at_once(self, session: Session) -> None:
        async def both() -> None:
            await asyncio.gather(services.converge(session.pk), converge_elsewhere(session.pk))

        self.run(both())
        self._rests(session)

    @rule(session=sessions, provider=vendors)
    def retry(self, session: Session, provider: str) -> None:
        if session.pk not in self.ended:
            services.retry(session, provider)

    @rule(session=sessions)
    def end(self, session: Session) -> None:
        services.request_teardown(session)
        self.ended.add(session.pk)

    @rule(session=sessions, after=st.integers(1, 8))
    def end_while_it_is_made(self, session: Session, after: int) -> None:
        with self._at_announcement(session, after, lambda: self.end_now(session)):
            self.run(services.converge(session.pk))
        services.request_teardown(session)
        self.ended.add(session.pk)

    def end_now(self, session: Session) -> None:
        """Ask for the teardown from inside the loop, while legs are under way."""
        from channels.db import database_sync_to_async

        self.others.append(self.loop.create_task(database_sync_to_async(services.request_teardown)(session)))

    # What processes do

    @rule(session=sessions, provider=st.sampled_from([*VENDORS, "*"]), point=st.sampled_from(POINTS))
    def die_at(self, session: Session, provider: str, point: str) -> None:
        faults.arm(f"{provider}.{point}=cut")
        try:
            self.run(services.converge(session.pk))
        except BaseExceptionGroup as group:
            _, others = group.split(faults.Cut)
            if others is not None:
                raise
        finally:
            faults.arm("")

    @rule(session=sessions, after=st.integers(1, 12))
    def die_after_announcements(self, session: Session, after: int) -> None:
        async def dying() -> None:
            task = asyncio.ensure_future(services.converge(session.pk))
            with self._at_announcement(session, after, task.cancel):
                await asyncio.wait({task})
            if not task.cancelled():
                task.result()

        self.run(dying())

    @rule(session=sessions, kind=st.sampled_from(KINDS))
    def an_older_attempt_comes_late(self, session: Session, kind: tuple[str, str]) -> None:
        """i3: whatever it writes, nothing changes."""
        row = self._row(session, *kind)
        if row.attempt == 0:
            return
        late, before = ledger.row(row.pk), Resource.objects.filter(pk=row.pk).values().get()
        late.attempt -= 1
        made = Made("late/late", "http://late", {"late": True}, {"LATE": Secret("late-secret")})
        wrote = [ledger.keep(late, made), ledger.ready(late), ledger.doubt(late), ledger.replan(late)]
        wrote.append(ledger.fail(late, {"reason": "internal", "message": "late"}))
        assert not any(wrote), f"i3: a late attempt wrote {wrote}"
        assert Resource.objects.filter(pk=row.pk).values().get() == before
        assert not row.credentials.filter(name="LATE").exists()

    # What vendors do

    @rule(fault=trouble)
    def misbehave(self, fault: dict[str, Any]) -> None:
        self.faults = [*self.faults[-1:], fault]
        self._put_faults(self.faults)

    @rule()
    def behave(self) -> None:
        self.faults = []
        self._put_faults([])

    @rule(session=sessions, vendor=vendors, patience=st.sampled_from([0.3, 5.0]))
    def answer_late(self, session: Session, vendor: str, patience: float) -> None:
        """Creates take longer than the leg's deadline; with little patience the leg is given up meanwhile."""
        operation = {"github": "create_repository", "resend": "create_audience", "neon": "create_project"}[vendor]
        slow = {"vendor": vendor, "operation": operation, "fault": "latency", "seconds": 0.9}
        self._put_faults([*self.faults, slow])
        usual = work.LATE, product.LEG_DEADLINES
        work.LATE, product.LEG_DEADLINES = patience, {vendor: 0.3}
        try:
            self.run(services.converge(session.pk))
        finally:
            work.LATE, product.LEG_DEADLINES = usual
            self._put_faults(self.faults)

    @rule(session=sessions, kind=st.sampled_from(KINDS))
    def lose(self, session: Session, kind: tuple[str, str]) -> None:
        row = self._row(session, *kind)
        if not row.external_id or row.state == "gone":
            return
        with contextlib.suppress(VendorError):
            self.run(step_for(*kind).destroy(Made(row.external_id, meta=row.meta)))
            self.lost.add(row.pk)

    # What time does

    @rule(session=sessions)
    def the_next_try_is_due(self, session: Session) -> None:
        self._due(session)

    def _due(self, session: Session) -> None:
        past = timezone.now() - timedelta(seconds=1)
        for name in DATES:
            Resource.objects.filter(session_id=session.pk, **{f"{name}__gt": past}).update(**{name: past})

    # What holds

    @invariant()
    def every_change_was_allowed(self) -> None:
        self.seen = life_audit.check(self.seen)

    @invariant()
    def rows_say_what_is_true(self) -> None:
        for row in Resource.objects.filter(session__in=self.begun).prefetch_related("credentials"):
            held = {one.name: one for one in row.credentials.all()}
            wanted = SECRETS.get(row.kind, set())
            if row.state == "gone":
                assert row.verified_at, f"i7: {row} is gone without a proof"
                assert not any(one.ciphertext or one.fingerprint for one in held.values()), f"{row} kept a secret"
                continue
            if row.external_id:
                assert set(held) == wanted, f"i5: {row} has an id and holds {set(held)}"
            else:
                assert not held, f"i5: {row} has no id and holds {set(held)}"
            for one in held.values():
                assert one.reveal().expose()
                assert one.expires_at <= row.session.expires_at, f"i12: {one} outlives its session"

    @invariant()
    def what_exists_is_owned_and_exists_once(self) -> None:
        things: dict[tuple[str, str, str], list[str]] = {}
        for thing in self._live():
            name = thing["name"].rpartition("/")[2]
            things.setdefault((name, thing["vendor"], thing["kind"]), []).append(thing["id"])
        for row in Resource.objects.filter(session__in=self.begun).exclude(provider__in=["posthog", "e2b"]):
            there = things.pop((row.name, row.provider, row.kind), [])
            assert len(there) <= 1, f"i6: {row} exists {len(there)} times"
            assert not there or row.state != "gone", f"i7: {row} is gone and exists"
            assert not there or row.attempt, f"i1: {row} exists and was never attempted"
            if row.state == "ready" and row.pk not in self.lost:
                assert there, f"{row} is ready and does not exist"
                assert row.provider == "github" or there == [row.external_id], f"{row} names {row.external_id}"
        assert not things, f"i1: nobody owns {things}"

    def _rests(self, session: Session) -> None:
        """What is true when a `converge` that nothing disturbed has returned."""
        now = timezone.now()
        legs: dict[str, list[Resource]] = {}
        for row in Resource.objects.filter(session_id=session.pk).order_by("id"):
            legs.setdefault(row.provider, []).append(row)
        for rows in legs.values():
            if session.pk in self.ended:
                assert all(row.state == "gone" or (row.next_at and row.next_at > now) for row in rows), rows
                continue
            first = next((row for row in rows if row.state != "ready"), None)
            assert first is None or first.state == "failed", f"{first} is {first.state} and nobody works on it"
            assert first is None or first.error["reference"], f"{first} failed without a word"

    def teardown(self) -> None:
        try:
            self._put_faults([])
            for session in self.begun:
                self._end_well(session)
            self.seen = life_audit.check(self.seen)
            self.what_exists_is_owned_and_exists_once()
            assert not self._live(), "i7: something is left"
        finally:
            self.run(http.close_clients())
            self.loop.close()
            self.operator.close()

    def _end_well(self, session: Session) -> None:
        if session.pk not in self.ended:
            self._make_whole(session)
        self.end(session)
        for _ in range(ROUNDS):
            self._due(session)
            self.run(services.converge(session.pk))
            if not Resource.objects.filter(session_id=session.pk).exclude(state="gone").exists():
                return
        raise AssertionError(f"i7: {session} is not gone: {list(session.resources.values('kind', 'state', 'error'))}")

    def _make_whole(self, session: Session) -> None:
        """Vendors that behave, and a retry, bring every leg in, whatever happened before."""
        for provider in VENDORS:
            services.retry(session, provider)
        self._due(session)
        self.run(services.converge(session.pk))
        for row in session.resources.filter(provider__in=VENDORS):
            assert row.state == "ready", f"{row} is {row.state}: {row.error}"

    # How it is seen

    def _row(self, session: Session, provider: str, kind: str) -> Resource:
        return Resource.objects.select_related("session").get(session=session, provider=provider, kind=kind)

    def _live(self) -> list[dict[str, Any]]:
        mine = [session.slug for session in self.begun]
        there = self.operator.get("ledger").raise_for_status().json()
        return [one for one in there if not one["deleted_at"] and any(slug in one["name"] for slug in mine)]

    @contextlib.contextmanager
    def _at_announcement(self, session: Session, number: int, act: Any) -> Iterator[None]:
        """Do `act` in the loop when the session's change number `number` is announced."""
        left = [number]
        self.others: list[asyncio.Task[Any]] = []

        def count(sender: object, session_id: uuid.UUID, **_: Any) -> None:
            left[0] -= session_id == session.pk
            if left[0] == 0:
                left[0] = -1
                # not in this thread's context, which says that database code is running
                self.loop.call_soon_threadsafe(act, context=contextvars.Context())

        signals.resource_changed.connect(count)
        try:
            yield
        finally:
            signals.resource_changed.disconnect(count)
            if not self.loop.is_running():
                for task in self.others:
                    self.run(task)
