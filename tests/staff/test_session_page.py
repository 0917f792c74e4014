"""A session's page: what it owns and what happened in it, orders for those who may, and no value of a credential."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from provisioning.models import Credential, Resource
from sessions_app import events, services
from sessions_app.models import Session, Turn, Version
from staff.models import Entry, Undertaking
from staff.pages.timeline import PAGE, gist
from staff.pages.waterfall import waterfall
from tests.staff.rows import new_session, plenty, queries, read_whole, sealed

pytestmark = pytest.mark.django_db(transaction=True)
db = database_sync_to_async


def page_of(session: Session) -> str:
    return reverse("admin:session", args=[session.slug])


async def test_a_live_session_shows_its_legs_its_keys_as_dots_and_the_way_to_each_vendor(
    live: Session, signed_in: Callable[[str], Client], settings: Any
) -> None:
    assert settings.NEON_CONSOLE_URL.startswith("http://localhost:")  # the stand-in's own page
    values = [one.reveal().expose() async for one in Credential.objects.filter(resource__session=live)]
    for group in ("viewer", "superuser"):
        client = await db(signed_in)(group)
        answer = await db(client.get)(page_of(live))
        assert answer.status_code == 200
        shown = answer.text
        for row in [one async for one in Resource.objects.filter(session=live)]:
            assert row.name in shown
            assert row.external_id in shown
        for label in ("PostHog", "GitHub", "Resend", "E2B", "Neon", "All five live in", "NEON_ROLE_PASSWORD", "hidden"):
            assert label in shown, label
        repository = await Resource.objects.aget(session=live, provider="github")
        assert f'href="{repository.url}"' in shown
        project = (await Resource.objects.aget(session=live, provider="neon")).external_id
        assert f'href="{settings.NEON_CONSOLE_URL}/{project}"' in shown
        assert values
        assert not [value for value in values if len(value) >= 8 and value in shown]
        drawn = re.findall(r'<rect class="bar(?:-next)?" x="([\d.]+)%" y="0" width="([\d.]+)%"', shown)
        assert len(drawn) == 6  # two steps of one leg
        assert all(float(x) + float(width) <= 101 for x, width in drawn)
        assert "<style" not in shown
        assert " style=" not in shown


def test_orders_are_offered_to_those_who_may_as_far_as_there_is_something_to_order(
    signed_in: Callable[[str], Client],
) -> None:
    session = new_session()
    clients = {group: signed_in(group) for group in ("viewer", "operator")}
    ordered = {
        group: set(re.findall(r"/admin/orders/(\w+)/", client.get(page_of(session)).text))
        for group, client in clients.items()
    }
    assert ordered["viewer"] == set()
    assert {"teardown", "extend"} <= ordered["operator"]
    asked = clients["operator"].post(reverse("admin:order", args=["teardown"]), {"key": str(session.pk)})
    assert f"mk0r-{session.slug}" in asked.text
    assert not Undertaking.objects.exists()
    services.session_end(session)
    Session.objects.filter(pk=session.pk).update(state="closed", ended_at=timezone.now())
    after = clients["operator"].get(page_of(session)).text
    assert "/admin/orders/teardown/" not in after
    assert reverse("receipt", args=[session.slug]) in after
    assert "Ended" in after


def test_what_a_visitor_or_a_vendor_wrote_cannot_become_part_of_the_page(signed_in: Callable[[str], Client]) -> None:
    session = new_session(title="<script>alert(1)</script>")
    held = sealed(session, "canary/canary+canary")
    Turn.objects.create(session=session, number=1, prompt="<img src=x> canary/canary+canary", state="done", summary="x")
    events.append(session.pk, "notice", {"level": "error", "text": "<b>canary/canary+canary</b>"})
    error = {"reason": "refused", "message": "<i>no</i>", "reference": "3fa1"}
    rows = Resource.objects.filter(session=session)
    rows.filter(provider="neon").update(state="ready", external_id="x", url="javascript:alert(1)")
    rows.filter(provider="github").update(state="failed", error=error)
    Entry.objects.create(who="sam", where="192.0.2.1", action="extend", session=session.slug, reason="<u>why</u>")
    viewer = signed_in("viewer")
    for page in (page_of(session), reverse("admin:sessions_app_session_changelist")):
        shown = viewer.get(page).text
        for raw in ("<script>alert", "<img src=x", "<b>canary", "<i>no", "<u>why", "javascript:", "canary/canary"):
            assert raw not in shown, (page, raw)
        assert held.ciphertext not in shown
    shown = viewer.get(page_of(session)).text
    for told in ("&lt;i&gt;no", "ref 3fa1", "192.0.2.1", "&lt;u&gt;why", "•••"):
        assert told in shown, told


def test_the_log_is_read_a_hundred_lines_at_a_time_from_the_newest_on(signed_in: Callable[[str], Client]) -> None:
    plenty(1, 250)
    session, viewer = Session.objects.get(), signed_in("viewer")
    seen: list[int] = []
    address = page_of(session)
    while True:
        log = viewer.get(address).context["log"]
        seen += [line.seq for line in log.lines]
        if log.before is None:
            break
        address = f"{page_of(session)}?before={log.before}"
    assert seen == list(range(250, 0, -1))
    assert len(viewer.get(page_of(session)).context["log"].lines) == PAGE
    for before in ("1", "0", "x", "-5", "9" * 30, "²"):
        assert viewer.get(page_of(session), {"before": before}).status_code == 200


@pytest.mark.slow
def test_the_page_costs_the_same_however_much_happened_and_reads_only_its_own_part_of_the_log(
    signed_in: Callable[[str], Client],
) -> None:
    viewer, small = signed_in("viewer"), new_session()
    viewer.get(page_of(small))
    few = len(queries(viewer, page_of(small)))
    plenty(5_000, 40)
    big = Session.objects.exclude(pk=small.pk).order_by("created_at")[100]
    for number in range(60):
        turn = Turn.objects.create(session=big, number=number + 3, prompt="more", state="done", cost_usd=Decimal("0.1"))
        Version.objects.create(session=big, number=number + 1, sha=f"{number:040x}", tree="0", message="m", turn=turn)
        Entry.objects.create(who="sam", where="shell", action="extend", session=big.slug)
    sealed(big)
    for page in (page_of(big), f"{page_of(big)}?before=20"):
        asked = queries(viewer, page)
        assert len(asked) == few
        for sql in asked:
            assert not read_whole(sql) & {"sessions_app_event", "provisioning_resource", "sessions_app_turn"}, sql
    context = viewer.get(page_of(big)).context
    assert len(context["turns"]) == len(context["versions"]) == len(context["entries"]) == 50


def test_strangers_to_a_session_or_to_sessions_get_no_page(signed_in: Callable[[str], Client]) -> None:
    session = new_session()
    assert signed_in("viewer").get(reverse("admin:session", args=["nothere"])).status_code == 404
    assert Client().get(page_of(session)).status_code == 302
    opened = signed_in("operator").get(reverse("admin:sessions_app_session_change", args=[session.pk]))
    assert (opened.status_code, opened["Location"]) == (302, page_of(session))


def test_a_leg_tried_again_later_and_one_under_way_are_drawn_on_the_same_ruler(transactional_db: None) -> None:
    session = new_session(created_at=timezone.now() - timedelta(minutes=30))
    began, rows = session.created_at, Resource.objects.filter(session=session)
    second = timedelta(seconds=1)
    rows.filter(provider="github").update(state="ready", external_id="r", started_at=began, settled_at=began + second)
    late = began + timedelta(minutes=5)
    rows.filter(provider="neon").update(state="ready", external_id="p", started_at=late, settled_at=late + 3 * second)
    Resource.objects.filter(session=session, provider="posthog").update(started_at=began, settled_at=began)
    fall = waterfall(began, rows.order_by("id"))
    drawn = {row.leg.provider: row for row in fall.rows}
    assert [row.leg.provider for row in fall.rows] == ["posthog", "github", "resend", "e2b", "neon"]
    assert (drawn["github"].took, drawn["neon"].took, drawn["resend"].took) == ("1.0 s", "3.0 s", "")
    assert "5 min 00 s later" in drawn["neon"].note
    assert drawn["neon"].bars[0].x == "0.00%"
    assert fall.total == "4.0 s"
    assert fall.saved == "1.0 s"
    now = timezone.now()
    rows.filter(provider="e2b").update(state="creating", attempt=1, started_at=now - second, settled_at=None)
    moving = next(row for row in waterfall(now - 2 * second, rows.order_by("id")).rows if row.leg.provider == "e2b")
    assert moving.bars[0].tone == "bar-moving"
    assert not [row for row in waterfall(began, []).rows if row.bars]


@pytest.mark.parametrize("event_type", sorted(events.TYPES))
def test_every_type_of_event_has_a_line_even_where_fields_are_missing(event_type: str) -> None:
    full: dict[str, Any] = {
        "provider": "neon", "kind": "project", "name": "n", "state": "failed", "elapsed_ms": 4200, "turn": 2,
        "ok": True, "error": {"message": "Neon refused."}, "names": ["A", "B"], "url": "http://x", "prompt": "a\nb",
        "text": "t" * 999, "output": "o", "number": 3, "sha": "c0ffee00", "message": "m", "duration_ms": 61_000,
        "cost_usd": 0.5, "summary": "s", "level": "info", "id": "1",
    }  # fmt: skip
    assert "\n" not in gist(event_type, full)
    assert len(gist(event_type, full)) <= 160
    assert isinstance(gist(event_type, {}), str)


def test_the_life_of_what_was_lost_later_counts_as_no_time_of_its_making(signed_in: Callable[[str], Client]) -> None:
    session, second = new_session(), timedelta(seconds=1)
    began, rows = timezone.now() - timedelta(minutes=30), Resource.objects.filter(session=session)
    Session.objects.filter(pk=session.pk).update(created_at=began)
    error = {"reason": "revoked", "message": "The credentials were revoked.", "reference": "3fa1"}
    whole = {"attempt": 1, "external_id": "x", "started_at": began, "settled_at": began + second}
    rows.exclude(provider="posthog").update(state="ready", **whole)
    rows.filter(provider="neon").update(state="failed", error=error, settled_at=began + timedelta(minutes=23))
    lost = rows.get(provider="neon")
    assert lost.failed_reason == "revoked"
    fall = waterfall(began, rows.order_by("id"))
    leg = next(row for row in fall.rows if row.leg.provider == "neon")
    assert (leg.took, leg.note) == ("", "Was live, and failed 23 min after it was begun.")
    assert fall.total == "3.0 s"
    viewer = signed_in("viewer")
    for page in (page_of(session), reverse("admin:provisioning_resource_changelist")):
        shown = viewer.get(page).text
        assert "1.0 s" in shown, page
        assert "23 min 00 s" not in shown, page


def test_a_second_step_tried_again_later_is_drawn_without_the_time_between(transactional_db: None) -> None:
    session, second = new_session(), timedelta(seconds=1)
    began, rows = timezone.now() - timedelta(minutes=30), Resource.objects.filter(session=session)
    Resource.objects.filter(session=session, provider="posthog").update(started_at=began, settled_at=began)
    first = {"started_at": began, "settled_at": began + second, "state": "ready", "attempt": 1, "external_id": "x"}
    rows.filter(kind="audience").update(**first)
    late = began + timedelta(minutes=26)
    rows.filter(kind="api_key").update(**first | {"started_at": late, "settled_at": late + 2 * second})
    fall = waterfall(began, rows.order_by("id"))
    leg = next(row for row in fall.rows if row.leg.provider == "resend")
    assert (leg.took, leg.note) == ("3.0 s", "Gone on with 25 min 59 s later, and drawn without that time.")
    assert fall.total == "3.0 s"
