"""Orphans, foreign names and ghosts on one page, and vendors on another: what each group sees there and can order."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from provisioning.models import Bucket, Ghost, Resource, Stray, SweepRun, Vendor
from provisioning.sweep_report import Report
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from staff.models import Undertaking
from tests.staff.rows import counting

pytestmark = pytest.mark.django_db(transaction=True)


def session(**fields: Any) -> Session:
    key = uuid.uuid4()
    return Session.objects.create(id=key, slug=slug_for(key), **fields)


def row(its: Session, provider: str, kind: str, **fields: Any) -> Resource:
    told = {"state": "ready", "attempt": 1, "external_id": f"{kind}-{its.slug}"} | fields
    return Resource.objects.create(session=its, provider=provider, kind=kind, name=f"mk0r-{its.slug}", **told)


def stray(provider: str, kind: str, slug: str = "", **fields: Any) -> Stray:
    now = timezone.now()
    told = {"made_at": now - timedelta(hours=1), "first_seen": now, "last_seen": now, "sightings": 2} | fields
    name = f"mk0r-{slug or slug_for(uuid.uuid4())}"
    return Stray.objects.create(provider=provider, kind=kind, external_id=uuid.uuid4().hex, name=name, **told)


@pytest.fixture
def seen(transactional_db: None) -> dict[str, Any]:
    """What a sweep has left to be looked at: a stray of each kind, a ghost, foreign names, and a run that asks."""
    lost, live = session(), session()
    row(lost, "neon", "project", state="failed", error={"reason": "lost", "message": "lost"})
    ghost = Ghost.objects.create(
        resource=row(live, "resend", "audience"), external_id="x", first_seen=timezone.now(), last_seen=timezone.now()
    )
    row(live, "neon", "project")
    found = {
        "adoptable": stray("neon", "project", lost.slug, why="its row has nothing else and may take it up"),
        "provable": stray("neon", "project", live.slug, provable=True, why="its row owns another or has ended"),
        "asked": stray("resend", "audience", why="this ledger never meant to make it"),
        "left": stray("resend", "audience", dismissed_at=timezone.now(), dismissed_by="eve", dismissed_reason="a copy"),
        "gone": stray("resend", "audience", deleted_at=timezone.now()),
        "ghost": ghost,
    }
    report = Report(
        listed=9, owned=4, unknown=3, foreign=2, foreign_names=["mk0r-<script>", "mk0r-theirs"], held=1,
        asked_ghosts=[ghost.pk],
    )  # fmt: skip
    found["run"] = SweepRun.objects.create(
        ended_at=timezone.now(), state="asking", reason="resend: this ledger never meant to make it",
        report={"resend": report.stored()}, asked={"strays": [found["asked"].pk], "ghosts": [ghost.pk]},
    )  # fmt: skip
    return found


def test_the_page_says_what_is_whose_and_offers_what_each_may_do(
    seen: dict[str, Any], signed_in: Callable[[str], Client]
) -> None:
    address = reverse("admin:orphans")
    viewer, operator, admin = signed_in("viewer"), signed_in("operator"), signed_in("admin")
    page = viewer.get(address)
    assert page.status_code == 200
    for which in ("adoptable", "provable", "asked", "left"):
        assert seen[which].name in page.text
    for said in (
        "never heard of it", "has another, which is live", "failed, and has none", "provably ours", "a copy", "asks",
        "mk0r-&lt;script&gt;", "mk0r-theirs", "Missed since",
    ):  # fmt: skip
        assert said in page.text, said
    assert [(one["name"], one["asked"]) for one in page.context["figures"]] == [("Resend", 2)]  # a stray and a ghost
    assert "about 1 thing at vendors and 1 row." in page.text
    assert seen["gone"].external_id not in page.text
    assert "formaction" not in page.text
    assert "/orders/" not in page.text
    page = operator.get(address)
    assert reverse("admin:order", args=["sweep"]) in page.text
    assert reverse("admin:order", args=["delete_stray"]) not in page.text
    page = admin.get(address)
    for power in ("sweep", "approve", "dismiss", "delete_stray", "adopt", "repair"):
        assert reverse("admin:order", args=[power]) in page.text
    assert page.context["provable"] == [str(seen["provable"].pk)]
    assert page.text.count("Adopt …") == 1  # only the one whose session lost its own
    assert admin.post(address).status_code == 405


def test_what_the_page_offers_leads_to_what_asks_and_a_crafted_post_is_refused(
    seen: dict[str, Any], signed_in: Callable[[str], Client]
) -> None:
    admin, operator = signed_in("admin"), signed_in("operator")
    orders = {
        "delete_stray": seen["provable"].pk, "adopt": seen["adoptable"].pk, "dismiss": f"run-{seen['run'].pk}",
        "approve": seen["run"].pk, "repair": seen["ghost"].pk,
    }  # fmt: skip
    for power, key in orders.items():
        address = reverse("admin:order", args=[power])
        asked = admin.post(address, {"key": key})
        assert (asked.status_code, asked.context["count"]) == (200, 1), power
        assert operator.post(address, {"key": key, "confirmed": "yes", "reason": "x"}).status_code == 403
    assert (
        seen["asked"].external_id
        in admin.post(reverse("admin:order", args=["approve"]), {"key": orders["approve"]}).text
    )
    refused = admin.post(
        reverse("admin:order", args=["sweep"]), {"key": "all", "option.dry": "false", "confirmed": "yes"}
    )
    assert "Dry run first" in refused.context["trouble"]
    assert not Undertaking.objects.exists()
    taken = admin.post(
        reverse("admin:order", args=["delete_stray"]), {"keys": orders["delete_stray"], "confirmed": "yes"}
    )
    assert taken.status_code == 302


def test_the_pages_cost_the_same_however_much_there_is(
    seen: dict[str, Any], signed_in: Callable[[str], Client]
) -> None:
    viewer, costs = signed_in("viewer"), []
    for _ in range(2):
        for name in ("orphans", "vendors"):
            with counting() as queries:
                assert viewer.get(reverse(f"admin:{name}")).status_code == 200
            costs.append(len(queries))
        for _ in range(30):
            its = session()
            ghost = row(its, "github", "repository")
            now = timezone.now()
            Ghost.objects.create(resource=ghost, external_id=ghost.external_id, first_seen=now, last_seen=now)
            row(its, "neon", "project", state="planned", attempt=0, external_id="", place_at=now, queued_at=now)
            stray("neon", "project", its.slug)
    assert costs[:2] == costs[2:]


def test_each_vendor_says_how_it_treats_us_and_who_stopped_it(
    signed_in: Callable[[str], Client], settings: Any, db: None
) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    settings.E2B_API_KEY, settings.NEON_API_KEY, settings.RESEND_API_KEY, settings.GITHUB_TOKEN = "", "n", "r", "g"
    settings.POSTHOG_PROJECT_KEY = "p"
    Vendor.objects.create(provider="neon", stopped=True, stopped_by="eve", stopped_reason="the bill", stopped_at=soon)
    Vendor.objects.create(provider="resend", paused_until=soon, pauses=1)
    Vendor.objects.create(provider="github", refusals=3, probe_at=soon)
    Bucket.objects.create(provider="resend", seconds=1, booked_until=soon)
    its = session()
    row(its, "resend", "audience", state="planned", attempt=0, external_id="", place_at=soon, queued_at=timezone.now())
    viewer, operator = signed_in("viewer"), signed_in("operator")
    page = viewer.get(reverse("admin:vendors"))
    states = {one.provider: one.word for one in page.context["vendors"]}
    assert states == {
        "posthog": "Computed here", "github": "Refuses our key", "resend": "Asked us to wait", "e2b": "Not set up",
        "neon": "Stopped by staff",
    }  # fmt: skip
    for said in ("by eve: the bill", "E2B_API_KEY is not set", "5 a second", its.slug):
        assert said in page.text, said
    assert "/orders/" not in page.text
    page = operator.get(reverse("admin:vendors"))
    assert "Use Neon again" in page.text
    assert "Stop Resend" in page.text
    assert "Stop PostHog" not in page.text  # nothing is asked of it
    asked = operator.post(reverse("admin:order", args=["pause_vendor"]), {"key": "resend", "option.stopped": "true"})
    assert "legs not begun, which fail" in asked.text
