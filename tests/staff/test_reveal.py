"""The value of a credential is shown to those who may, who say why and give their password again, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session as BrowserSession
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect

from provisioning.models import Credential, Resource
from provisioning.secrets import Secret
from sessions_app.models import Session
from staff.models import Entry
from staff.pages.reveal import HEADER
from tests.staff.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
VALUE = "npg_canaryCANARY0123456789"


@pytest.fixture
def held(transactional_db: None) -> Credential:
    """A database password of an open session."""
    session = Session.objects.create(slug="c" * 12)
    row = Resource.objects.create(
        session=session, provider="neon", kind="project", name=f"mk0r-{session.slug}", external_id="quiet-moon-1",
        state="ready", attempt=1,
    )  # fmt: skip
    made = Credential(resource=row, name="NEON_ROLE_PASSWORD", expires_at=session.expires_at)
    made.seal(Secret(VALUE))
    made.save()
    return made


def address(held: Credential) -> str:
    return reverse("admin:reveal", args=[held.pk])


def ask(browser: Client, held: Credential, **form: str) -> Any:
    """What the page's script sends."""
    fields = {"reason": "the visitor lost it"} | form
    return browser.post(address(held), fields, headers={HEADER: "1", "Accept": "application/json"})


def causes() -> list[str]:
    return [entry.detail["cause"] for entry in Entry.objects.filter(action="reveal_refused").order_by("id")]


def test_the_value_comes_after_the_password_and_after_the_entry(
    held: Credential, signed_in: Callable[[str], Client]
) -> None:
    browser = signed_in("admin")
    page = browser.get(address(held))
    assert VALUE not in page.text
    assert 'name="password"' in page.text
    asked = ask(browser, held)
    assert (asked.status_code, asked.json()["password"]) == (403, True)
    wrong = ask(browser, held, password="not it")
    assert (wrong.status_code, wrong.json()["error"]) == (403, "This is not your password.")
    assert not Entry.objects.filter(action="reveal").exists()
    answer = ask(browser, held, password=PASSWORD)
    assert answer.json() == {"value": VALUE, "seconds": 30}
    assert "no-store" in answer["Cache-Control"]
    entry = Entry.objects.get(action="reveal")
    assert (entry.who, entry.where, entry.reason, entry.session) == (
        "admin", "127.0.0.1", "the visitor lost it", "c" * 12
    )  # fmt: skip
    assert "NEON_ROLE_PASSWORD" in entry.subject
    assert len(causes()) == 2
    refused = Entry.objects.get(action="sign_in_refused")  # a wrong one counts at the door
    assert (refused.who, refused.detail["at"]) == ("admin", address(held))


def test_a_password_holds_for_fifteen_minutes(held: Credential, signed_in: Callable[[str], Client]) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        browser = signed_in("admin")
        assert ask(browser, held, password=PASSWORD).status_code == 200
        clock.shift(timedelta(minutes=14, seconds=59))
        assert ask(browser, held).status_code == 200
        clock.shift(timedelta(seconds=2))
        assert ask(browser, held).status_code == 403
    assert causes() == ["Give your password again: it was not given within 15 minutes."]
    assert Entry.objects.filter(action="reveal").count() == 2


def test_who_may_not_sees_neither_page_nor_value_and_leaves_a_trace(
    held: Credential, signed_in: Callable[[str], Client]
) -> None:
    for group in ("viewer", "operator"):
        browser = signed_in(group)
        assert browser.get(address(held)).status_code == 403
        assert ask(browser, held, password=PASSWORD).status_code == 403
        assert Entry.objects.filter(action="reveal_refused", who=group).count() == 1
    assert ask(Client(), held, password=PASSWORD).status_code == 302  # to the door
    assert not Entry.objects.filter(action="reveal").exists()


def test_a_value_is_no_answer_to_a_form_and_needs_a_reason(
    held: Credential, signed_in: Callable[[str], Client]
) -> None:
    browser = signed_in("admin")
    plain = browser.post(address(held), {"reason": "x", "password": PASSWORD})
    assert plain.status_code == 406
    assert VALUE not in plain.text
    assert ask(browser, held, reason="  ", password=PASSWORD).status_code == 422
    assert len(causes()) == 2
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    assert ask(strict, held, password=PASSWORD).status_code == 403


def test_what_is_over_is_shown_to_nobody_and_the_attempt_is_on_record(
    held: Credential, signed_in: Callable[[str], Client]
) -> None:
    browser = signed_in("superuser")
    Credential.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    lapsed = ask(browser, held, password=PASSWORD)
    assert lapsed.status_code == 409
    assert "lease" in lapsed.json()["error"]
    assert "Nobody is given this value any more" in browser.get(address(held)).text
    Credential.objects.update(revoked_at=timezone.now(), ciphertext="", fingerprint="")
    assert ask(browser, held).status_code == 409
    missing = browser.post(
        reverse("admin:reveal", args=["00000000-0000-4000-8000-000000000000"]), {"reason": "x"}, headers={HEADER: "1"}
    )
    assert missing.status_code == 404
    assert len(causes()) == 3
    assert not Entry.objects.filter(action="reveal").exists()


