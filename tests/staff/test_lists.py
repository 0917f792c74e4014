"""Lists: everything to read, nothing to edit, orders for those who may; and the same cost however long they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gateway.models import MailSend, ModelCall
from provisioning.models import Alert, Credential, Resource, SweepRun
from sessions_app import events
from sessions_app.models import Session, Turn, Version
from staff.models import Undertaking
from tests.staff.rows import new_session, plenty, queries, read_whole, sealed

pytestmark = pytest.mark.django_db(transaction=True)

LISTS = (
    "sessions_app_session", "sessions_app_event", "sessions_app_turn", "sessions_app_version", "provisioning_resource",
    "provisioning_credential", "provisioning_alert", "provisioning_sweeprun", "provisioning_stray",
    "provisioning_ghost", "gateway_modelcall", "gateway_mailsend", "staff_entry", "staff_undertaking",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _keyed(settings: Any) -> None:
    """PostHog is ready as soon as it is planned, which takes a key and nothing else."""
    settings.POSTHOG_PROJECT_KEY = "phc_test"


def address(model: str, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{model}_{page}", args=args)


def slugs(answer: Any) -> list[str]:
    """Slugs of the sessions a list shows, in its order."""
    return [row.slug for row in answer.context["cl"].result_list]


@pytest.fixture
def rich() -> Session:
    """A session with one of everything."""
    session = new_session(title="A guest book for our hut")
    turn = Turn.objects.create(session=session, number=1, prompt="a guest book", state="running")
    Version.objects.create(session=session, number=1, sha="c0ffee" + "0" * 34, tree="1" * 40, message="v", turn=turn)
    events.append(session.pk, "turn.started", {"turn": 1, "prompt": "a guest book"})
    ModelCall.objects.create(session=session, turn=turn, model="claude-x", status=200, complete=True)
    MailSend.objects.create(session=session, recipients=2)
    Alert.objects.create(kind="resource_stuck", subject="neon/project/mk0r-x", text="It is stuck.")
    SweepRun.objects.create(dry=True)
    sealed(session)
    return session


def test_every_list_and_row_opens_for_a_viewer_and_nothing_can_be_edited(
    signed_in: Callable[[str], Client], rich: Session
) -> None:
    viewer = signed_in("viewer")
    for model in LISTS:
        listed = viewer.get(address(model))
        assert listed.status_code == 200, model
        assert 'name="action"' not in listed.text
        assert viewer.get(address(model, "add")).status_code == 403
        for row in list(listed.context["cl"].result_list)[:1]:
            shown = viewer.get(address(model, "change", row.pk), follow=True)
            assert shown.status_code == 200
            assert 'name="_save"' not in shown.text
            assert rich.visitor_hash == "" or rich.visitor_hash not in shown.text
            assert viewer.post(address(model, "change", row.pk), {"state": "gone"}).status_code in {302, 403}
            assert viewer.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert Session.objects.get(pk=rich.pk).state == "open"


def test_i15_no_list_or_page_shows_a_value_or_its_ciphertext(signed_in: Callable[[str], Client], rich: Session) -> None:
    sam, held = signed_in("superuser"), Credential.objects.get()
    pages = [
        address("provisioning_credential"), address("provisioning_credential", "change", held.pk),
        address("provisioning_resource"), address("provisioning_resource", "change", held.resource_id),
        reverse("admin:session", args=[rich.slug]),
    ]  # fmt: skip
    for page in pages:
        answer = sam.get(page)
        assert answer.status_code == 200
        for secret in ("canary", held.ciphertext, held.fingerprint):
            assert secret not in answer.text
    for probe in ("ciphertext__startswith=v1", f"fingerprint__exact={held.fingerprint}"):
        assert sam.get(f"{address('provisioning_credential')}?{probe}").status_code == 400


def test_an_action_is_offered_to_those_who_may_and_asks_before_anything_happens(
    signed_in: Callable[[str], Client], rich: Session
) -> None:
    form = {"action": "order_teardown", "index": "0", "_selected_action": [str(rich.pk)]}
    listed = address("sessions_app_session")
    viewer, operator = signed_in("viewer"), signed_in("operator")
    assert "order_teardown" not in viewer.get(listed).text
    viewer.post(listed, {**form, "confirmed": "yes"})
    assert not Undertaking.objects.exists()
    assert "order_teardown" in operator.get(listed).text
    asked = operator.post(listed, form)
    assert asked.status_code == 200
    assert f"mk0r-{rich.slug}" in asked.text
    assert not Undertaking.objects.exists()
    assert operator.post(listed, {**form, "confirmed": "yes"}).status_code == 302
    assert Undertaking.objects.get().errands.get().key == str(rich.pk)


def test_all_that_match_can_be_chosen_beyond_the_page_that_is_shown(signed_in: Callable[[str], Client]) -> None:
    plenty(120, 1)
    operator, listed = signed_in("operator"), f"{address('sessions_app_session')}?prompted=no"
    shown = slugs(operator.get(listed))
    assert len(shown) == 40
    page = operator.get(address("sessions_app_session"))
    assert 'name="select_across"' in page.text
    first = str(Session.objects.get(slug=shown[0]).pk)
    form = {"action": "order_extend", "index": "0", "_selected_action": [first], "select_across": "1"}
    operator.post(listed, {**form, "confirmed": "yes", "option.hours": "2"})
    assert Undertaking.objects.get().errands.count() == 40


def test_pages_follow_each_other_without_gap_or_repetition_and_back(signed_in: Callable[[str], Client]) -> None:
    plenty(120, 1)
    viewer, listed = signed_in("viewer"), address("sessions_app_session")
    page, seen = viewer.get(listed), []
    while True:
        seen.append(slugs(page))
        if not (older := page.context["cl"].older):
            break
        page = viewer.get(listed + older)
    assert [len(one) for one in seen] == [50, 50, 20]
    expected = list(Session.objects.order_by("-created_at", "-id").values_list("slug", flat=True))
    assert [slug for one in seen for slug in one] == expected
    for earlier in reversed(seen[:-1]):
        page = viewer.get(listed + page.context["cl"].newer)
        assert slugs(page) == earlier
    assert not page.context["cl"].newer
    for crooked in ("older=x", "older=2020-01-01~x", "newer=~", "state__exact=%00", "older=9~9~9"):
        assert viewer.get(f"{listed}?{crooked}").status_code in {200, 302}
    assert viewer.get(f"{address('sessions_app_event')}?older=99999999999999999999999").status_code in {200, 302}


def test_sessions_are_narrowed_by_how_they_stand(signed_in: Callable[[str], Client]) -> None:
    whole, broken, stuck, busy, closed = (new_session() for _ in range(5))
    Resource.objects.filter(session=whole).update(state="ready", external_id="x")
    trouble = {"reason": "quota", "message": "Neon refused."}
    failed = {"state": "failed", "error": trouble, "settled_at": timezone.now()}
    Resource.objects.filter(session=broken, provider="neon").update(**failed)
    Resource.objects.filter(session=stuck, provider="resend", kind="audience").update(state="stuck", error=trouble)
    Turn.objects.create(session=busy, number=1, prompt="x", state="queued")
    Session.objects.filter(pk=busy.pk).update(spent_usd="1.25", prompted_at=timezone.now())
    Session.objects.filter(pk=closed.pk).update(state="closed", created_at=timezone.now() - timedelta(days=3))
    viewer, listed = signed_in("viewer"), address("sessions_app_session")
    for query, found in {
        "legs=live": [whole], "legs=failed": [broken], "legs=stuck": [stuck], "turn=running": [busy],
        "spend=1": [busy], "spend=5": [], "prompted=yes": [busy], "state__exact=closed": [closed],
        "age=day": [busy, stuck, broken, whole], "age=nonsense": [closed, busy, stuck, broken, whole],
    }.items():  # fmt: skip
        assert set(slugs(viewer.get(f"{listed}?{query}"))) == {one.slug for one in found}, query
    resources = address("provisioning_resource")
    for query, found in {
        "reason=quota": 2, "state__exact=stuck": 1, "provider__exact=neon&state__exact=failed": 1,
        f"session={broken.slug}": 6, "age=hour": 6, "session=no-slug": 0,
    }.items():  # fmt: skip
        assert viewer.get(f"{resources}?{query}").context["cl"].result_count == found, query
    assert f"mk0r-{stuck.slug}" in viewer.get(resources, {"state__exact": "stuck"}).text


def test_a_session_is_found_by_slug_title_or_what_it_has_at_a_vendor(signed_in: Callable[[str], Client]) -> None:
    mine, other = new_session(title="A guest-book for our mountain hut"), new_session(title="Bookings")
    Resource.objects.filter(session=mine, provider="neon").update(external_id="aged-boat-12345678")
    Resource.objects.filter(session=mine, provider="github").update(external_id=f"Acme/mk0r-{mine.slug}")
    viewer, listed = signed_in("viewer"), address("sessions_app_session")
    for words in (
        mine.slug, mine.slug[:6], mine.slug.upper(), f"mk0r-{mine.slug}", f"https://github.com/Acme/mk0r-{mine.slug}",
        f"http://localhost:8000/s/{mine.slug}", "aged-boat-12345678", "aged-boat", "guest", "hut mount", "book hut",
    ):  # fmt: skip
        assert slugs(viewer.get(listed, {"q": words})) == [mine.slug], words
    assert set(slugs(viewer.get(listed, {"q": "book"}))) == {mine.slug, other.slug}
    for words in ("%", "_", "'", "!&|:*", "\x00", "nothing here", "  ", "mk0r-"):
        assert viewer.get(listed, {"q": words}).status_code == 200
    for words in ("aged-boat", f"mk0r-{mine.slug}", mine.slug[:8]):
        found = viewer.get(address("provisioning_resource"), {"q": words}).context["cl"].result_list
        assert {row.session_id for row in found} == {mine.pk}, words


def test_a_session_is_told_in_one_line(signed_in: Callable[[str], Client], rich: Session) -> None:
    Session.objects.filter(pk=rich.pk).update(spent_usd="0.34")
    line = signed_in("viewer").get(address("sessions_app_session")).text
    for told in (
        reverse("admin:session", args=[rich.slug]), "Building", "Neon planned", "PostHog", "1 running", "$0.34",
        "turn.started", "A guest book for our hut",
    ):  # fmt: skip
        assert told in line, told


@pytest.fixture
def viewer(signed_in: Callable[[str], Client]) -> Iterator[Client]:
    """A viewer whose first request, which reads the rights, is over."""
    client = signed_in("viewer")
    client.get(address("sessions_app_session"))
    return client


QUESTIONS = {
    "sessions_app_session": (
        "", "q=zzzz0000000a", "q=guest+12", "q=project-zzz", "state__exact=open", "legs=failed", "legs=stuck",
        "turn=running", "age=week",
    ),
    "provisioning_resource": (
        "", "q=mk0r-zzzzzzzzzz1", "state__exact=stuck", "state__exact=failed", "reason=quota", "age=hour",
        "provider__exact=neon", "session=zzzzzzzzzz12",
    ),
    "sessions_app_event": ("", "type=session.closed", "type=agent.text", "session=zzzzzzzzzz12", "q=zzzzzzzzzz12"),
    "sessions_app_turn": ("", "state__exact=failed", "age=hour", "session=zzzzzzzzzz12"),
}  # fmt: skip


@pytest.mark.slow
def test_lists_cost_the_same_however_long_and_never_read_the_log_from_end_to_end(viewer: Client) -> None:
    plenty(60, 5)
    pages = [f"{address(model)}?{asked}" for model, asks in QUESTIONS.items() for asked in asks]
    pages.append(reverse("admin:session", args=[Session.objects.order_by("slug")[0].slug]))
    few = {page: len(queries(viewer, page)) for page in pages}
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE sessions_app_session CASCADE")
    plenty(5_000, 40)
    big = {"sessions_app_event", "provisioning_resource"}
    for page in pages:
        asked = queries(viewer, page)
        assert len(asked) <= few[page], page
        assert not [sql for sql in asked if "COUNT(" in sql.upper()], page
        for sql in asked:
            assert not read_whole(sql) & big, (page, sql)
    older = viewer.get(address("sessions_app_event")).context["cl"].older
    assert not set().union(*(read_whole(sql) for sql in queries(viewer, address("sessions_app_event") + older))) & big


def test_a_member_without_a_right_to_look_is_let_into_no_list(member: Callable[[str], User], rich: Session) -> None:
    mallory = User.objects.create_user("mallory", is_staff=True)
    client = Client()
    client.force_login(mallory)
    for model in LISTS:
        assert client.get(address(model)).status_code == 403, model
    assert client.get(address("sessions_app_session", "change", rich.pk)).status_code == 403
    assert client.get(reverse("admin:session", args=[rich.slug])).status_code == 403


def test_ways_into_djangos_admin_that_no_page_of_ours_leads_to_are_closed(
    signed_in: Callable[[str], Client], rich: Session
) -> None:
    browser = signed_in("superuser")
    for path in ("r/1/abc/", "autocomplete/", "autocomplete/?app_label=staff&model_name=undertaking&field_name=by"):
        assert browser.get(f"/admin/{path}").status_code == 404, path
