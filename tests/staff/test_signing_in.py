"""Who comes in, who does not and until when, what is written down of it, and what a one-time password is good for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from staff import accounts, onetime
from staff.access_models import OneTime
from staff.models import Entry
from tests.staff.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
OWN = "staple battery correct horse"


def sign_in(browser: Client, name: str, password: str, **extra: Any) -> Any:
    return browser.post(reverse("admin:login"), {"username": name, "password": password, "next": "/admin/"}, **extra)


def logged(*fields: str) -> list[tuple[Any, ...]]:
    return list(Entry.objects.order_by("id").values_list(*fields))


def test_coming_going_and_being_refused_are_on_record(member: Callable[[str], User]) -> None:
    member("viewer")
    browser = Client()
    wrong = sign_in(browser, "viewer", "wrong")
    assert wrong.status_code == 200
    assert 'name="password"' in wrong.text
    sign_in(browser, "hunter2-typed-into-the-wrong-field", "x", REMOTE_ADDR="192.0.2.9")
    assert sign_in(browser, "viewer", PASSWORD).status_code == 302
    assert browser.get("/admin/").status_code == 200
    assert browser.post(reverse("admin:logout")).status_code == 200
    assert browser.get("/admin/").status_code == 302
    assert logged("action", "who", "where") == [
        ("sign_in_refused", "viewer", "127.0.0.1"),
        ("sign_in_refused", "nobody known here", "192.0.2.9"),
        ("sign_in", "viewer", "127.0.0.1"),
        ("sign_out", "viewer", "127.0.0.1"),
    ]


def test_five_wrong_passwords_lock_that_name_out_from_that_address_and_say_until_when(
    member: Callable[[str], User], settings: Any
) -> None:
    member("viewer")
    member("operator")
    settings.MK0R_PROXIES = 1
    here, there = {"HTTP_X_FORWARDED_FOR": "6.6.6.6, 198.51.100.1"}, {"HTTP_X_FORWARDED_FOR": "198.51.100.2"}
    with time_machine.travel(timezone.now().replace(hour=9, minute=0, second=0), tick=False) as clock:
        for _ in range(4):
            assert sign_in(Client(), "viewer", "wrong", **here).status_code == 200
        clock.shift(timedelta(minutes=1))
        locked = sign_in(Client(), "viewer", "wrong", **here)
        assert locked.status_code == 429
        assert "Locked out until" in locked.text
        assert "09:31" in locked.text
        assert int(locked["Retry-After"]) == 30 * 60
        assert "no-store" in locked["Cache-Control"]
        clock.shift(timedelta(minutes=10))
        forged = {"HTTP_X_FORWARDED_FOR": "198.51.100.2, 198.51.100.1"}  # what stands before it anybody can write
        again = sign_in(Client(), "viewer", PASSWORD, **forged)
        assert (again.status_code, "09:31" in again.text) == (429, True)  # trying meanwhile changes nothing
        assert sign_in(Client(), "operator", PASSWORD, **here).status_code == 302
        assert sign_in(Client(), "viewer", PASSWORD, **there).status_code == 302
        clock.shift(timedelta(minutes=20, seconds=1))
        assert sign_in(Client(), "viewer", PASSWORD, **here).status_code == 302
    lockings = Entry.objects.filter(action="locked_out")
    assert [(one.who, one.where) for one in lockings] == [("viewer", "198.51.100.1")]


def test_an_address_that_is_none_is_no_way_around_it(member: Callable[[str], User], settings: Any) -> None:
    member("viewer")
    settings.MK0R_PROXIES = 1
    for number in range(5):
        answer = sign_in(Client(), "viewer", "wrong", HTTP_X_FORWARDED_FOR=f"not-an-address-{number}\0")
    assert answer.status_code == 429


def test_the_cookie_of_a_session_lasts_twelve_hours_and_no_script_reads_it(member: Callable[[str], User]) -> None:
    member("viewer")
    browser = Client()
    cookie = sign_in(browser, "viewer", PASSWORD).cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 12 * 3600)


def test_the_first_account_is_made_where_nobody_can_come_in_and_only_there(transactional_db: None) -> None:
    made = _first_staff()
    assert made["name"] == "admin"
    user = User.objects.get()
    assert user.is_superuser
    assert user.is_staff
    again = _first_staff()  # lost: another is told, and the one before is worth nothing
    assert again["name"] == "admin"
    assert again["password"] != made["password"]
    assert sign_in(Client(), "admin", made["password"]).status_code == 200
    assert sign_in(Client(), "admin", again["password"]).status_code == 302
    assert _first_staff()["password"]  # it was used up, but nobody has chosen a password yet
    user.refresh_from_db()
    user.set_password(OWN)
    user.save()
    accounts.chosen(user)
    assert _first_staff() == {}
    user.is_active = False
    user.save()
    assert _first_staff()["name"] == "admin-2"  # who was put out of use is not let in again
    told = list(Entry.objects.filter(action="one_time_password"))
    assert {entry.where for entry in told} == {"shell"}
    assert not any(again["password"] in str(entry.__dict__) for entry in told)


def _first_staff() -> dict[str, str]:
    out = StringIO()
    call_command("first_staff", "--json", stdout=out)
    found: dict[str, str] = json.loads(out.getvalue())
    return found


def test_a_one_time_password_comes_in_once_and_only_to_choose_ones_own(member: Callable[[str], User]) -> None:
    user = member("admin")
    earlier = Client()
    sign_in(earlier, "admin", PASSWORD)
    once = onetime.give(user)
    assert earlier.get("/admin/").status_code == 302  # what was signed in by the password before is not any more
    browser = Client()
    assert sign_in(browser, "admin", once).status_code == 302
    assert sign_in(Client(), "admin", once).status_code == 200  # used up
    own = reverse("admin:password_change")
    for name in ("index", "repositories", "auth_user_changelist", "staff_entry_changelist"):
        answer = browser.get(reverse(f"admin:{name}"))
        assert (answer.status_code, answer["Location"]) == (302, own), name
    order = browser.post(reverse("admin:order", args=["teardown"]), {"key": "x", "confirmed": "yes"})
    assert (order.status_code, order["Location"]) == (302, own)
    page = browser.get(own)
    assert "Choose a password of your own" in page.text
    assert "old_password" not in page.text
    for weak in ("short", "password12345", "1234567890123456"):
        assert browser.post(own, {"new_password1": weak, "new_password2": weak}).status_code == 200
    assert browser.post(own, {"new_password1": OWN, "new_password2": OWN}).status_code == 302
    assert browser.get("/admin/").status_code == 200
    assert sign_in(Client(), "admin", OWN).status_code == 302
    assert not OneTime.objects.exists()
    actions = [action for (action,) in logged("action")]
    assert actions == ["sign_in", "sign_in", "sign_in_refused", "password_chosen", "sign_in"]
    assert Entry.objects.filter(action="sign_in", detail__one_time=True).count() == 1


def test_of_two_who_come_with_it_at_once_one_comes_in(member: Callable[[str], User]) -> None:
    user = member("viewer")
    once = onetime.give(user)
    both = [User.objects.get(pk=user.pk) for _ in range(2)]  # both have checked it before either uses it up
    assert [accounts.use_up(one) for one in both] == [True, False]
    request = RequestFactory().post("/admin/login/")
    assert authenticate(request, username="viewer", password=once) is None


def test_one_that_lay_about_for_a_week_opens_nothing(member: Callable[[str], User]) -> None:
    once = onetime.give(member("viewer"))
    OneTime.objects.update(given_at=timezone.now() - accounts.LIFE - timedelta(minutes=1))
    assert sign_in(Client(), "viewer", once).status_code == 200
    assert sign_in(Client(), "viewer", once).status_code == 200


def test_changing_ones_password_takes_the_old_one_and_guessing_it_locks_out(
    signed_in: Callable[[str], Client],
) -> None:
    browser, own = signed_in("viewer"), reverse("admin:password_change")
    other = Client()
    sign_in(other, "viewer", PASSWORD)
    form = {"old_password": "guess", "new_password1": OWN, "new_password2": OWN}
    assert "This is not your password." in browser.post(own, form).text
    assert browser.post(own, form | {"old_password": PASSWORD}).status_code == 302
    assert browser.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302  # the old password's sessions are over
    for _ in range(3):
        assert browser.post(own, form).status_code == 200
    assert browser.post(own, form).status_code == 429


def test_whoever_has_to_sign_in_again_in_the_middle_of_something_finds_a_page_that_says_so(
    member: Callable[[str], User],
) -> None:
    user = member("superuser")
    for name, args, words in (
        ("order", ["teardown"], "End and destroy: nothing was ordered. Choose again"),
        ("auth_user_one_time", [user.pk], "Give a one-time password"),
    ):
        browser = Client()  # whose session is over
        door = browser.post(reverse(f"admin:{name}", args=args), {"key": "x", "confirmed": "yes"})
        assert door.status_code == 302
        page = browser.post(door["Location"], {"username": "superuser", "password": PASSWORD}, follow=True)
        assert page.status_code == 200, name
        assert words in page.text
    assert not {"teardown", "one_time_password"} & {action for (action,) in logged("action")}
