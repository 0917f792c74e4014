"""Slugs: the public name of a session, which also proves which installation it belongs to.

A slug is 12 characters of `[a-z0-9]`: 8 taken from a hash of the session id, then 4 of an HMAC of those 8 under a key
that only this installation has. Everything a session owns at a vendor is called `mk0r-<slug>`, so whoever lists a
vendor's account can tell ours from another installation's, or from something a person made, without asking a
database.

Clashes. 8 characters of 36 are 36**8, about 2.8e12 names. Two of a million sessions share one with a probability near
0.16, and a new session clashes with one of a million older ones with a probability of 4e-7; slugs are unique in the
database, and whoever makes a session draws another id when the insert clashes, so a clash costs one more insert.
The tag adds nothing against clashes (it follows from the first 8). A name made up by somebody who lacks the key passes
`verify` with a probability of 1 in 36**4, about 1 in 1.7 million; because of that a tag alone never justifies a
deletion.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from uuid import UUID

from django.conf import settings

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"[a-z0-9]{12}\Z")
_BODY, _TAG = 8, 4
NAME_PREFIX = "mk0r-"


def _base36(digest: bytes, length: int) -> str:
    """Fold a digest into `length` characters; the digest is so much longer that no character is favoured measurably."""
    number = int.from_bytes(digest, "big")
    characters = []
    for _ in range(length):
        number, index = divmod(number, 36)
        characters.append(_ALPHABET[index])
    return "".join(characters)


def _tag(body: str) -> str:
    key = hashlib.sha256(b"mk0r.installation.slug|" + settings.SECRET_KEY.encode()).digest()
    return _base36(hmac.digest(key, body.encode(), "sha256"), _TAG)


def slug_for(session_id: UUID) -> str:
    """The slug of a session id; always the same for the same id and installation."""
    body = _base36(hashlib.sha256(b"mk0r.slug|" + session_id.bytes).digest(), _BODY)
    return body + _tag(body)


def has_shape(slug: str) -> bool:
    """Whether it could be a slug at all. What has not may hold anything, such as a NUL, which no query takes."""
    return bool(_SHAPE.match(slug))


def verify(slug: str) -> bool:
    """Whether this installation made the slug. Any other text, of any length, is simply False."""
    return has_shape(slug) and hmac.compare_digest(slug[_BODY:], _tag(slug[:_BODY]))


def verify_name(name: str) -> bool:
    """Whether `name`, as read from a vendor, is `mk0r-<slug>` with a slug this installation made."""
    return name.startswith(NAME_PREFIX) and verify(name.removeprefix(NAME_PREFIX))
