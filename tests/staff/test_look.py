"""The console in a browser: at a desk and on a phone, light and dark, nothing breaks the policy or scrolls sideways, an
automated check finds nothing serious, and the dashboard follows the ledger without taking the focus away.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, expect

from provisioning import services as provisioning
from provisioning.models import Alert, Resource, SweepRun, Vendor
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from tests.staff import scale
from tests.staff.browsing import Seat, key_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]


def _month() -> None:
    """A month with trouble in it."""
    scale.load(1500, 12)
    now = timezone.now()
    Vendor.objects.create(provider="resend", paused_until=now + timedelta(minutes=9), pauses=1)
    Alert.objects.create(kind="sweep_asks", subject="neon", text="Three of four rows have nothing there.")
    busy = {"reason": "busy", "message": "Neon is busy and did not delete it (423). It is tried again."}
    for _ in range(3):
        key = uuid.uuid4()
        session = Session.objects.create(id=key, slug=slug_for(key), state="closing", title="A list of who brings what")
        provisioning.plan(session)
        session.resources.exclude(kind="project").update(state="gone", deleted_at=now, verified_at=now)
        session.resources.filter(kind="project").update(
            state="stuck", error=busy, delete_attempts=6, next_at=now + timedelta(minutes=41)
        )
    SweepRun.objects.filter(pk=SweepRun.objects.latest("pk").pk).update(state="asking", reason="neon: same account?")


def test_every_kind_of_page_at_every_width_in_both_schemes(
    site: str, chrome: Browser, member: Callable[[str], User]
) -> None:
    _month()
    admin, row = member("admin"), Resource.objects.latest("pk")
    key = key_of(admin)
    pages = {
        "dashboard": "/admin/?range=7d",
        "sessions": "/admin/sessions_app/session/",
        "resources": "/admin/provisioning/resource/?state__exact=ready",
        "resource": f"/admin/provisioning/resource/{row.pk}/change/",
        "session": f"/admin/sessions/{row.session.slug}/",
        "events": "/admin/sessions_app/event/",
        "audit": "/admin/staff/entry/?q=sam",
        "nothing": "/admin/gateway/mailsend/",
        "user": f"/admin/auth/user/{admin.pk}/change/",
        "password": "/admin/password_change/",
        "login": "/admin/login/",
    }
    found: list[str] = []
    for size, scheme in (("desk", "light"), ("phone", "dark"), ("tablet", "light"), ("desk", "dark")):
        seat = Seat(chrome, site, key, size=size, scheme=scheme)
        for name, address in pages.items():
            if name == "login":
                seat.context.clear_cookies()
            seat.go(address)
            found += seat.faults(name)
    assert not found, "\n".join(found)


def test_the_dashboard_follows_the_ledger_and_leaves_the_reader_where_they_are(
    site: str, chrome: Browser, member: Callable[[str], User]
) -> None:
    _month()
    seat = Seat(chrome, site, key_of(member("admin")), size="phone")
    page = seat.page
    page.clock.install()
    page.goto("/admin/")
    page.wait_for_load_state("networkidle")
    region = page.get_by_role("region", name="Recent sessions, table")
    region.evaluate("(one) => { one.scrollLeft = 120 }")
    link = page.locator(".kpi a").nth(4)
    link.focus()
    page.evaluate("document.querySelector('.kpi .big a').textContent = 'old'")
    with page.expect_response("**/admin/"):
        page.clock.run_for(10_500)
    expect(page.locator(".kpi .big a").first).not_to_have_text("old")
    assert page.evaluate("document.activeElement.href") == link.evaluate("(one) => one.href")
    assert region.evaluate("(one) => one.scrollLeft") == 120
    page.locator("header details.narrow-only summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/admin/logout/")
    assert seat.said == []
