"""Accounts are managed by those who may do all that the account may; nobody gives what they do not have."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from staff import groups
from staff.models import Entry
from tests.staff.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "admin:auth_user_changelist"
EVERYTHING = {"is_superuser": "on", "is_staff": "on", "user_permissions": "1"}


def page_of(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    held = {"username": user.username, "groups": [str(pk) for pk in user.groups.values_list("pk", flat=True)]}
    return held | ({"is_active": "on"} if user.is_active else {}) | changes


def group(name: str) -> Group:
    found: Group = Group.objects.get(name=name)
    return found


def test_each_group_may_what_it_needs_and_no_more(member: Callable[[str], User]) -> None:
    staff = {name: member(name) for name in (groups.VIEWER, groups.OPERATOR, groups.ADMIN)}
    accounts = {"auth.view_user", "auth.add_user", "auth.change_user", "auth.view_group"}
    secret = {"staff.reveal", "staff.rotate", "staff.transfer", "staff.forget"}
    may = {name: user.get_all_permissions() for name, user in staff.items()}
    looking = {one for one in may["viewer"] if one.split(".")[1].startswith("view_")}
    assert may["viewer"] == looking
    assert not (accounts | secret) & may["operator"]
    assert "staff.teardown" in may["operator"]
    assert accounts | secret <= may["admin"]
    for held in may.values():  # nobody edits by hand, and the log least of all
        writes = {one for one in held if re.match(r"\w+\.(add|change|delete)_", one)}
        assert writes <= {"auth.add_user", "auth.change_user"}
    assert not any("axes" in one or "authtoken" in one for one in may["admin"])


def test_viewers_and_operators_see_no_accounts(signed_in: Callable[[str], Client]) -> None:
    for name in ("viewer", "operator"):
        browser = signed_in(name)
        assert browser.get(reverse(LIST)).status_code == 403
        assert browser.get(reverse("admin:auth_group_changelist")).status_code == 403
        user = User.objects.get(username=name)
        for address in (page_of(user), reverse("admin:auth_user_add")):
            assert browser.post(address, form_of(user, **EVERYTHING)).status_code == 403
        assert browser.post(reverse("admin:auth_user_one_time", args=[user.pk])).status_code == 403
        user.refresh_from_db()
        assert not user.is_superuser


def test_an_admin_makes_an_account_that_comes_in_by_a_password_shown_once(signed_in: Callable[[str], Client]) -> None:
    browser = signed_in("admin")
    new = {"username": "olga", "is_active": "on", "groups": [str(group("operator").pk)]}
    shown = browser.post(reverse("admin:auth_user_add"), new)
    assert "no-store" in shown["Cache-Control"]
    once = re.search(r"<output[^>]*>([a-z0-9-]+)</output>", shown.text)
    assert once is not None
    olga = User.objects.get(username="olga")
    assert (olga.is_staff, olga.is_superuser) == (True, False)
    door = Client()
    assert door.post(reverse("admin:login"), {"username": "olga", "password": once[1]}).status_code == 302
    for address in (page_of(olga), reverse(LIST), reverse("admin:auth_user_history", args=[olga.pk])):
        text = browser.get(address).text
        assert once[1] not in text
        assert "pbkdf2" not in text
        assert olga.password not in text
    actions = ["account_added", "one_time_password", "account_changed"]
    assert browser.post(page_of(olga), form_of(olga, groups=[str(group("viewer").pk)])).status_code == 302
    entries = Entry.objects.filter(action__in=actions).order_by("id")
    assert [(one.action, one.who, one.subject) for one in entries] == [(one, "admin", "olga") for one in actions]
    assert entries[2].detail == {"changed": ["groups"], "groups": ["viewer"], "active": True, "superuser": False}


def test_an_admin_makes_nobody_a_superuser_and_gives_no_right_beyond_theirs(
    signed_in: Callable[[str], Client], member: Callable[[str], User]
) -> None:
    browser, operator = signed_in("admin"), member("operator")
    me = User.objects.get(username="admin")
    beyond = Group.objects.create(name="beyond")
    beyond.permissions.add(Permission.objects.get(codename="delete_user"))
    for user in (me, operator):
        assert "is_superuser" not in browser.get(page_of(user)).text
        browser.post(page_of(user), form_of(user, **EVERYTHING))
        refused = browser.post(page_of(user), form_of(user, groups=[str(beyond.pk)]))
        if user is operator:
            assert "Select a valid choice" in refused.text
        user.refresh_from_db()
        assert not user.is_superuser
        assert not user.user_permissions.exists()
        assert not user.groups.filter(name="beyond").exists()
    browser.post(reverse("admin:auth_user_add"), {"username": "eve", "is_active": "on", **EVERYTHING})
    assert not User.objects.get(username="eve").is_superuser
    assert browser.post(reverse("admin:auth_group_change", args=[beyond.pk]), {"name": "x"}).status_code == 403


def test_an_admin_cannot_touch_who_may_more_nor_change_their_own_rights(
    signed_in: Callable[[str], Client], member: Callable[[str], User]
) -> None:
    browser, root = signed_in("admin"), member("superuser")
    stronger = User.objects.create_user("stronger", password=PASSWORD, is_staff=True)
    stronger.user_permissions.add(Permission.objects.get(codename="delete_user"))
    for user in (root, stronger):
        kept = user.password
        assert browser.post(page_of(user), form_of(user, is_active="", username="gone")).status_code == 403
        assert browser.post(reverse("admin:auth_user_one_time", args=[user.pk])).status_code == 403
        assert browser.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes"}).status_code == 403
        user.refresh_from_db()
        assert (user.password, user.is_active, user.username) == (kept, True, user.username)
    me = User.objects.get(username="admin")
    browser.post(page_of(me), {"username": "admin", "groups": [], "is_active": ""})
    me.refresh_from_db()
    assert me.is_active
    assert [one.name for one in me.groups.all()] == ["admin"]


def test_a_superuser_makes_another_and_puts_one_out_of_use(
    signed_in: Callable[[str], Client], member: Callable[[str], User]
) -> None:
    browser, admin = signed_in("superuser"), member("admin")
    assert browser.post(page_of(admin), form_of(admin, is_superuser="on")).status_code == 302
    admin.refresh_from_db()
    assert admin.is_superuser
    theirs = Client()
    theirs.force_login(admin)
    assert theirs.get("/admin/").status_code == 200
    assert browser.post(page_of(admin), form_of(admin, is_active="")).status_code == 302
    admin.refresh_from_db()
    assert not admin.is_active
    assert theirs.get("/admin/").status_code == 302


def test_no_list_tells_of_a_password_by_being_asked(
    signed_in: Callable[[str], Client], django_assert_max_num_queries: Any, member: Callable[[str], User]
) -> None:
    browser = signed_in("superuser")
    for query in ("password__startswith=pbkdf2", "password__contains=a", "groups__user__password__startswith=p"):
        answer = browser.get(f"{reverse(LIST)}?{query}")
        assert answer.status_code in {302, 400}, query
    for number in range(30):
        User.objects.create_user(f"user-{number}", is_staff=True).groups.add(group("viewer"))
    with django_assert_max_num_queries(12):
        listed = browser.get(reverse(LIST))
    assert "user-29" in listed.text
    assert "pbkdf2" not in listed.text
    shown = browser.get(reverse("admin:auth_group_changelist")).text
    assert "user-29" in shown
    assert "teardown" in shown
