"""GitHub as an App: the JWT it speaks for itself with, and the tokens its installation is given.

Facts this rests on: an App makes repositories in an organisation only, with a token of its installation there. Such a
token is text of any length, ends an hour after it was made, and reaches the repositories and has the permissions that
were named when it was asked for. GitHub refuses a JWT that its own clock finds issued in the future, or good for more
than ten minutes; so its clock is learned from its answers, and no token's end is judged by ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from weakref import WeakKeyDictionary

import pydantic
from django.conf import settings
from jwt import encode
from pydantic import StringConstraints

from provisioning import minted
from provisioning.exceptions import VendorError
from provisioning.outcome import Hint, Outcome, Verb, Wire
from provisioning.providers.base import Nothing, text_of
from provisioning.providers.github_wire import GitHubWire, its_clock
from provisioning.rsa_keys import load_pem
from provisioning.secrets import Secret

Answer = TypeVar("Answer", bound=pydantic.BaseModel)
MARGIN = 600.0  # seconds before its end from which a token is not used any more; a push may take most of that
FOR_REPOSITORIES = {"administration": "write", "contents": "read", "metadata": "read"}
FOR_GIT = {"contents": "write", "metadata": "read"}
_ISSUED_AGO, _GOOD_FOR = 60, 540  # seconds; together the ten minutes that GitHub allows
_SKEW = 30.0  # seconds that clocks may differ without a JWT being refused for it


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the installation, with the seconds it is good for by GitHub's own clock."""

    value: Secret
    seconds: float

    @property
    def fresh(self) -> float:
        """Seconds for which it may be given out."""
        return max(self.seconds - MARGIN, self.seconds / 2)


class _Minted(pydantic.BaseModel):
    token: Annotated[str, StringConstraints(pattern=r"^[!-~]+$")]  # as long as it likes, but it goes into a header
    expires_at: datetime


class _MintedForOne(_Minted):
    repository_selection: Literal["selected"]  # a token for all would be more than what was asked for


class _Clock:
    """GitHub's clock, as far as its answers told."""

    ahead = 0.0  # seconds

    @classmethod
    def hear(cls, headers: Mapping[str, str]) -> None:
        if (shown := its_clock(headers)) is not None:
            cls.ahead = shown - time.time()

    @classmethod
    def now(cls) -> float:
        return time.time() + cls.ahead


class _AsApp(GitHubWire):
    """The API for the App itself, which a JWT opens."""

    def headers(self) -> dict[str, str]:
        return super().headers() | {"Authorization": f"Bearer {jwt()}"}

    def heard(self, headers: Mapping[str, str]) -> None:
        _Clock.hear(headers)

    def read_error(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Hint, str]:
        hint, code = super().read_error(status, body, headers)
        if status == 422 and not code:
            said = text_of(body, "message")
            code = "permissions_not_granted" if "permissions" in said else "repository_not_installed"
        return hint, code

    async def ask(self, operation: str, method: str, path: str, model: type[Answer], body: object = None) -> Answer:
        """One call; once more where GitHub's clock turns out to be another than the JWT was signed by."""
        before = _Clock.ahead
        try:
            return await self.call(Verb.READ, operation, method, path, model, body=body)
        except VendorError as error:
            if error.status != 401 or abs(_Clock.ahead - before) < _SKEW:
                raise
        return await self.call(Verb.READ, operation, method, path, model, body=body)


def configured() -> bool:
    """Whether mk0r speaks to GitHub as an App."""
    return bool(settings.GITHUB_APP_ID)


# --- the installation's own token ---


@dataclass(slots=True)
class _Held:
    """The token of an installation that this process holds, until when it may be given out, and the last refusal."""

    lock: asyncio.Lock
    token: Secret | None = None
    until: float = 0.0
    failed_at: float = 0.0
    failure: VendorError | None = None

    def fresh(self) -> Secret | None:
        return self.token if time.monotonic() < self.until else None


_held: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, ...], _Held]] = WeakKeyDictionary()


