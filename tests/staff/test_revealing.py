"""The value of a credential is shown for a reason, once it is written down who looked, and never past its lease."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from provisioning.models import Credential, Resource
from provisioning.secrets import Secret
from sessions_app.models import Session
from staff import onetime, revealing
from staff.actors import Actor, of_shell
from staff.models import Entry
from staff.refusals import NotAllowed, Refused

pytestmark = pytest.mark.django_db(transaction=True)

VALUE = "npg_AbC123xyz789"


@pytest.fixture
def credential(transactional_db: None) -> Credential:
    """A live one of an open session."""
    session = Session.objects.create(slug="c" * 12)
    row = Resource.objects.create(session=session, provider="neon", kind="project", name="mk0r-" + session.slug)
    made = Credential(resource=row, name="DATABASE_URL", expires_at=timezone.now() + timedelta(hours=1))
    made.seal(Secret(VALUE))
    made.save()
    return made


def test_the_value_comes_with_an_entry_that_says_who_when_why_and_from_where(
    credential: Credential, actor: Callable[[str], Actor], caplog: pytest.LogCaptureFixture
) -> None:
    assert revealing.reveal(actor("admin"), credential.pk, "  the visitor lost it ").expose() == VALUE
    entry = Entry.objects.get()
    assert (entry.who, entry.where, entry.action) == ("admin", "192.0.2.7", "reveal")
    assert (entry.session, entry.reason) == ("c" * 12, "the visitor lost it")
    assert entry.subject == "DATABASE_URL of neon project mk0r-cccccccccccc"
    assert entry.detail == {"credential": str(credential.pk)}
    assert VALUE not in caplog.text
    assert revealing.reveal(of_shell(), str(credential.pk), "again").expose() == VALUE
    assert Entry.objects.first().where == "shell"  # type: ignore[union-attr]


def test_nobody_sees_it_without_the_right_or_without_a_reason(
    credential: Credential, actor: Callable[[str], Actor]
) -> None:
    for group in ("viewer", "operator"):
        with pytest.raises(NotAllowed):
            revealing.reveal(actor(group), credential.pk, "curious")
    with pytest.raises(Refused, match="Say why"):
        revealing.reveal(actor("admin"), credential.pk, " \n")
    User.objects.filter(username="admin").update(is_active=False)
    gone = User.objects.get(username="admin")
    with pytest.raises(NotAllowed):
        revealing.reveal(Actor("admin", "192.0.2.7", gone), credential.pk, "still here?")
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    ("changes", "refusal", "words"),
    [
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, revealing.Lapsed, "lease of DATABASE_URL ended"),
        ({"revoked_at": timezone.now(), "ciphertext": "", "fingerprint": ""}, revealing.Wiped, "was revoked"),
        ({"ciphertext": "v1:t1:AAAA"}, revealing.Unreadable, "MK0R_ENCRYPTION_KEYS"),
        ({"ciphertext": "v1:lost:AAAA"}, revealing.Unreadable, "MK0R_ENCRYPTION_KEYS"),
    ],
)
def test_what_cannot_be_shown_says_why_and_counts_as_not_seen(
    credential: Credential, changes: dict[str, Any], refusal: type[Refused], words: str
) -> None:
    Credential.objects.filter(pk=credential.pk).update(**changes)
    with pytest.raises(refusal, match=words):
        revealing.reveal(of_shell(), credential.pk, "why not")
    assert not Entry.objects.exists()


@pytest.mark.parametrize("key", ["00000000-0000-0000-0000-000000000000", "no-such-key", ""])
def test_what_does_not_exist_is_said_to_be_unknown(transactional_db: None, key: str) -> None:
    with pytest.raises(revealing.Unknown):
        revealing.reveal(of_shell(), key, "lost")


def test_a_one_time_password_replaces_the_old_one_and_marks_the_account(member: Callable[[str], User]) -> None:
    sam = member("operator")
    first = onetime.give(sam)
    sam = User.objects.get(pk=sam.pk)
    assert sam.check_password(first)
    assert sam.one_time.used_at is None
    sam.one_time.used_at = timezone.now()
    sam.one_time.save()
    second = onetime.give(sam)
    sam = User.objects.get(pk=sam.pk)
    assert not sam.check_password(first)
    assert sam.check_password(second)
    assert sam.one_time.used_at is None
