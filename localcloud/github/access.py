"""Who may do what: the owner's token, the App by its JWT, tokens of its installations, and nobody."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.github import jwt
from localcloud.github.bodies import RefusedError
from localcloud.github.installations import APP_ID, CLIENT_ID, Grant, Installations
from localcloud.operator import same
from localcloud.store import Object

LEVELS = ("read", "write", "admin")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks: the owner with a personal token, the App itself, or one of its installations by a grant."""

    owner: bool = False
    app: bool = False
    grant: Grant | None = None

    @property
    def account(self) -> str:
        """Whose hour of requests is counted."""
        if self.grant is not None:
            return f"installation {self.grant.installation.id}"
        return "app" if self.app else "user"

    def reaches(self, repository: Object) -> bool:
        """Whether the repository exists for this caller where it is private."""
        if self.grant is None:
            return self.owner
        if repository.data["owner"] != self.grant.installation.login:
            return False
        return self.grant.repositories is None or repository.id in self.grant.repositories

    def may(self, permission: str, level: str) -> bool:
        """Whether it holds a permission to at least that level."""
        return self.owner or (self.grant is not None and covers(self.grant.permissions.get(permission), level))


def covers(held: str | None, level: str) -> bool:
    """Whether one level of a permission includes another."""
    return held in LEVELS and level in LEVELS and LEVELS.index(held) >= LEVELS.index(level)


CALLER: web.RequestKey[Caller | None] = web.RequestKey("github_caller", Caller)


class Access:
    """Recognizes what a request was sent with."""

    def __init__(self, cloud: Cloud, installations: Installations) -> None:
        self._cloud, self._installations = cloud, installations

    def caller(self, request: web.Request) -> Caller | None:
        """Who sent the request, or None without credentials. Raises `RefusedError` for wrong ones."""
        given = credential(request)
        if given is None:
            return None
        if same(given, self._cloud.keys.github):
            return Caller(owner=True)
        if jwt.looks_like_one(given):
            jwt.verify(given, self._installations.key, (str(APP_ID), CLIENT_ID))
            return Caller(app=True)
        grant = self._installations.grant(given)
        if grant is None:
            raise RefusedError(401, "Bad credentials")
        return Caller(grant=grant)


def credential(request: web.Request) -> str | None:
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
