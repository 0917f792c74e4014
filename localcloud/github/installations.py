"""The GitHub App of this localcloud: its key pair, the accounts it is installed on, and the tokens it is given there.

The App is installed on the person's account and on the organization, each with every repository. Its private key lies
beside the other state and in `cloud.json`, so a client signs the JWT that mints tokens exactly as at GitHub.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from localcloud.cloud import Cloud
from localcloud.github.repositories import ORGANIZATION
from localcloud.keys import token

APP_ID, CLIENT_ID, SLUG = 100001, "Iv23liLocalcloud0001", "mk0r-local-app"
FIRST_INSTALLATION = 50_000_001
GRANTED = {"administration": "write", "contents": "write", "metadata": "read"}
TOKEN_LIFE = timedelta(hours=1)
SCHEMA = """
CREATE TABLE IF NOT EXISTS github_installation_tokens (
  digest TEXT PRIMARY KEY, installation INTEGER NOT NULL, repositories TEXT, permissions TEXT NOT NULL,
  expires_at TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """The App on one account."""

    id: int
    login: str
    kind: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is good for. `repositories` are ids; None means every one of the installation's account."""

    installation: Installation
    repositories: frozenset[str] | None
    permissions: Mapping[str, str]


class Installations:
    """The App, its installations and their tokens."""

    def __init__(self, cloud: Cloud, accounts: Mapping[str, str]) -> None:
        self._store = cloud.store
        self._directory = cloud.directory
        self._store.script(SCHEMA)
        # The organization's comes first: an App can make repositories there only.
        ordered = sorted(accounts.items(), key=lambda account: account[1] != ORGANIZATION)
        self.all = [Installation(FIRST_INSTALLATION + n, *account) for n, account in enumerate(ordered)]

    @property
    def announced(self) -> dict[str, Any]:
        """What `cloud.json` says of the App."""
        return {
            "id": str(APP_ID),
            "client_id": CLIENT_ID,
            "private_key": self._private_key,
            "private_key_path": str(self._write_key()),
            "installation_id": str(self.all[0].id),
            "installation_owner": self.all[0].login,
            "installations": {one.login: one.id for one in self.all},
        }

    @cached_property
    def key(self) -> rsa.RSAPublicKey:
        """What the App's JWT is verified with."""
        loaded = serialization.load_pem_private_key(self._private_key.encode(), None).public_key()
        if not isinstance(loaded, rsa.RSAPublicKey):
            raise TypeError("the key of the App is not an RSA key")
        return loaded

    @cached_property
    def _private_key(self) -> str:
        """PEM as GitHub hands it out; made at first use, then kept."""
        kept = self._store.meta("github_app")
        if kept is None:
            pem = rsa.generate_private_key(65537, 2048).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
            kept = {"private_key": pem.decode()}
            self._store.set_meta("github_app", kept)
        return str(kept["private_key"])

    def _write_key(self) -> Path:
        path = self._directory / "github-app.pem"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self._private_key)
        return path

    def on(self, login: str) -> Installation | None:
        """The installation on an account, however its login is capitalized."""
        return next((one for one in self.all if one.login.lower() == login.lower()), None)

    def numbered(self, identity: str) -> Installation | None:
        """The installation of that id."""
        return next((one for one in self.all if str(one.id) == identity), None)

    # Tokens

    def mint(
        self, on: Installation, repositories: list[str] | None, permissions: Mapping[str, str]
    ) -> tuple[str, datetime]:
        """A new token and when it ends."""
        ends = datetime.now(UTC).replace(microsecond=0) + TOKEN_LIFE
        made = self._sign(on, ends)
        self._store.execute("DELETE FROM github_installation_tokens WHERE expires_at < ?", (_moment(-TOKEN_LIFE),))
        self._store.execute(
            "INSERT INTO github_installation_tokens VALUES (?, ?, ?, ?, ?)",
            (
                _digest(made),
                on.id,
                None if repositories is None else json.dumps(repositories),
                json.dumps(dict(permissions)),
                ends.isoformat(),
            ),
        )
        return made, ends

    def grant(self, credential: str) -> Grant | None:
        """What a token is good for; None once it is over, was revoked, or never was."""
        rows = self._store.query(
            "SELECT * FROM github_installation_tokens WHERE digest = ? AND expires_at > ?",
            (_digest(credential), _moment()),
        )
        on = self.numbered(str(rows[0]["installation"])) if rows else None
        if on is None:
            return None
        chosen = json.loads(rows[0]["repositories"] or "null")
        return Grant(on, None if chosen is None else frozenset(chosen), json.loads(rows[0]["permissions"]))

    def revoke(self, credential: str) -> None:
        """End one token."""
        self._store.execute("DELETE FROM github_installation_tokens WHERE digest = ?", (_digest(credential),))

    def expire(self) -> int:
        """End every token as if its hour were over; returns how many there were."""
        return self._store.execute(
            "UPDATE github_installation_tokens SET expires_at = ? WHERE expires_at > ?", (_moment(), _moment())
        )

    def _sign(self, on: Installation, ends: datetime) -> str:
        """`ghs_<App>_<JWT>`, the form GitHub has given out since 2026: far longer than the 40 characters of before."""
        claims = {
            "iss": "https://localcloud.invalid",
            "aud": "github-app-installation",
            "sub": f"app:{APP_ID}:installation:{on.id}:{on.login}",
            "jti": token(200),
            "iat": int((ends - TOKEN_LIFE).timestamp()),
            "exp": int(ends.timestamp()),
        }
        signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        proof = hmac.digest(self._private_key.encode(), signed.encode(), "sha256")
        return f"ghs_{APP_ID}_{signed}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _moment(later: timedelta = timedelta(0)) -> str:
    return (datetime.now(UTC) + later).isoformat()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
