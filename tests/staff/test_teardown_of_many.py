"""Two hundred sessions chosen in the list end as jobs, each with its receipt, while a vendor fails half its deletes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mk0r.working import workers
from provisioning import http
from provisioning.models import Resource
from provisioning.providers.base import Order
from provisioning.providers.registry import step_for
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from staff.models import Entry, Undertaking
from tests.fixtures.cloud import CloudUnderTest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long, pytest.mark.timeout(900)]
db = database_sync_to_async

MANY, MAKING_AT_ONCE = 200, 8
EACH = (("github", "repository"), ("resend", "audience"))
SOME = ("neon", "project")  # every tenth has one: a database takes longest to make
FAULT = {"vendor": "github", "operation": "delete_repository", "fault": "status:500", "probability": 0.5}


@db
def _begun() -> list[Session]:
    ids = [uuid.uuid4() for _ in range(MANY)]
    return list(Session.objects.bulk_create(Session(id=one, slug=slug_for(one)) for one in ids))


@pytest.fixture
async def sessions_of_many(vendor_settings: CloudUnderTest, transactional_db: None) -> AsyncIterator[list[Session]]:
    """Open sessions that own real things at vendors; the rows are written as a leg leaves them."""
    made = await _begun()
    places = asyncio.Semaphore(MAKING_AT_ONCE)

    async def thing(session: Session, provider: str, kind: str) -> Resource:
        name, now = f"mk0r-{session.slug}", timezone.now()
        async with places:
            its = await step_for(provider, kind).create(Order(session.slug, name, 1, now, session.expires_at))
        return Resource(
            session=session, provider=provider, kind=kind, name=name, state="ready", attempt=1, settled_at=now,
            external_id=its.external_id, meta=dict(its.meta),
        )  # fmt: skip

    wanted = [(session, *which) for session in made for which in EACH]
    wanted += [(session, *SOME) for session in made[::10]]
    await Resource.objects.abulk_create(await asyncio.gather(*(thing(*one) for one in wanted)))
    yield made
    await http.close_clients()


def ask(operator: Client, chosen: list[Session]) -> Any:
    address = reverse("admin:sessions_app_session_changelist")
    return operator.post(address, {"action": "order_teardown", "_selected_action": [str(one.pk) for one in chosen]})


async def test_two_hundred_chosen_sessions_end_with_the_receipt_of_each_while_a_vendor_fails_half_its_deletes(
    sessions_of_many: list[Session],
    vendor_settings: CloudUnderTest,
    signed_in: Callable[[str], Client],
    settings: Any,
) -> None:
    settings.MK0R_JOB_POLL = 0.5
    operator = await db(signed_in)("operator")
    asked = await db(ask)(operator, sessions_of_many)
    at_vendors = [(MANY, "repositories", "GitHub"), (MANY, "audiences", "Resend"), (MANY // 10, "projects", "Neon")]
    assert sorted(asked.context["tally"], reverse=True) == sorted(at_vendors, reverse=True)
    assert f"Type {MANY} to confirm" in asked.text
    form = {"keys": asked.context["keys"], "reason": "spam", "confirmed": "yes"}
    address = reverse("admin:order", args=["teardown"])
    assert (await db(operator.post)(address, {**form, "typed": "2"})).status_code == 400
    assert not await Undertaking.objects.aexists()

    vendor_settings.set_faults([FAULT])
    answer = await db(operator.post)(address, {**form, "typed": str(MANY)})
    assert answer.status_code == 302
    assert (await db(operator.get)(answer.url)).status_code == 200
    seen: set[int] = set()
    async with workers(), asyncio.timeout(800):
        finished = None
        while finished is None:
            told = (await db(operator.get)(f"{answer.url}state")).json()
            finished = told["finished"]
            seen.add(told["tally"]["done"])
            await asyncio.sleep(1)

    assert len(seen) > 2, f"progress was seen at {sorted(seen)} alone"
    assert told["tally"] == {"waiting": 0, "working": 0, "done": MANY, "nothing": 0, "failed": 0}
    assert {one["link"] for one in told["errands"]} == {f"/s/{one.slug}/receipt" for one in sessions_of_many}
    assert not await Resource.objects.filter(verified_at=None).aexists()  # each is proved gone
    for one in told["errands"][::10]:
        assert "Everything is gone" in (await db(operator.get)(one["link"])).text
    slugs = {f"mk0r-{one.slug}" for one in sessions_of_many}
    assert not [thing for thing in vendor_settings.live() if thing["name"] in slugs]
    assert await Resource.objects.filter(provider="github", delete_attempts__gt=0).aexists()  # it did fail
    assert await Entry.objects.filter(action="teardown", who="operator", reason="spam").acount() == MANY
