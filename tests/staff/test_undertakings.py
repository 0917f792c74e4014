"""An order is checked, written down, carried out errand by errand and followed to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse

from sessions_app.models import Session
from staff import undertakings
from staff.actors import Actor
from staff.models import Entry, Undertaking
from staff.powers import POWERS
from staff.refusals import NotAllowed, Refused
from tests.fixtures.cloud import CloudUnderTest
from tests.staff.conftest import begun, carried_out, errands

pytestmark = pytest.mark.django_db(transaction=True)
db = database_sync_to_async


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
    assert operator.get(address).status_code == 405
    assert operator.post(address, form, follow=True).status_code == 200
    assert Undertaking.objects.get().errands.get().label == session.slug


def test_the_audit_log_is_only_ever_added_to(actor: Callable[[str], Actor]) -> None:
    entry = Entry.objects.create(who="sam", where="shell", action="teardown")
    for change in (lambda: Entry.objects.update(who="ben"), lambda: Entry.objects.filter(pk=entry.pk).delete()):
        with pytest.raises(DatabaseError, match="only ever added to"):
            change()
