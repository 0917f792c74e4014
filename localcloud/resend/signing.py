"""Signatures of webhooks, as Resend's (Svix's) receivers check them: HMAC-SHA256 over `id.timestamp.payload`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"


def new_secret() -> str:
    """A fresh signing secret, as the account sees it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def headers(keys: Sequence[str], identity: str, timestamp: int, payload: str) -> dict[str, str]:
    """The headers of one delivery, signed with each of *keys*: while a secret is being replaced there are two."""
    content = f"{identity}.{timestamp}.{payload}".encode()
    signatures = []
    for key in keys:
        digest = hmac.new(base64.b64decode(key.removeprefix(PREFIX)), content, hashlib.sha256).digest()
        signatures.append(f"v1,{base64.b64encode(digest).decode()}")
    return {"svix-id": identity, "svix-timestamp": str(timestamp), "svix-signature": " ".join(signatures)}
