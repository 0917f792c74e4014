"""Viewer, operator and admin, each in a browser: they find, see and are offered exactly what their group may, and what
it may not is refused even from inside their browser.

What each may is read from the console's own tables, so a power or a page that is added is held to them as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Browser, expect

from staff import groups
from staff.models import Entry
from staff.pages.reveal import HEADER
from staff.powers import POWERS
from staff.sections import SECTIONS
from tests.conftest import _empty
from tests.staff.browsing import Seat, chromium_at, key_of, web
from tests.staff.conftest import PASSWORD, account
from tests.staff.everything import VALUE, Everything, all_rows, everything

pytestmark = [pytest.mark.django_db, pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]
GROUPS = (groups.VIEWER, groups.OPERATOR, groups.ADMIN)
# Orders as forms, buttons of forms and lists have them, by the name of the power; and ways to a value.
_OFFERED = """() => [
  ...[...document.querySelectorAll('form, [formaction]')].map((one) =>
    (one.getAttribute('formaction') ?? one.getAttribute('action') ?? '').match(/\\/orders\\/(\\w+)\\//)?.[1]),
  ...[...document.querySelectorAll('[name=action]')].map((one) => one.value?.match(/^order_(\\w+)/)?.[1]),
  document.querySelector('a[href$="/reveal/"]') && 'reveal',
].filter(Boolean)"""
_POST = """async ([address, fields, headers]) => {
  const token = document.querySelector('[name=csrfmiddlewaretoken]').value;
  const body = new URLSearchParams([...Object.entries(fields), ['csrfmiddlewaretoken', token]]);
  const answer = await fetch(address, { method: 'POST', body, headers, redirect: 'manual' });
  return answer.type === 'opaqueredirect' ? 302 : answer.status;
}"""


@pytest.fixture(scope="module")
def shown(django_db_setup: None, django_db_blocker: Any) -> Iterator[Everything]:
    """One of everything, committed, so that the web process sees it; tests only look at it, or try to."""
    with django_db_blocker.unblock():
        groups.ensure()
        yield everything()
        _empty()


@pytest.fixture(scope="module")
def keys(shown: Everything) -> dict[str, str]:
    """The cookie of a browser of somebody in each group, and of a superuser."""
    return {name: key_of(account(name)) for name in (*GROUPS, "superuser")}


@pytest.fixture(scope="module")
def site(shown: Everything, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with web(tmp_path_factory.mktemp("web")) as address:
        yield address


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Browser]:
    with chromium_at(chromium) as browser:
        yield browser


@pytest.fixture(params=GROUPS)
def group(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def seat(chrome: Browser, site: str, keys: dict[str, str], group: str) -> Iterator[Seat]:
    """The browser of somebody in that group, on a phone."""
    made = Seat(chrome, site, keys[group], size="phone")
    yield made
    made.context.close()


@pytest.fixture
def boss(chrome: Browser, site: str, keys: dict[str, str]) -> Iterator[Seat]:
    """That of a superuser."""
    made = Seat(chrome, site, keys["superuser"])
    yield made
    made.context.close()


def may(group: str, power: str) -> bool:
    return power in groups.GRANTED[group]


def test_the_navigation_leads_where_they_may_go_and_nowhere_else(seat: Seat, group: str, shown: Everything) -> None:
    user = User.objects.get(username=group)
    wanted = {title: reverse(name) for title, name, permission in SECTIONS if user.has_perm(permission)}
    page = seat.go(reverse("admin:index"))
    page.locator("header details.narrow-only summary").click()
    links = page.locator("header details.narrow-only nav[aria-label=Sections] a")
    assert {one.inner_text(): one.get_attribute("href") for one in links.all()} == wanted
    for title, address in wanted.items():
        if page.locator("header details.narrow-only[open]").count() == 0:
            page.locator("header details.narrow-only summary").click()
        page.locator("header nav[aria-label=Sections]:visible").get_by_role("link", name=title, exact=True).click()
        page.wait_for_url(f"**{address}")
        expect(page.locator("header nav[aria-label=Sections] a[aria-current]").first).to_have_text(title)
    more = page.locator("header details.narrow-only nav[aria-label='More lists'] a")
    listed = {one.get_attribute("href") for one in more.all()} | set(wanted.values())
    for model in admin.site._registry:
        name = f"{model._meta.app_label}.view_{model._meta.model_name}"
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert (address in listed) == user.has_perm(name), address
        assert seat.page.request.get(address).status == (200 if user.has_perm(name) else 403), address
    assert seat.said == []


def test_each_page_offers_what_they_may_and_holds_no_value(seat: Seat, group: str, shown: Everything) -> None:
    offered: set[str] = set()
    found: list[str] = []
    for name, address in shown.pages.items():
        page = seat.go(address)
        offered |= set(page.evaluate(_OFFERED))
        assert VALUE not in page.content(), name
        found += seat.faults(f"{group}-{name}")
    assert found == []
    wanted = {name for name, power in POWERS.items() if may(group, power.right)}
    assert offered == wanted | ({"reveal"} if may(group, "reveal") else set())
    seat.page.goto(shown.reveal)
    expect(seat.page.get_by_label("Why")).to_have_count(1 if may(group, "reveal") else 0)


def test_what_they_may_not_is_refused_from_inside_their_browser_and_changes_nothing(
    seat: Seat, boss: Seat, group: str, shown: Everything
) -> None:
    page, other = seat.go(reverse("admin:index")), boss.go(reverse("admin:index"))
    assert set(shown.orders) == set(POWERS)
    before = all_rows()
    for name, fields in shown.orders.items():
        address = reverse("admin:order", args=[name])
        if may(group, POWERS[name].right):
            continue
        confirmed = {**fields, "reason": "because", "confirmed": "yes", "typed": "1"}
        assert other.evaluate(_POST, [address, fields, {}]) == 200, name  # it is well made: only the power is missing
        assert page.evaluate(_POST, [address, confirmed, {}]) == 403, name
    assert all_rows() == before
    for name, address, key in listed(shown):
        if not may(group, POWERS[name].right):
            page.evaluate(_POST, [address, {"action": f"order_{name}", "_selected_action": key, "index": "0"}, {}])
    for address in unwritten(User.objects.get(username=group)):
        assert page.evaluate(_POST, [address, {"post": "yes", "is_superuser": "on", "state": "closed"}, {}]) == 403
    assert all_rows() == before
    if not may(group, "reveal"):
        ask = {"reason": "because", "password": PASSWORD}
        assert page.evaluate(_POST, [shown.reveal, ask, {HEADER: "1"}]) == 403
        refused = Entry.objects.get(action="reveal_refused", who=group)
        assert (refused.reason, refused.session) == ("because", shown.open.slug)
        after = all_rows()
        assert [table for table in after if after[table] != before[table]] == ["staff_entry"]


def test_no_cookie_opens_the_door_for_programs(seat: Seat, group: str, shown: Everything) -> None:
    page, before = seat.go(reverse("admin:index")), all_rows()
    for path in (f"sessions/{shown.open.slug}/teardown", "sweep", f"credentials/{shown.credential.pk}/reveal"):
        assert page.evaluate(_POST, [f"/api/staff/{path}", {"reason": "because"}, {}]) == 401
    assert all_rows() == before


def listed(shown: Everything) -> Iterator[tuple[str, str, str]]:
    """Every order that a list offers: the power, the list's address, and the key of a row."""
    for model, its in admin.site._registry.items():
        for name in getattr(its, "powers", ()):
            address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            yield name, address, shown.orders[name]["key"]


def unwritten(user: User) -> Iterator[str]:
    """Addresses by which rows are added, changed and deleted, of all that this account may not do so to."""
    for model in admin.site._registry:
        named, rows = f"{model._meta.app_label}_{model._meta.model_name}", model._default_manager
        for act in ("add", "change", "delete"):
            if user.has_perm(f"{model._meta.app_label}.{act}_{model._meta.model_name}"):
                continue
            one = rows.first()
            if act != "add" and one is None:
                continue
            yield reverse(f"admin:{named}_{act}", args=[] if act == "add" or one is None else [one.pk])
