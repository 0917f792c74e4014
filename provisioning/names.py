"""Names at vendors: `mk0r-<slug>`, or `mk0r-<slug>-<n>` where a stranger already held the plain one.

A slug is 12 characters of `[a-z0-9]`: 8 of its own, then 4 of an HMAC of those 8 under a key that only this
installation has. So a name read in a vendor's account proves by itself whether this installation made it, another one,
or a person. Somebody who lacks the key hits the tag once in 36**4, about 1.7 million, tries; because of that, and
because copies of an installation share its key, a tag alone never justifies a deletion.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from django.conf import settings

PREFIX = "mk0r-"
SLUG_BODY, SLUG_TAG = 8, 4  # characters
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"[a-z0-9]{12}\Z")
_NAME = re.compile(r"mk0r-([a-z0-9]{12})(?:-[1-9][0-9]{0,5})?\Z")


def base36(digest: bytes, length: int) -> str:
    """Fold a digest into `length` characters; the digest is so much longer that no character is favoured measurably."""
    number = int.from_bytes(digest, "big")
    characters = []
    for _ in range(length):
        number, index = divmod(number, 36)
        characters.append(_ALPHABET[index])
    return "".join(characters)


def tag(body: str) -> str:
    """The last characters of the slug that begins with `body`, under this installation's key."""
    key = hashlib.sha256(b"mk0r.installation.slug|" + settings.SECRET_KEY.encode()).digest()
    return base36(hmac.digest(key, body.encode(), "sha256"), SLUG_TAG)


def has_shape(slug: str) -> bool:
    """Whether it could be a slug at all. What has not may hold anything, such as a NUL, which no query takes."""
    return bool(_SHAPE.match(slug))


def verify(slug: str) -> bool:
    """Whether this installation made the slug. Any other text, of any length, is simply False."""
    return has_shape(slug) and hmac.compare_digest(slug[SLUG_BODY:], tag(slug[:SLUG_BODY]))


def slug_in(name: str) -> str | None:
    """The slug in a name read from a vendor, with or without an attempt's number; None unless this installation's."""
    match = _NAME.match(name)
    return match[1] if match and verify(match[1]) else None
