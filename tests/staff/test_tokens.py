"""A token speaks for one account, at most as far as that account may at the moment, and cannot be guessed at."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from staff import guessing, tokens
from staff.access_models import Misses, Token
from staff.actors import of_shell
from staff.models import Entry
from staff.refusals import Refused, TooMany

pytestmark = pytest.mark.django_db(transaction=True)

HERE, THERE = "192.0.2.7", "198.51.100.9"


def made(user: User, name: str = "ci", **options: bool) -> str:
    return tokens.make(of_shell(), user, name, days=1, **options)


def test_only_a_hash_is_kept_and_the_making_is_written_down_without_the_text(member: Callable[[str], User]) -> None:
    text = made(member("operator"))
    assert text.startswith("mk0rs_")
    assert len(text) == len("mk0rs_") + 64
    (row,) = Token.objects.values()
    assert text not in str(row)
    assert row["digest"] == hashlib.sha256(text.encode()).hexdigest()
    entry = Entry.objects.get()
    assert (entry.action, entry.subject, entry.where) == ("token", "ci of operator", "shell")
    assert text[6:] not in str(entry.detail)


def test_it_is_found_while_it_and_its_account_live(member: Callable[[str], User]) -> None:
    user = member("operator")
    text = made(user)
    found = tokens.resolve(text, HERE)
    assert found is not None
    assert found.user == user
    assert Token.objects.get().last_used_from == HERE
    for wrong in (text[:-1], text + "\n", text.upper(), text.replace("mk0rs_", "mk0r_"), "", "mk0rs_" + "0" * 64):
        assert tokens.resolve(wrong, HERE) is None
    for change, back in (
        ({"is_active": False}, {"is_active": True}),
        ({"is_staff": False}, {"is_staff": True}),
    ):
        User.objects.update(**change)
        assert tokens.resolve(text, HERE) is None
        User.objects.update(**back)
        assert tokens.resolve(text, HERE) is not None
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tokens.resolve(text, HERE) is None
    user.delete()
    assert not Token.objects.exists()


def test_what_it_may_is_what_its_account_may_now_and_a_value_only_where_it_was_made_for_that(
    member: Callable[[str], User],
) -> None:
    user = member("admin")
    plain, revealing = made(user), made(user, "vault", may_reveal=True)

    def may(text: str, power: str) -> bool:
        found = tokens.resolve(text, HERE)
        assert found is not None
        return tokens.actor_of(found, HERE).may(power)

    assert may(plain, "teardown")
    assert not may(plain, "reveal")
    assert may(revealing, "reveal")
    user.groups.clear()
    assert not may(plain, "teardown")
    assert not may(revealing, "reveal")


def test_a_revoked_token_is_worth_nothing_and_its_name_is_free_again(member: Callable[[str], User]) -> None:
    user = member("operator")
    text = made(user)
    with pytest.raises(Refused, match="live token called ci"):
        made(user)
    token = Token.objects.get()
    assert tokens.revoke(of_shell(), token)
    assert not tokens.revoke(of_shell(), token)
    assert tokens.resolve(text, HERE) is None
    assert tokens.resolve(made(user), HERE) is not None
    assert list(Entry.objects.values_list("action", flat=True)) == ["token", "token_revoked", "token"]


@pytest.mark.parametrize("name", ["", "a b", "x" * 41, "-x", "a/b", "ci\n"])
def test_a_name_that_could_be_mistaken_in_the_log_is_refused(member: Callable[[str], User], name: str) -> None:
    with pytest.raises(Refused, match="name"):
        made(member("operator"), name)


def test_it_is_made_for_staff_and_for_a_time_only(member: Callable[[str], User]) -> None:
    user = member("operator")
    for days in (0, -1, 367, float("nan")):
        with pytest.raises(Refused, match="days"):
            tokens.make(of_shell(), user, "ci", days=days)
    user.is_staff = False
    with pytest.raises(Refused, match="not a member of staff"):
        made(user)


def test_guessing_ends_after_twenty_wrong_ones_for_all_but_tokens_known_from_there(
    member: Callable[[str], User],
) -> None:
    user = member("operator")
    known, other = made(user), made(user, "other")
    assert tokens.resolve(known, HERE) is not None
    for number in range(guessing.MOST):
        assert tokens.resolve(f"mk0rs_{number:064x}", HERE) is None
    for text in (f"mk0rs_{99:064x}", other, "nonsense"):
        with pytest.raises(TooMany) as refused:
            tokens.resolve(text, HERE)
        assert 0 < refused.value.retry_after <= guessing.WINDOW
    assert tokens.resolve(known, HERE) is not None
    assert tokens.resolve(other, THERE) is not None
    Misses.objects.update(since=timezone.now() - timedelta(seconds=guessing.WINDOW + 1))
    assert tokens.resolve(other, HERE) is not None
    guessing.missed(THERE)
    assert list(Misses.objects.values_list("address", "count")) == [(THERE, 1)]


def test_addresses_one_caller_has_many_of_count_as_one(member: Callable[[str], User]) -> None:
    for number in range(guessing.MOST):
        guessing.missed(f"2001:db8:1:2::{number:x}")
    assert guessing.seconds_left("2001:db8:1:2:ffff::1")
    assert not guessing.seconds_left("2001:db8:1:3::1")


def test_the_last_use_is_written_once_a_minute(member: Callable[[str], User]) -> None:
    text = made(member("operator"))
    with time_machine.travel(timezone.now(), tick=False) as clock:
        tokens.resolve(text, HERE)
        first = Token.objects.get().last_used_at
        clock.shift(30)
        tokens.resolve(text, HERE)
        assert Token.objects.get().last_used_at == first
        clock.shift(31)
        tokens.resolve(text, HERE)
        assert Token.objects.get().last_used_at == first + timedelta(seconds=61)  # type: ignore[operator]


def test_one_sees_and_revokes_ones_own_tokens_and_a_superuser_everybodys(
    member: Callable[[str], User], signed_in: Callable[[str], Client]
) -> None:
    viewer, root = signed_in("viewer"), signed_in("superuser")
    mine = made(User.objects.get(username="viewer"), "mine")
    theirs = made(member("operator"), "theirs")
    address = reverse("admin:staff_token_changelist")
    page = viewer.get(address)
    assert "mine" in page.text
    assert "theirs" not in page.text
    assert "theirs" in root.get(address).text
    mine_row, theirs_row = Token.objects.get(name="mine"), Token.objects.get(name="theirs")
    assert viewer.get(reverse("admin:staff_token_change", args=[theirs_row.pk])).status_code == 302
    detail = viewer.get(reverse("admin:staff_token_change", args=[mine_row.pk]))
    assert detail.status_code == 200
    assert mine_row.digest not in detail.text
    form = {"action": "revoke", "_selected_action": [mine_row.pk, theirs_row.pk]}
    viewer.post(address, form)
    assert tokens.resolve(mine, HERE) is None
    assert tokens.resolve(theirs, HERE) is not None
    entry = Entry.objects.filter(action="token_revoked").get()
    assert (entry.who, entry.subject) == ("viewer", "mine of viewer")
    root.post(address, form)
    assert tokens.resolve(theirs, HERE) is None
