"""The dashboard: its figures are those of the rows, every one of them leads to a list, and no rows are no fault."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from gateway import meter
from gateway.models import ModelCall
from provisioning import services as provisioning
from provisioning.models import Alert, Resource, Stray, SweepRun, Vendor
from sessions_app.models import Session, Turn
from sessions_app.slugs import slug_for
from staff import charts
from staff.counts import failures, legs, sessions, trouble, turns, vendors
from staff.counts.spans import SPANS

pytestmark = pytest.mark.django_db(transaction=True)
HOUR, DAY, WEEK = SPANS
ERROR = {"reason": "rate_limited", "message": "Resend refused a key: too many requests (429). The app works."}


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> None:
    """Every vendor has a key; none is asked."""
    for name in ("NEON_API_KEY", "RESEND_API_KEY", "GITHUB_TOKEN", "E2B_API_KEY", "POSTHOG_PROJECT_KEY"):
        setattr(settings, name, "key")


def begun(ago: timedelta = timedelta(minutes=5), **took: float) -> Session:
    """A session begun that long ago whose legs took so many seconds each; those not named are still being made."""
    key = uuid.uuid4()
    at = timezone.now() - ago
    session = Session.objects.create(id=key, slug=slug_for(key), created_at=at, last_active_at=at)
    provisioning.plan(session)
    Resource.objects.filter(session=session).update(created_at=at, started_at=at)
    for row in Resource.objects.filter(session=session):
        if row.provider == "posthog":
            Resource.objects.filter(pk=row.pk).update(settled_at=at)
        elif row.provider in took:
            live(row, at, took[row.provider] / (2 if row.provider == "resend" else 1))
    return session


def live(row: Resource, at: datetime, seconds: float) -> None:
    Resource.objects.filter(pk=row.pk).update(
        state="ready", attempt=1, external_id=f"{row.kind}-{row.pk}", settled_at=at + timedelta(seconds=seconds)
    )


def fail(session: Session, kind: str, reason: str = "rate_limited") -> Resource:
    row = session.resources.get(kind=kind)
    now = timezone.now()
    Resource.objects.filter(pk=row.pk).update(state="failed", error=ERROR | {"reason": reason}, settled_at=now)
    return row


def links(page: str) -> list[str]:
    main = page[page.index("<main") : page.index("</main>")]
    return [html.unescape(found) for found in re.findall(r'href="([^"#][^"]*)"', main)]


def test_provisioning_is_counted_in_legs_of_the_sessions_begun_in_the_span() -> None:
    whole = {"github": 0.3, "resend": 0.4, "e2b": 1.0}
    for neon in (1.0, 2.0, 3.0, 9.0):
        begun(**whole, neon=neon)
    begun(**whole)  # Neon still being made
    fail(begun(**whole), "project")
    begun(timedelta(hours=30), **whole, neon=60.0)  # before the day began
    since = DAY.since()
    found, together = legs.legs_of(DAY, since)
    neon, resend = found["neon"], found["resend"]
    assert (neon.live, neon.failed, neon.begun, neon.success) == (4, 1, 6, 80.0)
    assert (neon.p50, neon.p95) == (pytest.approx(2000, abs=1), pytest.approx(9000, abs=1))
    assert [one for one in neon.p50s if one] == [pytest.approx(2000, abs=1)]
    assert neon.p50s[-1] is not None
    assert (resend.live, resend.begun) == (6, 6)  # two resources are one leg
    assert resend.p50 == pytest.approx(400, abs=1)
    assert (together.sessions, together.whole) == (6, 4)
    assert together.p50 == pytest.approx(2000, abs=1)
    assert together.sequence == pytest.approx(3700, abs=1)
    week, _ = legs.legs_of(WEEK, WEEK.since())
    assert week["neon"].live == 5


def test_what_was_revoked_or_lost_after_it_had_come_live_is_no_failure_to_make_it() -> None:
    whole = {"github": 0.3, "resend": 0.4, "e2b": 1.0, "neon": 2.0}
    for kind, reason in (("project", "revoked"), ("api_key", "lost"), ("sandbox", "sandbox_lost")):
        session = begun(timedelta(minutes=30), **whole)
        fail(session, kind, reason)
    begun(timedelta(minutes=30), **whole)
    found, together = legs.legs_of(HOUR, HOUR.since())
    for provider, usual in (("neon", 2000), ("resend", 400), ("e2b", 1000)):
        told = found[provider]
        assert (told.live, told.failed, told.success) == (4, 0, 100.0), provider
        assert (told.p50, told.p95) == (pytest.approx(usual, abs=1),) * 2, provider
    assert (together.sessions, together.whole) == (4, 4)
    assert together.p50 == pytest.approx(2000, abs=1)


def test_a_failure_is_remembered_over_a_retry_and_a_teardown() -> None:
    first, second, third = (begun(github=0.3, e2b=1.0, neon=2.0) for _ in range(3))
    healed = fail(first, "api_key", "no_answer")
    assert provisioning.retry(first, "resend")
    live(healed, timezone.now() + timedelta(seconds=1), 0.1)
    fail(second, "api_key")
    provisioning.request_teardown(second)
    fail(third, "project")
    since = HOUR.since()
    found = failures.failures_since(since)
    assert [(one.reason, one.count, one.healed, one.vendors) for one in found.reasons] == [
        ("rate_limited", 2, 0, {"Neon": 1, "Resend": 1}),
        ("no_answer", 1, 1, {"Resend": 1}),
    ]
    assert found.by_vendor == {"resend": 2, "neon": 1}
    resend = legs.legs_of(HOUR, since)[0]["resend"]
    assert (resend.live, resend.failed, resend.begun) == (0, 1, 3)  # the healed one's audience was never made
    healed.refresh_from_db()
    healed.failed_at = None
    healed.save()  # by somebody who had read it before it failed
    healed.refresh_from_db()
    assert healed.failed_at is not None


def test_sessions_are_building_asleep_or_idle_and_turns_run_or_wait() -> None:
    building, waiting, asleep, _, closed = (begun(e2b=1.0) for _ in range(5))
    long_ago = timezone.now() - timedelta(minutes=4)
    Turn.objects.create(session=building, number=1, prompt="x", state="running", started_at=long_ago)
    Turn.objects.create(session=waiting, number=1, prompt="x", state="queued")
    Turn.objects.create(session=asleep, number=1, prompt="x", state="done")
    for one in (building, asleep):  # one that builds is building, whatever its sandbox says
        one.resources.filter(provider="e2b").update(meta={"paused": True})
    Session.objects.filter(pk=closed.pk).update(state="closed")
    assert sessions.live() == sessions.Live(open=4, building=2, idle=1, asleep=1)
    assert turns.under_way() == turns.Turns(running=1, waiting=1, longest_since=long_ago)
    told = {session.slug: (seen.word, seen.turn) for session, seen in sessions.recent()}
    word, turn = told[building.slug]
    assert word == "Building"
    assert re.fullmatch(r"1 running, 4 min [0-5]\d s", turn)
    assert told[asleep.slug] == ("Asleep", "1 done")
    assert told[closed.slug] == ("Ended", "none")
    assert len(told) == 5


def test_what_needs_a_person_is_what_is_stuck_and_each_open_alert_once() -> None:
    session = begun()
    row = session.resources.get(kind="project")
    Resource.objects.filter(pk=row.pk).update(state="stuck", error=ERROR, delete_attempts=6)
    old = timezone.now() - timedelta(hours=3)
    Alert.objects.create(kind="resource_stuck", subject="neon/project/x", text="x", raised_at=old)
    Alert.objects.create(kind="key_refused", subject="resend", text="x")
    Alert.objects.create(kind="key_refused", subject="github", text="x", cleared_at=old)
    found = trouble.trouble()
    assert (found.stuck, found.count, found.oldest) == (1, 2, old)
    assert found.others == [("key_refused", 1, "key refused")]
    assert [one.pk for one in trouble.stuck()] == [row.pk]


def test_each_vendor_is_told_as_it_stands(settings: Any) -> None:
    settings.GITHUB_TOKEN = ""
    soon = timezone.now() + timedelta(minutes=1)
    Vendor.objects.create(provider="neon", paused_until=soon, pauses=1)
    Vendor.objects.create(provider="resend", refusals=3, probe_at=soon)
    Vendor.objects.create(provider="e2b", stopped=True, paused_until=soon)
    told = {provider: (one.words, one.well) for provider, one in vendors.conditions().items()}
    assert told == {
        "posthog": ("Computed here", True),
        "github": ("No key", False),
        "resend": ("Refuses our key", False),
        "e2b": ("Stopped by staff", False),
        "neon": ("Slow", False),
    }
    Vendor.objects.filter(provider="neon").update(paused_until=timezone.now())
    assert vendors.conditions()["neon"].words == "Answering"


def test_every_figure_leads_to_a_list_that_shows_its_rows(signed_in: Callable[[str], Client], settings: Any) -> None:
    settings.MK0R_DAILY_USD = 10.0
    session = begun(github=0.3, resend=0.4, e2b=1.0, neon=2.0)
    session.resources.filter(provider="e2b").update(meta={"paused": True})
    turn = Turn.objects.create(session=begun(), number=1, prompt="x", state="running", started_at=timezone.now())
    ModelCall.objects.create(session=turn.session, turn=turn, model="m", status=200, cost_usd="2.50")
    ModelCall.objects.create(
        session=session, model="m", status=200, cost_usd="9", started_at=meter.today() - timedelta(seconds=1)
    )
    fail(begun(), "repository")
    stuck = begun().resources.get(kind="project")
    Resource.objects.filter(pk=stuck.pk).update(state="stuck", error=ERROR, delete_attempts=6)
    Alert.objects.create(kind="resource_stuck", subject="x", text="x")
    Alert.objects.create(kind="sweep_asks", subject="neon", text="x")
    Vendor.objects.create(provider="neon", stopped=True)
    now = timezone.now()
    SweepRun.objects.create(ended_at=now, state="done", report={"neon": {"listed": 3, "owned": 2, "unknown": 1}})
    Stray.objects.create(provider="neon", kind="project", external_id="x", name="mk0r-x", first_seen=now, last_seen=now)
    client = signed_in("viewer")
    page = client.get("/admin/?range=1h").text
    assert "$2.50" in page
    assert "of $10.00" in page
    assert 'width="25.0%"' in page
    assert "Neon</b>: stopped by staff" in page
    found = [link for link in links(page) if link.startswith("/")]
    for link in sorted(set(found)):
        assert client.get(link, follow=True).status_code == 200, link
        assert "e=1" not in client.get(link).headers.get("location", ""), link
    figures = re.findall(r'<a [^>]*?href="([^"]+)"[^>]*>([\d,]+)', page)
    told = {html.unescape(link): figure for link, figure in figures}
    for rows, count in (
        ("session/?state__exact=open", 4),
        ("session/?doing=asleep", 1),
        ("session/?doing=building", 1),
        ("session/?doing=idle", 2),
        ("session/?created_at__gte=", 4),
        ("turn/?state__exact=running", 1),
        ("alert/?cleared_at__isnull=True", 2),
        ("alert/?kind__exact=sweep_asks&cleared_at__isnull=True", 1),
        ("resource/?state__exact=stuck", 1),
        ("stray/?provider__exact=neon&cleared_at__isnull=True&deleted_at__isnull=True", 1),
    ):
        link = next(one for one in told if rows in one)
        assert told[link] == str(count), link
        assert client.get(link).context["cl"].queryset.count() == count, link
    why = next(one for one in found if "failed_reason__exact=rate_limited" in one)
    assert [row.provider for row in client.get(why).context["cl"].queryset] == ["github"]


def test_what_needs_a_person_leads_to_where_it_can_be_acted_on(signed_in: Callable[[str], Client]) -> None:
    SweepRun.objects.create(ended_at=timezone.now(), state="asking", reason="neon: too many", report={"neon": {}})
    stuck = begun().resources.get(kind="project")
    Resource.objects.filter(pk=stuck.pk).update(state="stuck", error=ERROR, delete_attempts=6)
    for kind, subject in (
        ("resource_stuck", f"neon/project/{stuck.name}"), ("sweep_asks", "neon"), ("key_refused", "github"),
    ):  # fmt: skip
        Alert.objects.create(kind=kind, subject=subject, text="x")
    over = Alert.objects.create(kind="key_refused", subject="e2b", text="x", cleared_at=timezone.now())
    client = signed_in("viewer")
    page = client.get("/admin/").text
    assert re.search(r'The sweep asks: <a href="/admin/orphans/">neon: too many</a>', page)
    listed = client.get("/admin/provisioning/alert/").text
    leads = dict(re.findall(r'href="([^"]+)">([^<]+)</a></th>', listed))
    assert set(leads) == {
        f"/admin/provisioning/resource/?state__exact=stuck&amp;q={stuck.name}", "/admin/orphans/", "/admin/vendors/",
        f"/admin/provisioning/alert/{over.pk}/change/",
    }  # fmt: skip
    found = client.get(html.unescape(next(one for one in leads if "stuck" in one))).context["cl"].result_list
    assert [one.pk for one in found] == [stuck.pk]


def test_a_page_without_rows_and_one_without_rights_say_so(signed_in: Callable[[str], Client]) -> None:
    page = signed_in("viewer").get("/admin/?range=nonsense")
    assert page.status_code == 200
    for words in ("No leg failed", "Nothing is stuck", "No sweep yet", "No session yet", "no cap", "24 hours"):
        assert words in page.text
    outsider = Client()
    outsider.force_login(User.objects.create_user("mallory", is_staff=True))
    page = outsider.get("/admin/")
    assert "Nothing to show to this account" in page.text
    assert "Sessions live" not in page.text
    assert Client().get("/admin/").status_code == 302


def test_the_pages_of_django_wear_our_clothes_and_break_no_policy(signed_in: Callable[[str], Client]) -> None:
    session = begun()
    client = signed_in("admin")
    for address in (
        "/admin/login/", "/admin/password_change/", "/admin/sessions_app/session/", "/admin/staff/entry/",
        f"/admin/provisioning/resource/{session.resources.first().pk}/change/", "/admin/auth/user/add/",
        "/admin/sessions_app/",
    ):  # fmt: skip
        page = (Client() if "login" in address else client).get(address)
        assert page.status_code == 200, address
        assert "staff/staff.css" in page.text
        assert "<style" not in page.text
        assert ' style="' not in page.text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page.text), address


def test_a_line_breaks_where_nothing_was_measured_and_a_lonely_step_is_a_dot() -> None:
    assert charts.sparkline([None, None], 1.0) == ""
    path = charts.sparkline([0.0, 10.0, None, 5.0], 10.0)
    assert path.count("M") == 2
    assert path.endswith("h0")
    assert "M3.0 25.0L49.0 3.0" in path
    assert charts.share(0, 5) == "0"
    assert charts.share(1, 1000) == "1.0"
