"""An RSA private key as an operator may hand it over: the PEM itself, the PEM on one line, or where it lies."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_BEGIN = "-----BEGIN "


def read_pem(given: str) -> str:
    """The PEM that *given* is, spells with a literal `\\n` for each line's end, or names the file of.

    Raises:
        ValueError: it is no RSA private key; the message says what it is instead, and never repeats it.
    """
    text = given.strip()
    if not text.startswith(_BEGIN):
        try:
            text = Path(text).expanduser().read_text().strip()
        except (OSError, ValueError) as error:
            raise ValueError("it is neither a PEM that begins with -----BEGIN, nor a file that can be read") from error
    pem = text.replace("\\r", "").replace("\\n", "\n").replace("\r", "").rstrip() + "\n"
    load_pem(pem)
    return pem


def load_pem(pem: str) -> RSAPrivateKey:
    """The key in a PEM. Raises `ValueError`."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:  # TypeError: it is encrypted
        raise ValueError("it is no private key that can be read without a password") from error
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("it is no RSA key")
    return key
