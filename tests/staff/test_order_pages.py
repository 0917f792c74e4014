"""The page that asks before something is done, the one that follows it, and who may see either."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from provisioning.models import Resource
from sessions_app.models import Session
from sessions_app.slugs import slug_for
from staff.models import Errand, Undertaking
from staff.powers import Effect
from staff.undertakings import MOST
from tests.staff.rows import counting

pytestmark = pytest.mark.django_db(transaction=True)


def sessions(count: int) -> list[Session]:
    """Open sessions that each own a repository and a database, as rows say."""
    made = [Session(id=key, slug=slug_for(key)) for key in (uuid.uuid4() for _ in range(count))]
    Session.objects.bulk_create(made)
    for provider, kind in (("github", "repository"), ("neon", "project")):
        Resource.objects.bulk_create(
            Resource(
                session=one, provider=provider, kind=kind, name=f"mk0r-{one.slug}", state="ready", attempt=1,
                external_id=f"{kind}-{one.slug}",
            )
            for one in made
        )  # fmt: skip
    return made


def keys(chosen: list[Session]) -> dict[str, Any]:
    return {"key": [str(one.pk) for one in chosen]}


def test_many_are_destroyed_only_once_their_number_was_typed(signed_in: Callable[[str], Client]) -> None:
    operator, address = signed_in("operator"), reverse("admin:order", args=["teardown"])
    eleven, ten = sessions(11), sessions(10)
    asked = operator.post(address, keys(eleven))
    assert asked.context["tally"] == [(11, "repositories", "GitHub"), (11, "projects", "Neon")]
    assert "Type 11 to confirm" in asked.text
    for typed in ("", "10", "eleven"):
        refused = operator.post(address, {**keys(eleven), "confirmed": "yes", "typed": typed})
        assert (refused.status_code, refused.context["trouble"][:8]) == (400, "Type 11,")
    assert not Undertaking.objects.exists()
    assert operator.post(address, {**keys(eleven), "confirmed": "yes", "typed": " 11 "}).status_code == 302
    assert "Type 10" not in operator.post(address, keys(ten)).text
    assert operator.post(address, {**keys(ten), "confirmed": "yes"}).status_code == 302
    assert Errand.objects.count() == 21


def test_the_page_that_asks_costs_the_same_for_many_and_takes_as_many_as_may_be_ordered(
    signed_in: Callable[[str], Client],
) -> None:
    operator, address = signed_in("operator"), reverse("admin:order", args=["teardown"])
    costs = []
    for chosen in (sessions(2), sessions(300)):
        with counting() as queries:
            asked = operator.post(address, keys(chosen))
        costs.append(len(queries))
        assert asked.context["count"] == len(chosen)
    assert costs[0] == costs[1]
    assert "and 100 more" in asked.text
    all_of_them = [str(uuid.uuid4()) for _ in range(MOST - 1)] + [str(chosen[0].pk)]
    asked = operator.post(address, {"keys": " ".join(all_of_them)})
    assert (asked.status_code, asked.context["count"]) == (200, 1)
    too_many = operator.post(address, {"keys": " ".join([*all_of_them, str(chosen[1].pk)])}, follow=True)
    assert f"At most {MOST}" in too_many.text


def test_what_was_filled_in_is_kept_when_the_order_is_not_taken(signed_in: Callable[[str], Client]) -> None:
    admin, [session] = signed_in("admin"), sessions(1)
    address = reverse("admin:order", args=["extend"])
    assert 'name="option.hours" value="24"' in admin.post(address, keys([session])).text
    form = {**keys([session]), "option.hours": "1000", "reason": "<b>a talk</b>", "confirmed": "yes"}
    asked = admin.post(address, form)
    assert asked.status_code == 400
    assert "up to 168" in asked.context["trouble"]
    assert 'value="1000"' in asked.text
    assert "&lt;b&gt;a talk" in asked.text
    assert admin.post(address, {**form, "option.hours": "2"}).status_code == 302
    assert Undertaking.objects.get().options == {"hours": 2.0}
    switch = reverse("admin:order", args=["pause_vendor"])
    asked = admin.post(switch, {"key": "neon", "option.stopped": "true", "confirmed": "yes"})
    assert "Say why" in asked.context["trouble"]
    assert re.search(r'value="true" checked', asked.text)


def test_cancel_leads_back_into_the_console_and_nowhere_else(signed_in: Callable[[str], Client]) -> None:
    operator, [session] = signed_in("operator"), sessions(1)
    address, start = reverse("admin:order", args=["teardown"]), reverse("admin:index")
    there = f"{start}sessions_app/session/?state__exact=open"
    for came_from, expected in {
        f"http://testserver{there}": there,
        f"http://testserver{address}": start,
        "http://testserver/s/aaaaaaaaaaaa": start,
        "https://evil.example/admin/": start,
        "//evil.example/admin/": start,
        "javascript:alert(1)": start,
        "": start,
    }.items():
        for request in ({"headers": {"referer": came_from}}, {"data": {"back": came_from}}):
            asked = operator.post(
                address, {**keys([session]), **request.get("data", {})}, headers=request.get("headers")
            )
            assert asked.context["back"] == expected, came_from
    nothing = operator.post(address, {"key": "no-such"}, headers={"referer": f"http://testserver{there}"})
    assert nothing.url == there


def test_an_undertaking_is_followed_by_whoever_may_look_and_says_each_state_in_words(
    signed_in: Callable[[str], Client], client: Client
) -> None:
    made = Undertaking.objects.create(power="teardown", by_name="sam", where="shell", reason="<i>spam</i>")
    states = ["done", "failed", "nothing", "working", "waiting"]
    Errand.objects.bulk_create(
        Errand(undertaking=made, number=number, key=str(number), label=f"app{number}", state=state, words=f"w<{number}")
        for number, state in enumerate(states, 1)
    )
    viewer = signed_in("viewer")
    page = viewer.get(reverse("admin:undertaking", args=[made.pk]))
    for said in ("done", "failed", "nothing to do", "under way", "waiting", "&lt;i&gt;spam", "w&lt;3"):
        assert said in page.text
    assert '<progress id="bar" max="5" value="3"' in page.text
    assert '<noscript><meta http-equiv="refresh"' in page.text
    told = viewer.get(reverse("admin:undertaking_state", args=[made.pk])).json()
    assert told["tally"] == dict.fromkeys(states, 1)
    assert [one["state"] for one in told["errands"]] == states
    assert told["finished"] is None
    for name in ("undertaking", "undertaking_state"):
        assert client.get(reverse(f"admin:{name}", args=[made.pk])).status_code == 302  # to the door
        assert viewer.get(reverse(f"admin:{name}", args=[uuid.uuid4()])).status_code == 404


def test_an_effect_that_exists_nowhere_is_listed_and_not_counted() -> None:
    from staff.pages.orders import tally_of

    effects = {
        "a": [Effect("Neon", "project", "x"), Effect("Neon", "project", "y", exists=False)],
        "b": [Effect("E2B", "sandbox", "z"), Effect("E2B", "sandbox", "q")],
    }
    assert tally_of(effects) == [(1, "project", "Neon"), (2, "sandboxes", "E2B")]


def test_staff_read_the_receipt_of_a_session_that_ends_and_nothing_else_of_a_visitors_pages(
    signed_in: Callable[[str], Client], client: Client
) -> None:
    [session] = sessions(1)
    viewer, address = signed_in("viewer"), f"/s/{session.slug}/receipt"
    assert viewer.get(address).status_code == 404  # it is open
    Session.objects.filter(pk=session.pk).update(state="closing")
    shown = viewer.get(address)
    assert shown.status_code == 200
    assert f"mk0r-{session.slug}" in shown.text
    assert "Download as JSON" not in shown.text
    assert viewer.get(f"/s/{session.slug}").status_code == 404
    assert client.get(address).status_code == 404


def test_an_order_whose_page_was_left_is_found_again_in_the_list(signed_in: Callable[[str], Client]) -> None:
    viewer = signed_in("viewer")
    made = Undertaking.objects.create(power="teardown", by_name="sam", where="shell")
    page, row = reverse("admin:undertaking", args=[made.pk]), reverse("admin:staff_undertaking_change", args=[made.pk])
    assert f'href="{page}"' in viewer.get(reverse("admin:staff_undertaking_changelist")).text
    assert viewer.get(row)["Location"] == page
    assert viewer.post(row, {"power": "extend"}).status_code == 403
    assert viewer.get(reverse("admin:staff_undertaking_change", args=[uuid.uuid4()])).status_code == 404
    assert viewer.get(page).status_code == 200
