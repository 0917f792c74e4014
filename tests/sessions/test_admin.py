"""Staff: they read everything, edit nothing, and end sessions only after seeing what that destroys."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from sessions_app import events, services
from sessions_app.models import Session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sam(transactional_db: None) -> Client:
    """A member of staff who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("sam"))
    return client


def test_every_list_and_page_opens_and_offers_no_edit(sam: Client, session: Session) -> None:
    services.turn_submit(session, "a guest book")
    for model in ("session", "event", "turn", "version"):
        assert sam.get(reverse(f"admin:sessions_app_{model}_changelist")).status_code == 200
        assert sam.get(reverse(f"admin:sessions_app_{model}_add")).status_code == 403
    page = sam.get(reverse("admin:sessions_app_session_change", args=[session.pk]))
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert session.visitor_hash.encode() not in page.content


def test_ending_sessions_takes_a_confirmation_that_lists_what_is_destroyed(sam: Client, session: Session) -> None:
    url = reverse("admin:sessions_app_session_changelist")
    form = {"action": "teardown", "_selected_action": str(session.pk)}
    asked = sam.post(url, form)
    assert f"mk0r-{session.slug}" in asked.text
    session.refresh_from_db()
    assert session.state == "open"
    assert sam.post(url, {**form, "confirmed": "yes"}).status_code == 302
    session.refresh_from_db()
    assert session.state == "closing"
    assert "session.closing" in [event.type for event in events.after(session.pk, 0)]


def test_staff_who_may_only_look_cannot_end_a_session(session: Session) -> None:
    mallory = User.objects.create_user("mallory", is_staff=True)
    mallory.user_permissions.add(
        Permission.objects.get(codename="view_session", content_type__app_label="sessions_app")
    )
    client = Client()
    client.force_login(mallory)
    url = reverse("admin:sessions_app_session_changelist")
    assert client.get(url).status_code == 200
    client.post(url, {"action": "teardown", "_selected_action": str(session.pk), "confirmed": "yes"})
    session.refresh_from_db()
    assert session.state == "open"
