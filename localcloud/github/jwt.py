"""The JSON web token by which a GitHub App speaks for itself, judged as GitHub judges it and refused in its words.

Signed with RS256; issued in the past by GitHub's clock, over in ten minutes at most, and naming the App by its number
or by its client id.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.types import Options

from localcloud.github.bodies import RefusedError

LONGEST_SECONDS = 600
UNREADABLE = "A JSON web token could not be decoded"
EXPIRES = (
    "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion "
    "expires"
)
TOO_FAR = "'Expiration time' claim ('exp') is too far in the future"
ISSUED = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
_UNVERIFIED: Options = {"verify_signature": False}
# The claims are judged here, in the vendor's words and order.
_SIGNATURE_ONLY: Options = {
    "verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_iss": False,
    "verify_sub": False, "verify_jti": False,
}  # fmt: skip
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
    try:
        claims: dict[str, Any] = jwt.decode(credential, options=_UNVERIFIED)
        if not claims.get("iss"):
            raise RefusedError(401, NO_ISSUER)
        if str(claims["iss"]) not in issuers:
            raise RefusedError(404, "Integration not found")
        jwt.decode(credential, key, algorithms=["RS256"], options=_SIGNATURE_ONLY)
    except (jwt.InvalidTokenError, RecursionError) as error:
        raise RefusedError(401, UNREADABLE) from error
    return claims
