"""The git door: smart HTTP for one session's one repository, with the platform's credential added.

A sandbox and the session's owner authenticate with Basic (any user name; the password is the gateway token or the
session's API key). Another session's repository is "not found" for them, as it is for everybody. Bodies pass through
files, never through memory, and are bounded; a push is looked at before it is forwarded (`git_inspect`, and
`git_upstream` for the host). Protocol: https://git-scm.com/docs/gitprotocol-http.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import IO, BinaryIO, cast
from uuid import UUID
from weakref import WeakValueDictionary

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from gateway.access import basic_password, session_of_owner
from gateway.git_inspect import inspect
from gateway.git_process import Forbidden
from gateway.git_upstream import Ask, Repository, Unavailable
from gateway.pktline import BadFraming, Push, read_push, refusal
from provisioning.models import Resource
from sessions_app import events
from sessions_app.database import in_database
from sessions_app.models import Session

log = logging.getLogger(__name__)

MAX_PUSH = 200_000_000  # bytes, also the server's cap for this path
MAX_ASK = 16_000_000  # bytes of a fetch's negotiation
MAX_FETCH = 200_000_000  # bytes of an answer, spooled to a file first
_PIECE = 64 * 1024
_IN_MEMORY = 1_000_000
_HOLDING = asyncio.Semaphore(4)  # pushes looked at at a time in one process; each may hold git processes and a file
# A session's pushes wait for each other before they wait for a place, so that no session takes all of them.
_pushing: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
_SERVICES = {"git-upload-pack", "git-receive-pack"}


class _Answer(Exception):
    """The door answers by itself."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.response = HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
        if status == 401:
            self.response["WWW-Authenticate"] = 'Basic realm="mk0r", charset="UTF-8"'

    @classmethod
    def of(cls, trouble: Unavailable) -> _Answer:
        """What the host's trouble means for whoever knocked."""
        answer = cls(trouble.status, str(trouble))
        if trouble.retry_after:
            answer.response["Retry-After"] = f"{trouble.retry_after:.0f}"
        return answer


@csrf_exempt
async def info_refs(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`GET info/refs?service=…`: what the repository has."""
    try:
        _session, repository = await _admit(request, slug, "GET")
        service = request.GET.get("service", "")
        if service not in _SERVICES:
            raise _Answer(403, "Only the smart protocol is served here.")
        return await _forward(request, repository, "GET", f"info/refs?service={service}", None, MAX_ASK)
    except _Answer as answer:
        return answer.response


@csrf_exempt
async def upload_pack(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`POST git-upload-pack`: clone and fetch."""
    try:
        _session, repository = await _admit(request, slug, "POST")
        with await _spooled(request, MAX_ASK) as body:
            return await _forward(request, repository, "POST", "git-upload-pack", body, MAX_FETCH)
    except _Answer as answer:
        return answer.response


@csrf_exempt
async def receive_pack(request: HttpRequest, slug: str) -> HttpResponseBase:
    """`POST git-receive-pack`: push, once it was looked at."""
    try:
        session, repository = await _admit(request, slug, "POST")
        if request.headers.get("content-encoding", "identity") != "identity":
            raise _Answer(415, "A push must not be compressed as a whole.")
        async with _pushing.setdefault(session.pk, asyncio.Lock()), _HOLDING:
            with await _spooled(request, MAX_PUSH, on_disk=True) as body:
                return await _push(request, session, repository, body)
    except _Answer as answer:
        return answer.response


async def _push(request: HttpRequest, session: Session, repository: Repository, body: BinaryIO) -> HttpResponseBase:
    try:
        push = read_push(body)
    except BadFraming as error:
        raise _Answer(400, f"This is not a push: {error}.") from None
    try:
        credential, secrets = await repository.credential(), await _secrets(session)
        await inspect(push, body, remote=repository.remote, credential=credential.expose(), secrets=secrets)
    except Forbidden as forbidden:
        log.warning("gateway.push_refused session=%s reason=%s", session.slug, forbidden.reason)
        return _refused(push, forbidden)
    except Unavailable as trouble:
        raise _Answer.of(trouble) from None
    body.seek(0)
    return await _forward(request, repository, "POST", "git-receive-pack", body, MAX_ASK)


def _refused(push: Push, forbidden: Forbidden) -> HttpResponse:
    return HttpResponse(
        refusal(push, forbidden.reason, str(forbidden)),
        content_type="application/x-git-receive-pack-result",
        headers={"Cache-Control": "no-cache"},
    )


@in_database
def _secrets(session: Session) -> list[str]:
    """Every value that must not reach a repository: the session's own, and the platform's in case one ever leaked."""
    ours = (settings.ANTHROPIC_API_KEY, settings.GITHUB_TOKEN, settings.NEON_API_KEY, settings.RESEND_API_KEY)
    more = (settings.E2B_API_KEY, settings.GITHUB_APP_PRIVATE_KEY)
    return [*events.secrets_of(session), *(value for value in (*ours, *more) if len(value) >= 8)]


@in_database
def _row(session: Session) -> Resource | None:
    """The session's repository once it exists."""
    return (
        Resource.objects.select_related("session")
        .filter(session=session, provider="github", kind="repository", state=Resource.State.READY)
        .first()
    )


async def _admit(request: HttpRequest, slug: str, method: str) -> tuple[Session, Repository]:
    """The session that knocks, and its repository."""
    if request.method != method:
        raise _Answer(405, f"This address takes {method} only.")
    session = await session_of_owner(basic_password(request))
    if session is None:
        raise _Answer(401, "The password is the session's API key or gateway token; its session must be open.")
    row = await _row(session) if session.slug == slug else None
    if row is None:
        raise _Answer(404, "There is no such repository for you.")
    return session, Repository(row)


async def _spooled(request: HttpRequest, limit: int, *, on_disk: bool = False) -> BinaryIO:
    """The request's body in a file of its own.

    `on_disk` gives it a descriptor for git to read from, and no buffer here that would not know how far git has read.
    """
    made: IO[bytes] = tempfile.TemporaryFile(buffering=0) if on_disk else tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    spool = cast("BinaryIO", made)

    def copy() -> int:
        shutil.copyfileobj(request, spool, _PIECE)
        spool.flush()
        size = spool.tell()
        spool.seek(0)
        return size

    try:
        if await asyncio.to_thread(copy) > limit:
            raise _Answer(413, f"The request is larger than {limit // 1_000_000} MB.")
    except BaseException:
        spool.close()
        raise
    return spool


async def _forward(
    request: HttpRequest, repository: Repository, method: str, path: str, body: BinaryIO | None, limit: int
) -> HttpResponseBase:
    """Exchange with the upstream and answer from a file, so that its connection never waits for a slow client."""
    headers = {
        name: request.headers[name]
        for name in ("Content-Type", "Accept", "Git-Protocol", "Content-Encoding")
        if name in request.headers and (body is not None or name in {"Accept", "Git-Protocol"})
    }
    answer = cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 (closed by `_pieces`)
    try:
        kind = await repository.exchange(Ask(method, path, headers, body, limit), answer)
    except Unavailable as trouble:
        answer.close()
        raise _Answer.of(trouble) from None
    except BaseException:
        answer.close()
        raise
    answer.seek(0)
    response = StreamingHttpResponse(_pieces(answer), content_type=kind)
    response["Cache-Control"] = "no-cache"
    return response


async def _pieces(answer: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while piece := answer.read(_PIECE):
            yield piece
            await asyncio.sleep(0)
    finally:
        answer.close()
