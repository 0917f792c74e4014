"""Slugs: the public name of a session, which also proves which installation it belongs to.

A slug is 12 characters of `[a-z0-9]`: 8 taken from a hash of the session id, then 4 of an HMAC of those 8 under a key
that only this installation has. Everything a session owns at a vendor is called `mk0r-<slug>`, so whoever lists a
vendor's account can tell ours from another installation's, or from something a person made, without asking a
database.

Clashes. 8 characters of 36 are 36**8, about 2.8e12 names. Two of a million sessions share one with a probability near
0.16, and a new session clashes with one of a million older ones with a probability of 4e-7; slugs are unique in the
database, and whoever makes a session draws another id when the insert clashes, so a clash costs one more insert.
The tag adds nothing against clashes (it follows from the first 8). How a name is proved: `provisioning.names`.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from provisioning import names
from provisioning.names import has_shape, verify

__all__ = ["NAME_PREFIX", "has_shape", "slug_for", "verify", "verify_name"]

NAME_PREFIX = names.PREFIX


def slug_for(session_id: UUID) -> str:
    """The slug of a session id; always the same for the same id and installation."""
    body = names.base36(hashlib.sha256(b"mk0r.slug|" + session_id.bytes).digest(), names.SLUG_BODY)
    return body + names.tag(body)


def verify_name(name: str) -> bool:
    """Whether `name`, as read from a vendor, holds a slug this installation made; it may end in an attempt's number."""
    return names.slug_in(name) is not None
