"""Who may do what: the owner's token, tokens of an App installation that reach chosen repositories, and nobody.

The App of this installation has a key pair of its own; `cloud.json` carries its private key, so a client can sign the
JWT that mints installation tokens exactly as at GitHub.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from localcloud.cloud import Cloud
from localcloud.github.bodies import RefusedError
from localcloud.keys import token
from localcloud.operator import same

TOKEN_LIFE = timedelta(hours=1)
SCHEMA = """
CREATE TABLE IF NOT EXISTS github_tokens (
  digest TEXT PRIMARY KEY, repositories TEXT, permissions TEXT NOT NULL, expires_at TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks. `repositories` limits an installation token to these ids; None means all of them."""

    owner: bool
    repositories: frozenset[str] | None = None
    permissions: tuple[str, ...] = ()
    app: bool = False

    def reaches(self, repository_id: str) -> bool:
        return self.repositories is None or repository_id in self.repositories

    def may_write(self) -> bool:
        return self.owner or "contents:write" in self.permissions

    def may_administer(self) -> bool:
        return self.owner or "administration:write" in self.permissions


class Access:
    """Recognizes tokens and mints those of the installation."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        cloud.store.script(SCHEMA)

    @property
    def app(self) -> dict[str, str]:
        """This installation's App: `id`, `installation_id` and `private_key` (PEM). Made at first use."""
        kept = self._cloud.store.meta("github_app")
        if kept is None:
            pem = rsa.generate_private_key(65537, 2048).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            kept = {"id": "100001", "installation_id": "50000001", "private_key": pem.decode()}
            self._cloud.store.set_meta("github_app", kept)
        return dict(kept)

    def caller(self, request: web.Request) -> Caller | None:
        """Who sent the request, or None without credentials. Raises `RefusedError` for wrong ones."""
        given = _credential(request)
        if given is None:
            return None
        if same(given, self._cloud.keys.github):
            return Caller(owner=True)
        if given.count(".") == 2 and self._signed_by_app(given):
            return Caller(owner=False, app=True)
        rows = self._cloud.store.query("SELECT * FROM github_tokens WHERE digest = ?", (_digest(given),))
        if rows and datetime.fromisoformat(rows[0]["expires_at"]) > datetime.now(UTC):
            chosen = json.loads(rows[0]["repositories"]) if rows[0]["repositories"] else None
            return Caller(
                owner=False,
                repositories=None if chosen is None else frozenset(chosen),
                permissions=tuple(json.loads(rows[0]["permissions"])),
            )
        raise RefusedError(401, "Bad credentials")

    def mint(self, repositories: list[str] | None, permissions: list[str]) -> tuple[str, datetime]:
        """A new installation token and when it ends."""
        secret, ends = f"ghs_{token(36)}", datetime.now(UTC) + TOKEN_LIFE
        self._cloud.store.execute(
            "INSERT INTO github_tokens VALUES (?, ?, ?, ?)",
            (
                _digest(secret),
                None if repositories is None else json.dumps(repositories),
                json.dumps(permissions),
                ends.isoformat(),
            ),
        )
        return secret, ends

    def revoke(self, request: web.Request) -> None:
        """End the installation token the request carries."""
        self._cloud.store.execute("DELETE FROM github_tokens WHERE digest = ?", (_digest(_credential(request) or ""),))

    def _signed_by_app(self, jwt: str) -> bool:
        try:
            signed, _, signature = jwt.rpartition(".")
            head, _, claims = signed.partition(".")
            facts: Any = json.loads(_decode(claims))
            if json.loads(_decode(head)).get("alg") != "RS256" or not isinstance(facts, dict):
                return False
            key = serialization.load_pem_private_key(self.app["private_key"].encode(), None).public_key()
            if not isinstance(key, rsa.RSAPublicKey):
                return False
            key.verify(_decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            begun, ends = float(facts["iat"]), float(facts["exp"])
        except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
            return False
        moment = time.time()
        return str(facts.get("iss")) == self.app["id"] and begun <= moment + 60 and moment < ends <= moment + 660


def _credential(request: web.Request) -> str | None:
    """The token of a request, sent as Bearer, as `token`, or as the password of Basic."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    value = value.strip()
    if scheme.lower() in ("bearer", "token"):
        return value
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password or user


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
