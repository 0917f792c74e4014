"""An order is checked, written down, carried out errand by errand and followed to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from sessions_app.models import Session
from sessions_app.worker import worker_app
from staff import undertakings
from staff.actors import Actor
from staff.models import Entry, Undertaking
from staff.powers import POWERS
from staff.refusals import NotAllowed, Refused
from tests.fixtures.cloud import CloudUnderTest
from tests.staff.conftest import begun, carried_out, errands

pytestmark = pytest.mark.django_db(transaction=True)
db = database_sync_to_async
# What every query meets while Postgres is stopped to be started anew.
_SHUT_DOWN = """
CREATE FUNCTION shut_down() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'terminating connection due to administrator command' USING ERRCODE = 'admin_shutdown'; END $$;
CREATE TRIGGER shut_down BEFORE UPDATE ON staff_errand EXECUTE FUNCTION shut_down();
"""
_UP_AGAIN = "DROP TRIGGER IF EXISTS shut_down ON staff_errand; DROP FUNCTION IF EXISTS shut_down();"


async def test_an_ordered_teardown_ends_with_the_receipt_of_each_session(
    live: Session, vendor_settings: CloudUnderTest, actor: Callable[[str], Actor]
) -> None:
    other = await begun()
    sam = await db(actor)("operator")
    keys = [str(live.pk), str(other.pk)]
    made = await db(undertakings.begin)(sam, POWERS["teardown"], keys, reason="spam")
    made = await carried_out(made, live, other)
    assert made.finished_at is not None
    found = await db(errands)(made)
    assert {one["state"] for one in found} == {"done"}
    assert {one["link"] for one in found} == {f"/s/{one.slug}/receipt" for one in (live, other)}
    for session in (live, other):
        assert not vendor_settings.live(name=f"mk0r-{session.slug}")
    logged = [one async for one in Entry.objects.order_by("id").values("who", "where", "action", "session", "reason")]
    told = {"who": "operator", "where": "192.0.2.7", "action": "teardown", "reason": "spam"}
    assert sorted(logged, key=lambda one: one["session"]) == sorted(
        ({**told, "session": one.slug} for one in (live, other)), key=lambda one: one["session"]
    )


async def test_a_repeated_order_does_nothing_more(live: Session, actor: Callable[[str], Actor]) -> None:
    sam = await db(actor)("operator")
    for state in ("done", "nothing"):
        made = await db(undertakings.begin)(sam, POWERS["teardown"], [str(live.pk)])
        made = await carried_out(made, live)
        assert [one["state"] for one in await db(errands)(made)] == [state]


async def test_an_order_whose_job_broke_is_gone_on_with(
    live: Session, actor: Callable[[str], Actor], postgres_away: Callable[[bool], None]
) -> None:
    sam = await db(actor)("operator")
    made = await db(undertakings.begin)(sam, POWERS["extend"], [str(live.pk)], options={"hours": "2"})
    await db(postgres_away)(True)
    await _work_off()
    assert [one["state"] for one in await db(errands)(made)] == ["waiting"]
    await db(postgres_away)(False)
    assert await ProcrastinateJob.objects.filter(lock=undertakings.lock_of(made.pk), status="todo").aexists()
    await db(_make_due)()
    await _work_off()
    await made.arefresh_from_db()
    assert made.finished_at is not None
    assert [one["state"] for one in await db(errands)(made)] == ["done"]


@pytest.fixture
def postgres_away(transactional_db: None) -> Iterator[Callable[[bool], None]]:
    """Has the database refuse what is written down of errands, or take it again."""

    def switch(away: bool) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_SHUT_DOWN if away else _UP_AGAIN)

    yield switch
    switch(False)


async def _work_off() -> None:
    """Run the jobs of orders that are due, as a worker does."""
    async with worker_app() as opened:
        await opened.run_worker_async(queues=[undertakings.QUEUE], wait=False, install_signal_handlers=False)


def _make_due() -> None:
    with connection.cursor() as cursor:  # the model refuses to be written
        cursor.execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")


def test_an_order_beyond_ones_rights_or_of_nothing_is_refused_and_leaves_no_trace(
    actor: Callable[[str], Actor],
) -> None:
    session = Session.objects.create(slug="a" * 12)
    with pytest.raises(NotAllowed):
        undertakings.begin(actor("viewer"), POWERS["teardown"], [str(session.pk)])
    sam = actor("operator")
    for keys in ([], ["no-such-key"], ["00000000-0000-0000-0000-000000000000"]):
        with pytest.raises(Refused):
            undertakings.begin(sam, POWERS["teardown"], keys)
    with pytest.raises(Refused):
        undertakings.begin(sam, POWERS["extend"], [str(session.pk)], options={"hours": "1e9"})
    assert not Entry.objects.exists()
    assert not Undertaking.objects.exists()


def test_the_page_that_asks_lists_what_is_destroyed_and_a_crafted_post_is_refused(
    signed_in: Callable[[str], Client],
) -> None:
    from provisioning import services as provisioning

    session = Session.objects.create(slug="b" * 12)
    provisioning.plan(session)
    address = reverse("admin:order", args=["teardown"])
    operator, viewer = signed_in("operator"), signed_in("viewer")
    asked = operator.post(address, {"key": str(session.pk)})
    assert asked.status_code == 200
    for vendor in ("Neon project", "GitHub repository", "Resend audience", "E2B sandbox"):
        assert vendor in asked.text
    form: dict[str, Any] = {"key": str(session.pk), "confirmed": "yes"}
    assert viewer.post(address, form).status_code == 403
    assert Client().post(address, form).status_code == 302  # to the door
    assert not Undertaking.objects.exists()
    assert operator.head(address).status_code == 405
    assert operator.post(address, form, follow=True).status_code == 200
    assert Undertaking.objects.get().errands.get().label == session.slug


def test_the_audit_log_is_only_ever_added_to(actor: Callable[[str], Actor]) -> None:
    entry = Entry.objects.create(who="sam", where="shell", action="teardown")
    for change in (lambda: Entry.objects.update(who="ben"), lambda: Entry.objects.filter(pk=entry.pk).delete()):
        with pytest.raises(DatabaseError, match="only ever added to"):
            change()
