"""A value that turned up where it should not be: whose it is, found by its fingerprint. Synchronous database code."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from provisioning.models import Credential
from provisioning.secrets import Secret, fingerprint
from staff.refusals import NotFound


def holders(value: str) -> list[str]:
    """The resources that have a live credential of this value, or of the password in it where it is an address; as
    keys of the power that revokes.

    Raises:
        NotFound: none has. What was revoked before is not found either: its fingerprint went with it (I-13).
    """
    prints = {fingerprint(Secret(each)) for each in _values(value.strip())}
    found = Credential.objects.filter(fingerprint__in=prints, revoked_at=None).order_by("resource_id")
    keys = [str(key) for key in found.values_list("resource_id", flat=True).distinct()]
    if not keys:
        raise NotFound("No live credential of this installation has that value.")
    return keys


def _values(text: str) -> list[str]:
    try:
        password = urlsplit(text).password
    except ValueError:
        password = None
    return [text, *([password, unquote(password)] if password else [])]
