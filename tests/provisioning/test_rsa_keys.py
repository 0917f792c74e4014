"""The private key of an App, however an operator hands it over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from provisioning.rsa_keys import load_pem, read_pem

NONE = serialization.NoEncryption()
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, NONE
).decode()  # fmt: skip


def test_the_pem_itself_the_pem_on_one_line_and_a_path_are_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "app.pem"
    path.write_text(PEM)
    one_line = PEM.replace("\n", "\\n")
    for given in (PEM, f"  {PEM}\n", one_line, PEM.replace("\n", "\\r\\n"), PEM.replace("\n", "\r\n"), str(path)):
        assert load_pem(read_pem(given)).private_numbers() == KEY.private_numbers()
    path.write_text(one_line)
    assert read_pem(str(path)) == read_pem(PEM)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("/nowhere/app.pem", "neither a PEM"),
        ("a secret that is no key", "neither a PEM"),
        ("x\0y", "neither a PEM"),
        (PEM[:200], "no private key that can be read"),
        (ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, NONE).decode(), "no RSA key"),
        (KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                           serialization.BestAvailableEncryption(b"pw")).decode(), "without a password"),
        (KEY.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(), "no private key"),
    ],
    ids=["path", "text", "nul", "cut", "ec", "encrypted", "public"],
)  # fmt: skip
def test_what_is_no_rsa_private_key_is_said_to_be_none_and_not_repeated(given: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read_pem(given)
    assert given not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GITHUB_APP_PRIVATE_KEY", "/nowhere/app.pem", "GITHUB_APP_PRIVATE_KEY: it is neither a PEM"),
        ("GITHUB_INSTALLATION_ID", "1/../2", "GITHUB_INSTALLATION_ID must be a number"),
    ],
)
def test_a_bad_setting_of_the_app_stops_the_start_and_names_itself(name: str, value: str, said: str) -> None:
    environment = {name: value, "SECRET_KEY": "x", "MK0R_ENCRYPTION_KEYS": "x", "MK0R_VAR": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", "import mk0r.settings"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"ImproperlyConfigured: {said}" in done.stderr
