"""The console in a browser: at a desk and on a phone, light and dark, nothing breaks the policy or scrolls sideways, an
automated check finds nothing serious, and the dashboard follows the ledger without taking the focus away.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as current
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, sync_playwright

from provisioning import services as provisioning
from provisioning.models import Alert, Resource, SweepRun, Vendor
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from staff import groups
from tests.pages.conftest import free_port
from tests.staff import scale

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.timeout(600)]
SHOWN = os.environ.get("MK0R_SHOTS", "")  # a folder that gets a picture of each page, for whoever works on the look
SIZES = {"desk": (1440, 900), "tablet": (820, 1100), "phone": (390, 844)}


@pytest.fixture
def site(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """Address of a web process of the product's own on the test's database."""
    port, told = free_port(), connection.settings_dict
    database = f"postgres://{told['USER']}:{told['PASSWORD']}@{told['HOST']}:{told['PORT']}/{told['NAME']}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MK0R_", "DJANGO_"))} | {
        "DATABASE_URL": database, "SECRET_KEY": current.SECRET_KEY, "MK0R_PORT": str(port), "MK0R_VAR": str(tmp_path),
        "MK0R_ENCRYPTION_KEYS": current.MK0R_ENCRYPTION_KEYS, "PUBLIC_URL": f"http://localhost:{port}",
        "MK0R_DAILY_USD": "120", "NEON_API_KEY": "k", "RESEND_API_KEY": "k", "GITHUB_TOKEN": "k", "E2B_API_KEY": "k",
        "POSTHOG_PROJECT_KEY": "k", "E2B_API_URL": "http://127.0.0.1:1", "E2B_SANDBOX_URL": "http://127.0.0.1:1",
    }  # fmt: skip
    manage = str(Path(__file__).parents[2] / "manage.py")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, manage, "web"], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 90
        while True:
            assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the web process does not answer"
            try:
                urllib.request.urlopen(f"http://localhost:{port}/admin/login/", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _month() -> str:
    """A month with trouble in it; the key of a browser that is signed in as an admin."""
    groups.ensure()
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
    sam = User.objects.create_user("sam", password="correct horse battery", is_staff=True)
    sam.groups.add(Group.objects.get(name="admin"))
    client = Client()
    client.force_login(sam)
    return client.cookies["sessionid"].value


def _serious(page: Page) -> list[str]:
    """What axe finds, but for two widgets of Django's forms for accounts that are drawn by its own code."""
    leave = {"exclude": [[".selector"], [".datetime"]]}
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "iframes": False}
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in Axe().run(page, context=leave, options=options).response["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def _open(browser: Any, site: str, key: str, size: str, scheme: str) -> tuple[Page, list[str]]:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, base_url=site)
    if key:
        context.add_cookies([{"name": "sessionid", "value": key, "url": site}])
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return page, said


def test_every_kind_of_page_at_every_width_in_both_schemes(site: str, chromium: str) -> None:
    key = _month()
    row, user = Resource.objects.latest("pk").pk, User.objects.get().pk
    pages = {
        "dashboard": "/admin/?range=7d",
        "sessions": "/admin/sessions_app/session/",
        "resources": "/admin/provisioning/resource/?state__exact=ready",
        "resource": f"/admin/provisioning/resource/{row}/change/",
        "session": f"/admin/sessions/{Resource.objects.latest('pk').session.slug}/",
        "events": "/admin/sessions_app/event/",
        "audit": "/admin/staff/entry/?q=sam",
        "nothing": "/admin/gateway/mailsend/",
        "user": f"/admin/auth/user/{user}/change/",
        "password": "/admin/password_change/",
        "login": "/admin/login/",
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        found: list[str] = []
        for size, scheme in (("desk", "light"), ("phone", "dark"), ("tablet", "light"), ("desk", "dark")):
            page, said = _open(browser, site, key, size, scheme)
            for name, address in pages.items():
                if name == "login":
                    page.context.clear_cookies()
                answer = page.goto(address)
                assert answer is not None
                assert answer.status == 200, address
                page.wait_for_load_state("networkidle")
                if SHOWN:
                    page.screenshot(path=f"{SHOWN}/{name}-{size}-{scheme}.png", full_page=True)
                sideways = int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
                found += [f"{name} {size} {scheme}: {sideways} px sideways"] * (sideways > 0)
                found += [f"{name} {size} {scheme}: {text}" for text in [*_serious(page), *said]]
                said.clear()
        browser.close()
    assert not found, "\n".join(found)


def test_the_dashboard_follows_the_ledger_and_leaves_the_reader_where_they_are(site: str, chromium: str) -> None:
    key = _month()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page, said = _open(browser, site, key, "phone", "light")
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
        page.wait_for_function("document.querySelector('.kpi .big a').textContent !== 'old'")
        assert page.evaluate("document.activeElement.href") == link.evaluate("(one) => one.href")
        assert region.evaluate("(one) => one.scrollLeft") == 120
        page.locator("header details.narrow-only summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/admin/logout/")
        assert said == []
        browser.close()
