"""Operator and admin use each power they have as a person does, at a browser: it asks, is confirmed, is carried out
before their eyes, and has happened at the vendor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from provisioning.models import Credential, Ghost, Resource, Stray, Vendor
from sessions_app import services
from sessions_app.models import Session, Turn
from sessions_app.tasks import run_turn
from staff import groups
from staff.models import Entry
from staff.powers import POWERS
from tests.conftest import _empty
from tests.staff.browsing import Seat, chromium_at, key_of
from tests.staff.conftest import PASSWORD, account
from tests.staff.working import Working, aside, until, working

pytestmark = [pytest.mark.django_db, pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]
WHY = "because"


@pytest.fixture(scope="module")
def console(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Working]:
    with django_db_blocker.unblock():
        groups.ensure()
        with working(tmp_path_factory.mktemp("working")) as running:
            yield running
        _empty()


@pytest.fixture(scope="module")
def keys(console: Working) -> dict[str, str]:
    """The cookie of a browser of an operator, and of an admin."""
    assert Group.objects.count() == 3
    return {name: key_of(account(name)) for name in (groups.OPERATOR, groups.ADMIN)}


@pytest.fixture(scope="module")
def chrome(chromium: str, keys: dict[str, str]) -> Iterator[Browser]:
    with chromium_at(chromium) as browser:
        yield browser


@pytest.fixture
def page(request: pytest.FixtureRequest, chrome: Browser, console: Working, keys: dict[str, str]) -> Iterator[Page]:
    """The browser of somebody in the group the test names; nothing is amiss in it."""
    seat = Seat(chrome, console.site, keys[request.node.callspec.params["group"]])
    yield seat.page
    assert [one for one in seat.said if "status of 400" not in one] == []  # so a form is answered that lacks something
    seat.context.close()


def confirmed(page: Page, power: str, **fields: str) -> str:
    """Say yes on the page that asks, and watch until it is done; what came of it, in words."""
    expect(page.get_by_role("heading", level=1)).to_contain_text(POWERS[power].title)
    page.get_by_label("Reason").fill(WHY)
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " ")).fill(value)
    page.locator("button[name=confirmed]").click()
    page.wait_for_url("**/undertakings/**")
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    entry = Entry.objects.filter(action=power).latest("id")
    assert entry.reason == WHY
    return page.locator("#undertaking tbody tr").inner_text()


def session_page(session: Session) -> str:
    return reverse("admin:session", args=[session.slug])


def press(page: Page, name: str, within: str = "main") -> None:
    page.locator(within).get_by_role("button", name=name).first.click()


# What an operator may


def teardown(page: Page, console: Working) -> None:
    session = console.begun()
    its = console.things(session)
    assert its == {("github", "repository"), ("resend", "audience"), ("resend", "api_key"), ("neon", "project")}
    by_keyboard(page, session)
    listed = page.locator(".order-things ul li").all_inner_texts()
    named = {line.partition(f" mk0r-{session.slug}")[0] for line in listed if "nothing there" not in line}
    assert named == {"GitHub repository", "Resend audience", "Resend api key", "Neon project"}
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type(WHY)
    page.keyboard.press("Enter")
    page.wait_for_url("**/undertakings/**")
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    expect(page.locator("#undertaking tbody tr")).to_contain_text("all gone, proved")
    tab_to(page, page.get_by_role("link", name="receipt"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Everything is gone").first).to_be_visible()
    assert console.things(session) == set()


def by_keyboard(page: Page, session: Session) -> None:
    """Choose a session in the list and what is to be done with it, without touching the mouse."""
    page.goto(reverse("admin:index"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    tab_to(page, page.get_by_role("navigation", name="Sections").get_by_role("link", name="Sessions"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/sessions_app/session/")
    tab_to(page, page.locator("#searchbar"))
    page.keyboard.type(session.slug)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**q={session.slug}**")
    tab_to(page, page.locator(f'input[name="_selected_action"][value="{session.pk}"]'))
    page.keyboard.press("Space")
    tab_to(page, page.locator('button[name="action"][value="order_teardown"]'), back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("End and destroy: 1 session")


def tab_to(page: Page, wanted: Any, *, back: bool = False) -> None:
    """Go there with the Tab key, as far as a person would have patience for."""
    for _ in range(60):
        if wanted.evaluate("(one) => one === document.activeElement"):
            break
        page.keyboard.press("Shift+Tab" if back else "Tab")
    expect(wanted).to_be_focused()


def retry(page: Page, console: Working) -> None:
    session = console.begun(failing="create_audience")
    page.goto(session_page(session))
    row = page.locator(".session-owned tbody", has_text="Resend audience")
    row.get_by_role("button", name="Retry").click()
    assert "is live" in confirmed(page, "retry")
    assert ("resend", "api_key") in console.things(session)


def delete_now(page: Page, console: Working) -> None:
    session = console.begun()
    aside(lambda: _ended(session))
    page.goto(reverse("admin:index"))
    row = page.get_by_role("region", name="Stuck resources, table").get_by_role("row", name=f"mk0r-{session.slug}")
    row.get_by_role("button", name="Delete now").click()
    assert "deleted, and not found when looked for again" in confirmed(page, "delete_now")
    assert ("github", "repository") not in console.things(session)


def extend(page: Page, console: Working) -> None:
    session = console.kept()
    page.goto(session_page(session))
    press(page, "Give more time")
    assert "lives until" in confirmed(page, "extend", Hours_from_now="48")
    assert Session.objects.get(pk=session.pk).expires_at > timezone.now() + timedelta(hours=47)


def end_turn(page: Page, console: Working) -> None:
    session = console.begun()
    turn = aside(lambda: _queued(session))
    page.goto(session_page(session))
    press(page, "Stop the turn")
    assert "stopped" in confirmed(page, "end_turn")
    assert Turn.objects.get(pk=turn.pk).state == "cancelled"


def _queued(session: Session) -> Turn:
    """A turn that waits. Its job waits with it: one without a job is taken up, and fails for want of a sandbox."""
    with transaction.atomic():
        turn = Turn.objects.create(session=session, number=1, prompt="a guest book")
        run_turn.configure(schedule_in={"hours": 1}).defer(turn_id=turn.pk)
    return turn


def revoke(page: Page, console: Working) -> None:
    session = console.begun()
    page.goto(session_page(session))
    page.locator("tr", has_text="RESEND_API_KEY").get_by_role("button", name="Revoke").click()
    assert "takes it no more" in confirmed(page, "revoke")
    assert ("resend", "api_key") not in console.things(session)


def archive(page: Page, console: Working) -> None:
    session = console.kept()
    address = reverse("admin:repository", args=[session.slug])
    for button, option, shown in (
        ("Archive", "Archived", "archived, read only"),
        ("Unarchive", "Not archived", "taken"),
    ):
        page.goto(address)
        press(page, f"{button} …")
        expect(page.get_by_label(option, exact=True)).to_be_checked()
        confirmed(page, "archive")
        page.get_by_role("link", name="repository", exact=True).click()
        expect(page.locator(".keys-facts").first).to_contain_text(shown)


def sweep(page: Page, console: Working) -> None:
    page.goto(reverse("admin:orphans"))
    press(page, "Dry run")
    expect(page.get_by_label("Dry: look only")).to_be_checked()
    assert "a live run would delete" in confirmed(page, "sweep")
    page.get_by_role("link", name="orphans", exact=True).click()
    expect(page.locator(".staff-head")).to_contain_text("by hand, dry: nothing was touched")


def pause_vendor(page: Page, console: Working) -> None:
    page.goto(reverse("admin:vendors"))
    press(page, "Stop Neon")
    expect(page.get_by_label("Stopped", exact=True)).to_be_checked()
    page.locator("button[name=confirmed]").click()
    expect(page.locator("#trouble")).to_contain_text("Say why")
    assert "stopped: nothing is made at Neon" in confirmed(page, "pause_vendor")
    page.get_by_role("link", name="vendors", exact=True).click()
    row = page.get_by_role("row", name="Neon").first
    expect(row).to_contain_text("Stopped by staff")
    expect(row).to_contain_text(WHY)
    expect(page.locator("#unwell")).to_contain_text("Neon: stopped by staff")
    press(page, "Use Neon again")
    assert "in use again" in confirmed(page, "pause_vendor")
    assert not Vendor.objects.get(provider="neon").stopped


# What an admin may besides


def forget(page: Page, console: Working) -> None:
    session = console.begun()
    refused = {"vendor": "github", "operation": "delete_repository", "fault": "status:500"}
    console.cloud.set_faults([refused])
    aside(lambda: _ended(session))
    page.goto(session_page(session))
    page.locator(".session-owned tbody", has_text="GitHub repository").get_by_role("button", name="Forget").click()
    page.get_by_label("Reason").fill("")
    page.locator("button[name=confirmed]").click()
    assert page.get_by_label("Reason").evaluate("(one) => one.validity.valueMissing")
    confirmed(page, "forget")
    console.cloud.clear_faults()
    until(lambda: Session.objects.filter(pk=session.pk, state="closed").exists(), "a session closed")
    page.get_by_role("link", name="receipt").click()
    expect(page.locator("main")).to_contain_text(WHY)
    assert console.things(session) == {("github", "repository")}


def _ended(session: Session) -> None:
    """End it, with its repository stuck as after six tries: at once, or the worker has deleted it by then."""
    told = {"reason": "vendor_error", "message": "GitHub did not delete it (500). It is tried again."}
    later = timezone.now() + timedelta(hours=1)
    with transaction.atomic():
        services.session_end(session)
        Resource.objects.filter(session=session, provider="github").update(
            state="stuck", error=told, delete_attempts=6, next_at=later
        )


def rotate(page: Page, console: Working) -> None:
    session = console.begun()
    held = Credential.objects.get(resource__session=session, name="RESEND_API_KEY")
    page.goto(session_page(session))
    page.locator("tr", has_text="RESEND_API_KEY").get_by_role("button", name="Rotate").click()
    assert "the old one is dead at Resend" in confirmed(page, "rotate")
    now = Credential.objects.get(resource__session=session, name="RESEND_API_KEY")
    assert now.reveal().expose() != held.reveal().expose()


def reveal(page: Page, console: Working) -> None:
    session = console.kept()
    held = Credential.objects.get(resource__session=session, name="NEON_ROLE_PASSWORD")
    page.clock.install()
    page.goto(session_page(session))
    page.locator("tr", has_text="NEON_ROLE_PASSWORD").get_by_role("link", name="Reveal").click()
    page.get_by_label("Why").fill(WHY)
    page.get_by_label("Your password, again").fill(PASSWORD)
    page.keyboard.press("Enter")
    shown = page.locator("#reveal-value")
    expect(shown).to_have_text(held.reveal().expose())
    page.clock.fast_forward(31_000)
    expect(shown).to_be_hidden()
    assert held.reveal().expose() not in page.content()
    entry = Entry.objects.get(action="reveal")
    assert (entry.who, entry.reason, entry.session, entry.where) == ("admin", WHY, session.slug, "127.0.0.1")


def transfer(page: Page, console: Working) -> None:
    session = console.begun()
    owner = f"{console.cloud.info['github_owner']}-org"
    page.goto(reverse("admin:repository", args=[session.slug]))
    page.get_by_label("New owner at GitHub").fill(owner)
    press(page, "Give to another owner")
    expect(page.get_by_label("New owner at GitHub")).to_have_value(owner)
    assert f"belongs to {owner} now" in confirmed(page, "transfer")
    page.get_by_role("link", name="repository", exact=True).click()
    expect(page.locator("main")).to_contain_text("It is no longer mk0r's")


def approve(page: Page, console: Working) -> None:
    stray = console.copied()
    page.goto(reverse("admin:orphans"))
    press(page, "Delete and repair all that run")
    expect(page.locator(".order-things")).to_contain_text(stray.external_id)
    assert "1 of 1 deleted" in confirmed(page, "approve")
    assert stray.external_id not in {one["id"] for one in console.cloud.live()}


def delete_stray(page: Page, console: Working) -> None:
    stray = console.copied()
    page.goto(reverse("admin:orphans"))
    press(page, f"Delete audience {stray.name}")
    assert "deleted, and not found when looked for again" in confirmed(page, "delete_stray")
    assert stray.external_id not in {one["id"] for one in console.cloud.live()}


def dismiss(page: Page, console: Working) -> None:
    stray = console.copied()
    page.goto(reverse("admin:orphans"))
    press(page, f"Leave audience {stray.name} alone")
    assert "is left alone" in confirmed(page, "dismiss")
    page.goto(reverse("admin:orphans"))
    row = page.get_by_role("region", name="Left alone").get_by_role("row", name=stray.name)
    expect(row).to_contain_text(WHY)
    assert Stray.objects.get(pk=stray.pk).dismissed_by == "admin"


def adopt(page: Page, console: Working) -> None:
    session = console.begun()
    stray = console.doubled(session, "neon", "project")
    page.goto(reverse("admin:orphans"))
    press(page, f"Give {stray.name} to its session")
    assert "is live" in confirmed(page, "adopt")
    row = Resource.objects.get(session=session, provider="neon")
    assert (row.state, row.external_id) == ("ready", stray.external_id)


def repair(page: Page, console: Working) -> None:
    session = console.begun()
    console.lost(session, "resend", "audience")
    page.goto(reverse("admin:orphans"))
    press(page, f"Repair audience of {session.slug}")
    assert "told to its visitor as lost" in confirmed(page, "repair")
    assert not Ghost.objects.filter(resource__session=session).exists()
    assert Resource.objects.get(session=session, kind="audience").state == "failed"


OPERATES: dict[str, Callable[[Page, Working], None]] = {
    one.__name__: one for one in (teardown, retry, delete_now, extend, end_turn, revoke, archive, sweep, pause_vendor)
}
ADMINISTERS: dict[str, Callable[[Page, Working], None]] = {
    one.__name__: one for one in (forget, rotate, reveal, transfer, approve, delete_stray, dismiss, adopt, repair)
}


def test_every_power_is_used_here_by_those_who_have_it() -> None:
    assert set(OPERATES) | set(ADMINISTERS) == set(POWERS) | {"reveal"}
    for name, group in [
        *((name, groups.OPERATOR) for name in OPERATES),
        *((name, groups.ADMIN) for name in ADMINISTERS),
    ]:
        right = POWERS[name].right if name in POWERS else name
        assert right in groups.GRANTED[group]
        assert (right in groups.GRANTED[groups.OPERATOR]) == (name in OPERATES)


@pytest.mark.parametrize("power", OPERATES)
@pytest.mark.parametrize("group", [groups.OPERATOR, groups.ADMIN])
def test_what_an_operator_may_works(page: Page, console: Working, group: str, power: str) -> None:
    OPERATES[power](page, console)


@pytest.mark.parametrize("power", ADMINISTERS)
@pytest.mark.parametrize("group", [groups.ADMIN])
def test_what_an_admin_may_besides_works(page: Page, console: Working, group: str, power: str) -> None:
    ADMINISTERS[power](page, console)
