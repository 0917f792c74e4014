"""A session's tokens live as long as its lease, whoever is late in ending it (I-12)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from provisioning import services as provisioning
from provisioning.models import Credential
from provisioning.secrets import Secret
from sessions_app import services, tokens
from sessions_app.models import Session

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_gateway_token_is_dead_once_the_session_has_expired(session: Session) -> None:
    token = tokens.gateway_token(session)
    assert tokens.resolve_gateway_token(token) == session
    Session.objects.filter(pk=session.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tokens.resolve_gateway_token(token) is None


def test_raising_the_generation_revokes_both_tokens(session: Session) -> None:
    token, key = tokens.gateway_token(session), tokens.session_key(session)
    Session.objects.filter(pk=session.pk).update(key_generation=2)
    assert tokens.resolve_gateway_token(token) is None
    assert tokens.resolve_session_key(key) is None


def test_one_token_never_passes_for_the_other(session: Session) -> None:
    token, key = tokens.gateway_token(session), tokens.session_key(session)
    for forged in (token.replace("mk0rgw_", "mk0r_"), key, token.upper(), token + "\n", " " + token):
        assert tokens.resolve_gateway_token(forged) is None
    for forged in (key.replace("mk0r_", "mk0rgw_"), token, key.upper(), key + "\n"):
        assert tokens.resolve_session_key(forged) is None


def _lapsed(session: Session) -> bool:
    return Credential.objects.get(resource__session=session).lapsed


def test_a_credential_that_ended_with_its_session_goes_on_with_it_and_one_that_was_ended_by_hand_does_not(
    session: Session,
) -> None:
    over = timezone.now() - timedelta(seconds=5)
    row = session.resources.get(provider="neon")
    credential = Credential(resource=row, name="DATABASE_URL", expires_at=over)
    credential.seal(Secret("postgresql://u:p@host/db"))
    credential.save()
    Session.objects.filter(pk=session.pk).update(expires_at=over)  # nobody has come to close it yet
    assert _lapsed(session)
    services.session_extend(session.pk, timedelta(hours=1))
    assert not _lapsed(session)
    Session.objects.filter(pk=session.pk).update(expires_at=over)
    assert provisioning.revoke(session, row.provider)
    services.session_extend(session.pk, timedelta(hours=1))
    assert _lapsed(session)
