"""Secret values: a type that never prints itself, and AES-256-GCM envelopes bound to the row they lie in.

An envelope reads `v1:<key id>:<base64(nonce, ciphertext, tag)>`. The associated data is the row's identity and the key
id, so a ciphertext moved to another row, or relabelled with another key, does not decrypt (I-16).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_NONCE_BYTES = 12


class Unreadable(Exception):
    """A ciphertext was altered, belongs to another row, or its key is no longer in the ring."""


class Lapsed(Unreadable):
    """The credential's lease is over: its value is not given out any more."""


class Secret:
    """A string whose repr, str and format are dots. `expose()` is the only way to the value, easy to grep for."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def expose(self) -> str:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "•••"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "•••"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)


@lru_cache(maxsize=4)
def _ring(configured: str) -> dict[str, AESGCM]:
    """Parse `kid:base64[,kid:base64…]`; the first key encrypts."""
    ring: dict[str, AESGCM] = {}
    for item in filter(None, (part.strip() for part in configured.split(","))):
        kid, _, encoded = item.partition(":")
        if kid in ring:  # whichever counted, what is sealed under the other would be lost without a word
            raise ImproperlyConfigured(
                f"MK0R_ENCRYPTION_KEYS has two keys of the id {kid!r}; each needs one of its own"
            )
        try:
            key = base64.b64decode(encoded, validate=True)
            ring[kid] = AESGCM(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                "MK0R_ENCRYPTION_KEYS must be a list of id:base64 of 32 bytes, comma-separated"
            ) from error
        if not kid or len(key) != 32:
            raise ImproperlyConfigured("MK0R_ENCRYPTION_KEYS: each key needs an id and 32 bytes")
    if not ring:
        raise ImproperlyConfigured("MK0R_ENCRYPTION_KEYS is empty")
    return ring


def require_key_ring() -> None:
    """Raise `ImproperlyConfigured` unless `MK0R_ENCRYPTION_KEYS` can be used."""
    _ring(settings.MK0R_ENCRYPTION_KEYS)


def first_key() -> str:
    """The id of the key that encrypts."""
    return next(iter(_ring(settings.MK0R_ENCRYPTION_KEYS)))


def encrypt(value: Secret, *, identity: str) -> str:
    """Seal `value` for the row named by `identity` under the first key of the ring."""
    ring, kid = _ring(settings.MK0R_ENCRYPTION_KEYS), first_key()
    nonce = os.urandom(_NONCE_BYTES)
    sealed = ring[kid].encrypt(nonce, value.expose().encode(), f"{identity}|{kid}".encode())
    return f"v1:{kid}:{base64.b64encode(nonce + sealed).decode()}"


def decrypt(envelope: str, *, identity: str) -> Secret:
    """Open an envelope made by `encrypt` for the same `identity`; raises `Unreadable` for anything else."""
    ring = _ring(settings.MK0R_ENCRYPTION_KEYS)
    try:
        version, kid, encoded = envelope.split(":", 2)
        raw = base64.b64decode(encoded, validate=True)
        if version != "v1":
            raise Unreadable("unknown envelope version")
        plain = ring[kid].decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], f"{identity}|{kid}".encode())
    except (ValueError, KeyError, InvalidTag) as error:
        raise Unreadable("the ciphertext does not open for this row") from error
    return Secret(plain.decode())


def fingerprint(value: Secret) -> str:
    """A keyed hash of `value`, by which the row of a presented secret is found; it tells nothing without SECRET_KEY."""
    key = hashlib.sha256(b"mk0r.fingerprint|" + settings.SECRET_KEY.encode()).digest()
    return hmac.digest(key, value.expose().encode(), "sha256").hex()
