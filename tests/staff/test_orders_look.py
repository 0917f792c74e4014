"""Orders in a browser: asked for and confirmed by keyboard, followed live, at a desk and on a phone, light and dark."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from provisioning.models import Ghost, Resource, Stray, SweepRun, Vendor
from provisioning.sweep_report import Report
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from staff.models import Errand, Undertaking
from tests.staff.browsing import Seat, key_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]


def sessions(count: int) -> list[Session]:
    made = [Session(id=one, slug=slug_for(one), title="A guest book") for one in (uuid.uuid4() for _ in range(count))]
    Session.objects.bulk_create(made)
    for provider, kind in (("github", "repository"), ("resend", "audience"), ("neon", "project")):
        Resource.objects.bulk_create(
            Resource(
                session=one, provider=provider, kind=kind, name=f"mk0r-{one.slug}", state="ready", attempt=1,
                external_id=f"{kind}-{one.slug}",
            )
            for one in made
        )  # fmt: skip
    return made


def undertaking(*states: str) -> Undertaking:
    made = Undertaking.objects.create(power="teardown", by_name="sam", where="192.0.2.7", reason="A flood of spam.")
    Errand.objects.bulk_create(
        Errand(undertaking=made, number=number, key=str(number), label=slug_for(uuid.uuid4()), state=state)
        for number, state in enumerate(states, 1)
    )
    return made


def trouble(chosen: list[Session]) -> None:
    """What a sweep found: strays of every kind, a ghost, foreign names; and vendors in every mood."""
    now = timezone.now()
    fields = {"made_at": now, "first_seen": now, "last_seen": now, "sightings": 3}
    kinds: list[dict[str, Any]] = [
        {"provable": True, "why": "its row owns another or has ended"},
        {"why": "this ledger never meant to make it"},
        {"approved_at": now, "why": "it is too young"},
        {"dismissed_at": now, "dismissed_by": "eve", "dismissed_reason": "The other office runs a copy."},
    ]
    strays = []
    for number, (session, told) in enumerate(zip(chosen, kinds, strict=False)):
        its = {"external_id": f"wild-bird-{number}", "name": f"mk0r-{session.slug}"} | fields | told
        strays.append(Stray.objects.create(provider="neon", kind="project", **its))
    row = Resource.objects.filter(provider="resend").latest("pk")
    Ghost.objects.create(resource=row, external_id=row.external_id, first_seen=now, last_seen=now)
    report = Report(listed=40, owned=31, unknown=4, foreign=5, ghosts=1, foreign_names=["mk0r-theirs", "mk0r-old"])
    report.trouble.append("no whole list of audience")
    SweepRun.objects.create(
        ended_at=now, state="asking", reason="neon: this ledger never meant to make it", by_hand=True, dry=True,
        report={"neon": report.stored(), "resend": Report(listed=3, owned=3).stored()},
        asked={"strays": [strays[1].pk], "ghosts": []},
    )  # fmt: skip
    Vendor.objects.create(provider="neon", stopped=True, stopped_by="eve", stopped_reason="The bill.", stopped_at=now)
    Vendor.objects.create(provider="github", refusals=3, probe_at=now)


def test_the_pages_of_orders_orphans_and_vendors_at_a_desk_and_on_a_phone(
    site: str, chrome: Browser, member: Callable[[str], User]
) -> None:
    key, chosen = key_of(member("admin")), sessions(12)
    trouble(chosen)
    made = undertaking("done", "failed", "nothing", "working", "waiting")
    made.errands.filter(state="done").update(words="all gone, proved", link="/s/abcdefgh1234/receipt")
    made.errands.filter(state="failed").update(
        words="the vendor did not do it: delete_repository: remember (status 500)"
    )
    pages = {
        "orphans": "/admin/orphans/",
        "vendors": "/admin/vendors/",
        "undertaking": f"/admin/undertakings/{made.pk}/",
    }
    found: list[str] = []
    for size, scheme in (("desk", "light"), ("phone", "dark"), ("desk", "dark"), ("phone", "light")):
        seat = Seat(chrome, site, key, size=size, scheme=scheme)
        for name, address in pages.items():
            seat.go(address)
            found += seat.faults(name)
        choose(seat.page, chosen)
        found += seat.faults("order")
        seat.go("/admin/vendors/").get_by_role("button", name="Stop Resend").click()
        seat.page.wait_for_url("**/pause_vendor/")
        found += seat.faults("switch")
    assert not found, "\n".join(found)


def choose(page: Page, chosen: list[Session]) -> None:
    """Choose these in the list, and what is to be done with them."""
    page.goto("/admin/sessions_app/session/")
    for session in chosen:
        page.locator(f'input[name="_selected_action"][value="{session.pk}"]').check()
    page.locator('button[name="action"][value="order_teardown"]').click()
    page.get_by_role("heading", name=f"End and destroy: {len(chosen)} sessions").wait_for()


def test_an_order_is_confirmed_by_keyboard_and_followed_to_its_end(
    site: str, chrome: Browser, member: Callable[[str], User]
) -> None:
    chosen = sessions(11)
    seat = Seat(chrome, site, key_of(member("admin")), size="phone")
    page = seat.page
    choose(page, chosen)
    expect(page.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("spam")
    page.keyboard.press("Tab")
    page.keyboard.type("11")
    page.keyboard.press("Enter")
    page.wait_for_url("**/undertakings/**")
    label = Errand.objects.get(number=1, undertaking__reason="spam").label
    assert Errand.objects.count() == 11
    row, link = page.locator('tr[data-number="1"]'), f"/s/{label}/receipt"
    expect(row).to_contain_text("waiting")
    Errand.objects.filter(number__lte=5).update(state="done", words="all gone, proved", link=link)
    Errand.objects.filter(number=6).update(state="failed", words="the vendor did not do it")
    expect(row).to_contain_text("all gone, proved")
    expect(row.get_by_role("link", name="receipt")).to_have_attribute("href", link)
    expect(page.locator("#said")).to_have_text("6 of 11 ended, 1 failed.")
    assert page.locator("progress").evaluate("(one) => one.value") == 6
    Errand.objects.filter(number__gt=6).update(state="nothing", words="had ended before")
    Undertaking.objects.update(finished_at=timezone.now())
    expect(page.locator("#said")).to_have_text("Finished: 5 done, 5 had nothing to do, 1 failed.")
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    assert seat.said == []