async def installation_token(verb: Verb) -> Secret:
    """What makes and deletes repositories; minted by one task while the others wait for what it gets, token or refusal.

    Raises:
        VendorError: there is none. Worded for the call it was wanted for, of which nothing has left.
    """
    held = _of_installation()
    came = time.monotonic()
    if token := held.fresh():
        return token
    async with held.lock:
        if token := held.fresh():
            return token
        if held.failure is not None and held.failed_at >= came:
            raise _in_place_of(verb, held.failure)
        try:
            made = await _mint(_Minted, {"permissions": FOR_REPOSITORIES})
        except VendorError as error:
            held.failed_at, held.failure = time.monotonic(), error
            raise _in_place_of(verb, error) from error
        held.token, held.until = made.value, time.monotonic() + made.fresh
        return made.value


def refused(token: Secret) -> None:
    """GitHub does not take it any more, whatever was said of its end: the next call gets another."""
    held = _of_installation()
    if held.token == token:
        held.token = None


def _of_installation() -> _Held:
    mine = _held.setdefault(asyncio.get_running_loop(), {})
    whose = (settings.GITHUB_API_URL, settings.GITHUB_APP_ID, settings.GITHUB_INSTALLATION_ID)
    return mine.setdefault(whose, _Held(asyncio.Lock()))


def _in_place_of(verb: Verb, error: VendorError) -> VendorError:
    """What a token that could not be had means for the call it was wanted for: nothing of that one has left.

    That there is no such installation, or that it may not do this, says nothing about what was asked for, and least of
    all that it is gone.
    """
    outcome = error.outcome
    if verb is Verb.DELETE:
        outcome = Outcome.REMEMBER
    elif outcome in {Outcome.GONE, Outcome.REJECTED}:
        outcome = Outcome.CONFIG
    elif outcome is Outcome.AMBIGUOUS:
        outcome = Outcome.NOT_SENT
    return VendorError(
        error.operation,
        outcome,
        verb=verb,
        wire=Wire.UNSENT if error.wire is Wire.LOST else error.wire,
        status=error.status,
        hint=error.hint,
        code=error.code,
        retry_after=error.retry_after,
        detail=error.detail,
    )


# --- a token for one repository ---


async def mint_for(full_name: str) -> Token:
    """A token that may read and push to one repository, and nothing else.

    Raises:
        VendorError: there is none.
    """
    name = full_name.partition("/")[2]
    try:
        return await _mint(_MintedForOne, {"repositories": [name], "permissions": FOR_GIT})
    except VendorError as error:
        raise _in_place_of(Verb.READ, error) from error


async def revoke(token: Secret) -> None:
    """Have GitHub take a token no more; that it does so already counts as done.

    Raises:
        VendorError: that is not sure.
    """
    headers = {"Authorization": f"Bearer {token.expose()}"}
    try:
        await GitHubWire().call(Verb.DELETE, "revoke_token", "DELETE", "/installation/token", Nothing, headers=headers)
    except VendorError as error:
        if error.status != 401 and error.outcome is not Outcome.GONE:
            raise
    minted.forget(token.expose())


# --- how tokens are made ---


async def _mint(model: type[_Minted], wished: dict[str, Any]) -> Token:
    path = f"/app/installations/{settings.GITHUB_INSTALLATION_ID}/access_tokens"
    made = await _AsApp().ask("create_installation_token", "POST", path, model, wished)
    seconds = max(0.0, made.expires_at.timestamp() - _Clock.now())
    minted.remember(made.token, seconds, wide=model is _Minted)
    return Token(Secret(made.token), seconds)


def jwt() -> str:
    """What the App speaks for itself with, good for ten minutes."""
    now = int(_Clock.now())
    claims = {"iat": now - _ISSUED_AGO, "exp": now + _GOOD_FOR, "iss": settings.GITHUB_APP_ID}
    return encode(claims, load_pem(settings.GITHUB_APP_PRIVATE_KEY), "RS256")