def test_without_its_entry_no_value_leaves(held: Credential, signed_in: Callable[[str], Client]) -> None:
    browser = signed_in("admin")
    assert ask(browser, held, password=PASSWORD).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute(
            "create function pg_temp.no() returns trigger language plpgsql as"
            " $$ begin if new.action = 'reveal' then raise exception 'disk full'; end if; return new; end $$;"
            " create trigger no_more before insert on staff_entry for each row execute function pg_temp.no()"
        )
    try:
        browser.raise_request_exception = False
        answer = ask(browser, held)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop trigger no_more on staff_entry")
    assert answer.status_code == 500
    assert VALUE not in answer.text


def test_guessing_the_password_here_locks_the_door_as_well(
    held: Credential, signed_in: Callable[[str], Client]
) -> None:
    browser = signed_in("admin")
    for _ in range(4):
        assert ask(browser, held, password="guess").status_code == 403
    locked = ask(browser, held, password="guess")
    assert locked.status_code == 429
    assert "locked out until" in locked.json()["error"]
    assert ask(browser, held, password=PASSWORD).status_code == 429
    at_the_door = Client().post(reverse("admin:login"), {"username": "admin", "password": PASSWORD})
    assert at_the_door.status_code == 429
    assert Entry.objects.filter(action="locked_out", who="admin").count() == 1
    assert not Entry.objects.filter(action="reveal").exists()


def test_i15_the_value_is_in_no_page_no_row_and_no_log(
    held: Credential, signed_in: Callable[[str], Client], caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    browser = signed_in("superuser")
    assert ask(browser, held, password=PASSWORD).json()["value"] == VALUE
    for url in _pages(held):
        answer = browser.get(url)
        assert answer.status_code in {200, 302, 403, 404}, (url, answer.status_code)
        assert VALUE not in answer.text, url
    for table, text in _rows():
        assert VALUE not in text, table
    for kept in BrowserSession.objects.all():
        assert VALUE not in str(kept.get_decoded())
    output = capsys.readouterr()
    assert VALUE not in caplog.text + output.out + output.err
    assert PASSWORD not in caplog.text + output.out + output.err + "".join(text for _, text in _rows())


def _pages(held: Credential) -> Iterator[str]:
    """Every list of the admin and its pages of what is in it, and ours."""
    yield from (reverse("admin:index"), address(held), reverse("admin:repositories"), f"/s/{'c' * 12}/receipt")
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        yield reverse(f"{name}_changelist") + "?q=npg"
        for one in model._default_manager.all()[:5]:
            yield reverse(f"{name}_change", args=[one.pk])
            yield reverse(f"{name}_history", args=[one.pk])


def _rows() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        found = []
        for table in sorted(tables):
            cursor.execute(f'select t::text from "{table}" t')
            found += [(table, str(row[0])) for row in cursor.fetchall()]
    return found


@pytest.mark.browser
def test_a_browser_shows_the_value_for_its_time_and_keeps_nothing_of_it(
    held: Credential, chrome: Browser, live_server: Any, member: Callable[[str], User]
) -> None:
    member("admin")
    page = chrome.new_context(base_url=live_server.url, viewport={"width": 390, "height": 800}).new_page()
    page.goto(address(held))
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{address(held)}")
    page.clock.install()
    page.fill("[name=reason]", "the visitor lost it")
    page.fill("#reveal [name=password]", "wrong")
    page.click("#reveal button")
    expect(page.locator("#reveal-said")).to_have_text("This is not your password.")
    page.fill("#reveal [name=password]", PASSWORD)
    page.keyboard.press("Enter")
    shown = page.locator("#reveal-value")
    expect(shown).to_have_text(VALUE)
    expect(shown).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.clock.fast_forward(15_000)  # on top of what has passed by itself
    expect(shown).to_have_text(VALUE)
    page.clock.fast_forward(15_000)
    expect(shown).to_be_hidden()
    assert VALUE not in page.content()
    expect(page.locator("#reveal-said")).to_have_text(re.compile("forgotten"))
    page.click("#reveal button")  # again, within the fifteen minutes, without a password
    expect(shown).to_have_text(VALUE)
    page.goto(f"{live_server.url}/admin/")
    page.go_back()
    page.wait_for_selector("#reveal")
    assert VALUE not in page.content()
    stores = "JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, location.href])"
    assert VALUE not in page.evaluate(stores)
