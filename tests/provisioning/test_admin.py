"""Staff can read the ledger; nobody can edit it, and no value of a credential is on a page."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from provisioning import services
from provisioning.models import Credential, Resource
from provisioning.secrets import Secret
from sessions_app.models import Session
from sessions_app.slugs import slug_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def credential() -> Credential:
    session_id = uuid.uuid4()
    session = Session.objects.create(id=session_id, slug=slug_for(session_id))
    services.plan(session)
    row = Resource.objects.get(session=session, provider="neon")
    sealed = Credential(resource=row, name="NEON_ROLE_PASSWORD", expires_at=timezone.now() + timedelta(hours=1))
    sealed.seal(Secret("canary-canary-canary"))
    sealed.save()
    return sealed


@pytest.fixture
def sam(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("sam", password="sam"))
    return client


def address(name: str, *args: Any) -> str:
    try:
        return reverse(f"admin:provisioning_{name}", args=args)
    except NoReverseMatch:
        pytest.skip("the staff pages are not mounted")


def test_i15_no_page_shows_a_value_or_its_ciphertext(sam: Client, credential: Credential) -> None:
    pages = [
        address("credential_changelist"),
        address("credential_change", credential.pk),
        address("resource_changelist"),
        address("resource_change", credential.resource_id),
    ]
    for page in pages:
        answer = sam.get(page)
        assert answer.status_code == 200
        shown = answer.content.decode()
        assert "canary" not in shown
        assert credential.ciphertext not in shown
        assert credential.fingerprint not in shown


def test_nothing_can_be_added_changed_or_deleted(sam: Client, credential: Credential) -> None:
    assert sam.get(address("resource_add")).status_code == 403
    assert sam.post(address("resource_delete", credential.resource_id), {"post": "yes"}).status_code == 403
    assert sam.post(address("resource_change", credential.resource_id), {"state": "gone"}).status_code == 403


def test_i16_ciphertexts_swapped_between_rows_do_not_open(credential: Credential) -> None:
    from provisioning.secrets import Unreadable

    other = Credential(resource=credential.resource, name="DATABASE_URL", expires_at=credential.expires_at)
    other.seal(Secret("another-value"))
    other.save()
    other.ciphertext, credential.ciphertext = credential.ciphertext, other.ciphertext
    for row in (other, credential):
        with pytest.raises(Unreadable):
            row.reveal()
