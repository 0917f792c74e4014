"""The JSON web token by which a GitHub App speaks for itself, judged as GitHub judges it and refused in its words.

Signed with RS256; issued in the past by GitHub's clock, over in ten minutes at most, and naming the App by its number
or by its client id.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Collection
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from localcloud.github.bodies import RefusedError

LONGEST_SECONDS = 600
UNREADABLE = "A JSON web token could not be decoded"
EXPIRES = (
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion "
    "expires"
)
TOO_FAR = "'Expiration time' claim ('exp') is too far in the future"
ISSUED = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
NO_ISSUER = "Missing 'issuer' claim ('iss') in assertion"


def looks_like_one(credential: str) -> bool:
    """Whether a credential can only be meant as a JWT; an installation's token holds one behind a prefix."""
    return credential.count(".") == 2 and credential.startswith("eyJ")


def verify(credential: str, key: rsa.RSAPublicKey, issuers: Collection[str]) -> None:
    """Return if *credential* was signed by *key* for one of *issuers* and holds now. Raises `RefusedError`."""
    claims = _signed(credential, key, issuers)
    moment = time.time()
    expires, issued = claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int | float) or isinstance(expires, bool) or expires <= moment:
        raise RefusedError(401, EXPIRES)
    if expires > moment + LONGEST_SECONDS:
        raise RefusedError(401, TOO_FAR)
    if not isinstance(issued, int) or isinstance(issued, bool) or issued > moment:
        raise RefusedError(401, ISSUED)


def _signed(credential: str, key: rsa.RSAPublicKey, issuers: Collection[str]) -> dict[str, Any]:
    signed, _, signature = credential.rpartition(".")
    head, _, body = signed.partition(".")
    try:
        header, claims, proof = json.loads(_decoded(head)), json.loads(_decoded(body)), _decoded(signature)
    except (ValueError, RecursionError) as error:
        raise RefusedError(401, UNREADABLE) from error
    if not isinstance(header, dict) or not isinstance(claims, dict) or header.get("alg") != "RS256":
        raise RefusedError(401, UNREADABLE)
    if not claims.get("iss"):
        raise RefusedError(401, NO_ISSUER)
    if str(claims["iss"]) not in issuers:
        raise RefusedError(404, "Integration not found")
    try:
        key.verify(proof, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise RefusedError(401, UNREADABLE) from error
    return claims


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
