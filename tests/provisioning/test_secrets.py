"""What is encrypted opens for its own row and key only (I-15, I-16, I-17)."""

from __future__ import annotations

import base64
import logging
import os
import uuid
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from provisioning import services
from provisioning.models import Credential, Resource
from provisioning.secrets import Secret, Unreadable, decrypt, encrypt
from sessions_app.models import Session
from sessions_app.slugs import slug_for


def key(kid: str) -> str:
    return f"{kid}:{base64.b64encode(os.urandom(32)).decode()}"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_goes_in_comes_out(value: str) -> None:
    assert decrypt(encrypt(Secret(value), identity="t|1|f"), identity="t|1|f").expose() == value


def test_i16_a_ciphertext_moved_to_another_row_does_not_open() -> None:
    sealed = encrypt(Secret("correct horse"), identity="credential|ada|ciphertext")
    with pytest.raises(Unreadable):
        decrypt(sealed, identity="credential|ben|ciphertext")


@pytest.mark.django_db
def test_i16_ciphertexts_swapped_between_two_credentials_of_a_resource_do_not_open() -> None:
    session_id = uuid.uuid4()
    session = Session.objects.create(id=session_id, slug=slug_for(session_id))
    services.plan(session)
    row = Resource.objects.get(session=session, provider="neon")
    one, other = (
        Credential(resource=row, name=name, expires_at=session.expires_at) for name in ("DATABASE_URL", "NEON_HOST")
    )
    for credential in (one, other):
        credential.seal(Secret(f"value of {credential.name}"))
        credential.save()
    one.ciphertext, other.ciphertext = other.ciphertext, one.ciphertext
    for credential in (one, other):
        with pytest.raises(Unreadable):
            credential.reveal()


def test_i16_a_flipped_bit_anywhere_is_refused() -> None:
    sealed = encrypt(Secret("correct horse"), identity="row")
    version, kid, encoded = sealed.split(":")
    raw = base64.b64decode(encoded)
    for position in range(len(raw) * 8):
        altered = bytearray(raw)
        altered[position // 8] ^= 1 << (position % 8)
        with pytest.raises(Unreadable):
            decrypt(f"{version}:{kid}:{base64.b64encode(altered).decode()}", identity="row")


@pytest.mark.parametrize(
    "sealed", ["", "v1", "v1:t1", "v1:t1:", "v1:t1:!!!", "v2:t1:AAAA", "v1:nobody:AAAA", "v1:t1:AAAA"]
)
def test_what_is_no_envelope_is_refused(sealed: str) -> None:
    with pytest.raises(Unreadable):
        decrypt(sealed, identity="row")


def test_i17_a_new_first_key_encrypts_while_the_old_one_still_opens(settings: Any) -> None:
    old, new = key("old"), key("new")
    settings.MK0R_ENCRYPTION_KEYS = old
    before = encrypt(Secret("kept"), identity="row")
    settings.MK0R_ENCRYPTION_KEYS = f"{new},{old}"
    after = encrypt(Secret("fresh"), identity="row")
    assert before.startswith("v1:old:")
    assert after.startswith("v1:new:")
    assert decrypt(before, identity="row").expose() == "kept"
    settings.MK0R_ENCRYPTION_KEYS = new
    assert decrypt(after, identity="row").expose() == "fresh"
    with pytest.raises(Unreadable):
        decrypt(before, identity="row")


def test_i16_a_ciphertext_relabelled_with_another_key_of_the_ring_does_not_open(settings: Any) -> None:
    same = base64.b64encode(os.urandom(32)).decode()
    settings.MK0R_ENCRYPTION_KEYS = f"a:{same},b:{same}"
    sealed = encrypt(Secret("value"), identity="row")
    with pytest.raises(Unreadable):
        decrypt(sealed.replace("v1:a:", "v1:b:"), identity="row")


@pytest.mark.parametrize(
    "ring", ["", " , ", "nokey", "k:notbase64!", "k:" + base64.b64encode(b"short").decode(), ":AAAA"]
)
def test_a_bad_ring_names_its_setting(settings: Any, ring: str) -> None:
    settings.MK0R_ENCRYPTION_KEYS = ring
    with pytest.raises(ImproperlyConfigured, match="MK0R_ENCRYPTION_KEYS"):
        encrypt(Secret("value"), identity="row")


def test_i17_two_keys_of_one_id_are_refused_as_only_one_of_them_would_count(settings: Any) -> None:
    one, other = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))
    settings.MK0R_ENCRYPTION_KEYS = f"k1:{one},k1:{other}"
    with pytest.raises(ImproperlyConfigured, match="MK0R_ENCRYPTION_KEYS has two keys of the id 'k1'"):
        encrypt(Secret("value"), identity="row")


def test_i15_a_secret_never_prints_itself(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("hunter2-hunter2")
    with caplog.at_level(logging.INFO):
        logging.getLogger("test").info("it is %s %r", secret, {"key": secret})
    shown = f"{secret} {secret!r} {secret!s} {[secret]} {secret:>20}" + caplog.text
    assert "hunter2" not in shown
