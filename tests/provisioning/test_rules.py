"""What the database itself refuses, whoever writes: the invariants that are rules and not habits."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from provisioning import services
from provisioning.models import Credential, Resource
from provisioning.secrets import Lapsed, Secret
from sessions_app import events
from sessions_app.models import Session
from sessions_app.slugs import slug_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> Session:
    session_id = uuid.uuid4()
    made = Session.objects.create(id=session_id, slug=slug_for(session_id))
    services.plan(made)
    return made


@pytest.fixture
def row(session: Session) -> Resource:
    return Resource.objects.get(session=session, provider="neon")


def refused(rule: str, change: Any) -> None:
    """The change breaks that rule of the database."""
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        change()


def _set(row: Resource, **fields: Any) -> Any:
    return lambda: Resource.objects.filter(pk=row.pk).update(**fields)


def test_i1_one_row_per_session_vendor_and_kind_and_one_owner_per_thing(session: Session, row: Resource) -> None:
    again = {"session": session, "provider": "neon", "kind": "project", "name": "mk0r-x"}
    refused("resource_once_per_session", lambda: Resource.objects.create(**again))
    other = Resource.objects.create(**(again | {"kind": "branch"}))
    Resource.objects.filter(pk=row.pk).update(external_id="ep-1", state="ready", attempt=1)
    refused("resource_owned_once", _set(other, kind="project", session_id=_other_session().pk, external_id="ep-1"))


def _other_session() -> Session:
    session_id = uuid.uuid4()
    return Session.objects.create(id=session_id, slug=slug_for(session_id))


def test_i2_nothing_is_in_flight_that_nobody_claimed(row: Resource) -> None:
    refused("resource_in_flight_was_claimed", _set(row, state="creating"))
    refused("resource_in_flight_was_claimed", _set(row, state="unknown"))


def test_i3_an_attempt_only_rises(row: Resource) -> None:
    Resource.objects.filter(pk=row.pk).update(attempt=3)
    refused("has had attempt", _set(row, attempt=2))


def test_i7_gone_is_proved_or_forgotten_for_a_reason_and_final(row: Resource) -> None:
    refused("resource_gone_is_proved_or_forgotten", _set(row, state="gone"))
    refused("resource_forgotten_for_a_reason", _set(row, state="gone", forgotten_at=timezone.now()))
    Resource.objects.filter(pk=row.pk).update(state="gone", verified_at=timezone.now())
    refused("gone for good", _set(row, state="planned"))


def test_trouble_has_words(row: Resource) -> None:
    refused("resource_trouble_has_words", _set(row, state="failed"))
    refused("resource_trouble_has_words", _set(row, state="stuck"))
    refused("resource_ready_has_id", _set(row, state="ready"))


def test_i9_a_row_stays_while_its_thing_may_live(row: Resource) -> None:
    refused("its row stays", lambda: Resource.objects.filter(pk=row.pk).delete())
    Resource.objects.filter(pk=row.pk).update(state="gone", verified_at=timezone.now())
    Resource.objects.filter(pk=row.pk).delete()


def _credential(row: Resource, expires_at: Any) -> Credential:
    credential = Credential(resource=row, name="DATABASE_URL", expires_at=expires_at)
    credential.seal(Secret("postgresql://u:p@host/db"))
    credential.save()
    return credential


def test_i12_no_lease_is_longer_than_its_session(session: Session, row: Resource) -> None:
    refused("session at the latest", lambda: _credential(row, session.expires_at + timedelta(seconds=1)))
    credential = _credential(row, session.expires_at)
    later = session.expires_at + timedelta(hours=1)
    refused("session at the latest", lambda: Credential.objects.filter(pk=credential.pk).update(expires_at=later))
    sooner = timezone.now() + timedelta(minutes=1)
    Session.objects.filter(pk=session.pk).update(expires_at=sooner)
    credential.refresh_from_db()
    assert credential.expires_at == sooner


def test_i13_what_is_revoked_is_wiped(session: Session, row: Resource) -> None:
    credential = _credential(row, session.expires_at)
    revoke = Credential.objects.filter(pk=credential.pk)
    refused("credential_revoked_is_wiped", lambda: revoke.update(revoked_at=timezone.now()))


def test_i14_what_has_lapsed_is_refused_before_it_is_revoked(session: Session, row: Resource) -> None:
    credential = _credential(row, timezone.now() - timedelta(seconds=1))
    with pytest.raises(Lapsed):
        credential.reveal()
    assert credential.reveal_to_redact().expose().startswith("postgresql://")
    assert "postgresql://u:p@host/db" in services.secret_values(session)  # it is still kept out of the log
    Resource.objects.filter(session=session).update(state="ready", external_id="x", attempt=1)
    assert "DATABASE_URL" not in services.env_entries(session)


def test_the_event_log_is_only_added_to(session: Session) -> None:
    event = events.append(session.pk, "notice", {"level": "info", "text": "hello"})
    refused("only ever added to", lambda: events.Event.objects.filter(pk=event.pk).update(type="x"))
    refused("only ever added to", lambda: events.Event.objects.filter(pk=event.pk).delete())
