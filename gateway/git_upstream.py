"""The git host behind the door: one repository there, asked with the credential that opens it.

Where mk0r is at GitHub as an App, that credential opens this one repository only. One that the host takes no more is
replaced once, as a 401 says that nothing was done.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import aiohttp
from django.conf import settings

from gateway.clients import client
from provisioning import repository_access
from provisioning.exceptions import NotAdmitted, VendorError
from provisioning.models import Resource
from provisioning.secrets import Secret
from sessions_app.database import in_database

log = logging.getLogger(__name__)

DEADLINE = 300.0  # seconds for the whole exchange
_PIECE = 64 * 1024


class Unavailable(Exception):
    """The host did not do what it was asked. `status` is what the door answers, the text is for a person."""

    def __init__(self, status: int, text: str, *, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class _Outdated(Exception):
    """The host takes the credential no more."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: which, with which headers and body, and how large its answer may be."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: BinaryIO | None
    limit: int


class Repository:
    """A session's repository at the host."""

    def __init__(self, row: Resource) -> None:
        self._row = row
        self.remote = f"{settings.GITHUB_GIT_URL}/{row.external_id}.git"

    async def credential(self) -> Secret:
        """What opens it.

        Raises:
            Unavailable: nothing does, now.
        """
        try:
            return await repository_access.credential(self._row)
        except NotAdmitted as error:
            said = "The repository's host is not to be asked now; try again in a while."
            raise Unavailable(503, said, retry_after=math.ceil(error.retry_in) or 30) from None
        except VendorError as error:
            log.warning("gateway.git_no_access error=%s", error)
            raise Unavailable(502, "The repository's host gives no access to it now.") from None

    async def exchange(self, ask: Ask, into: BinaryIO) -> str:
        """Fill `into` with the answer; returns its content type.

        Raises:
            Unavailable: there is none that may be passed on.
        """
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._exchange(ask, into)
        except TimeoutError:
            raise Unavailable(504, "The repository did not answer in time.") from None
        except (aiohttp.ClientError, OSError) as error:
            log.warning("gateway.git_unreachable error=%s", type(error).__name__)
            raise Unavailable(502, "The repository could not be reached.") from None

    async def _exchange(self, ask: Ask, into: BinaryIO) -> str:
        credential = await self.credential()
        try:
            return await self._send(ask, credential, into)
        except _Outdated:
            if not await in_database(repository_access.refused)(self._row, credential):
                raise _refusal(401) from None
        if ask.body is not None:
            ask.body.seek(0)
        try:
            return await self._send(ask, await self.credential(), into)
        except _Outdated:
            raise _refusal(401) from None

    async def _send(self, ask: Ask, credential: Secret, into: BinaryIO) -> str:
        # Basic is the way GitHub takes tokens of every kind.
        ours = {"Authorization": aiohttp.encode_basic_auth("x-access-token", credential.expose())}
        async with client().request(
            ask.method,
            f"{self.remote}/{ask.path}",
            data=_read(ask.body) if ask.body is not None else None,
            headers={**ask.headers, **ours, "Accept-Encoding": "identity"},
            allow_redirects=False,
        ) as upstream:
            if upstream.status == 401:
                raise _Outdated
            kind = upstream.content_type
            if upstream.status != 200 or not kind.startswith("application/x-git-"):
                raise _refusal(upstream.status)
            size = 0
            async for piece in upstream.content.iter_chunked(_PIECE):
                size += len(piece)
                if size > ask.limit:
                    raise Unavailable(502, f"The answer is larger than {ask.limit // 1_000_000} MB.")
                into.write(piece)
            return kind


def _refusal(status: int) -> Unavailable:
    log.warning("gateway.git_refused status=%d", status)
    return Unavailable(502, f"The repository's host answered {status}.")


async def _read(body: BinaryIO) -> AsyncIterator[bytes]:
    while piece := body.read(_PIECE):
        yield piece
