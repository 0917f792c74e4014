"""Writes down what the vendors' stand-ins were asked and what they answered, one line of JSON per exchange, when told.

`MK0R_CLOUD_TRAFFIC` names the directory; every process writes a file of its own there, which only its owner may read,
since keys and passwords stand in it. Without the variable none of this runs.

A line holds what the stand-in answered, before a fault mangled it; `mangled` says whether the client got something
else, `ordered` whether the answer is an error that a fault ordered. Written down are the vendors' own APIs and not what
passes through to a repository, a sandbox, a preview or a store of uploads.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from localcloud.faults import ErrorBody, Handler, operation_of

log = logging.getLogger(__name__)

CAP = 1024 * 1024  # bytes of a body; of a larger one only its size is kept
# Repositories; the store that E2B sends uploads to; the way to a preview where host names cannot be had.
PASSED_THROUGH = ("/github/git/", "/e2b/template-files/", "/e2b/preview/")


# There while an exchange is written down: a stand-in that streams events says here what each held.
STREAMED: web.RequestKey[list[dict[str, Any]]] = web.RequestKey("traffic_streamed", list)


class Traffic:
    """The file of this process. Raises `OSError` when the directory cannot be used."""

    def __init__(self, directory: Path, vendors: tuple[str, ...]) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._vendors = vendors
        self._file = os.open(
            directory / f"{time.time_ns()}-{os.getpid()}.jsonl",
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND,
            0o600,
        )

    def exchange(self, request: web.Request) -> Exchange | None:
        """The exchange that begins with *request*; None when it is none of a vendor's API."""
        vendor, _, path = request.rel_url.raw_path.removeprefix("/").partition("/")
        if vendor not in self._vendors or "E2b-Sandbox-Id" in request.headers:
            return None
        if request.path.startswith(PASSED_THROUGH):
            return None
        return Exchange(self, request, vendor, f"/{path}")

    def write(self, line: dict[str, Any]) -> None:
        """One line, by one call: a process that is killed leaves whole lines but for the last."""
        try:
            os.write(self._file, json.dumps(line, separators=(",", ":")).encode() + b"\n")
        except OSError as error:  # the record is no part of the service
            log.warning("an exchange could not be written down: %s", error)

    def close(self) -> None:
        os.close(self._file)


class Exchange:
    """One request on its way. `answer` is what the stand-in made of it, None as long as it made nothing."""

    def __init__(self, traffic: Traffic, request: web.Request, vendor: str, path: str) -> None:
        self._traffic, self._request, self._vendor, self._path = traffic, request, vendor, path
        self.answer: web.StreamResponse | None = None
        self._ordered = False
        self._streamed = request[STREAMED] = []

    def watching(self, handler: Handler) -> Handler:
        """*handler*, noting what it answers."""

        async def watched(request: web.Request) -> web.StreamResponse:
            try:
                self.answer = await handler(request)
            except web.HTTPException as error:
                self.answer = error
                raise
            return self.answer

        return watched

    def refusing(self, error_body: ErrorBody, *, ordered: bool) -> ErrorBody:
        """*error_body*, noting what it made: an error the vendor gives is an answer too."""

        def refuse(status: int, message: str) -> web.Response:
            self.answer = refused = error_body(status, message)
            self._ordered = ordered
            return refused

        return refuse

    async def end(self, sent: web.StreamResponse | None) -> None:
        """Write it down. *sent* is what left for the client, as far as anything did."""
        request, answer = self._request, self.answer
        raw = b""
        if request.content.is_eof():  # else the stand-in did not wait for the body, and neither do we
            with contextlib.suppress(web.HTTPException):
                raw = await request.read()
        self._traffic.write(
            {
                "vendor": self._vendor,
                "operation": operation_of(request.match_info.handler)[1],
                "method": request.method,
                "path": self._path,
                "query": request.rel_url.raw_query_string,
                "agent": request.headers.get("User-Agent", ""),
                "request": _told(request.headers.get("Content-Type"), raw),
                "status": answer.status if answer is not None else None,
                "reply": _answered(answer, self._streamed) if answer is not None else None,
                "ordered": self._ordered,
                "mangled": sent is not answer,
            }
        )


def _answered(answer: web.StreamResponse, streamed: list[dict[str, Any]]) -> dict[str, Any]:
    kind = answer.headers.get("Content-Type")
    if not isinstance(answer, web.Response):
        return {"type": kind, "streamed": streamed}
    return _told(kind, bytes(answer.body) if isinstance(answer.body, bytes | bytearray) else b"")


def _told(kind: str | None, raw: bytes) -> dict[str, Any]:
    """A body's type and size, and the body itself where it is JSON of a bearable size."""
    told: dict[str, Any] = {"type": kind, "bytes": len(raw)}
    if len(raw) > CAP:
        return told | {"omitted": True}
    with contextlib.suppress(ValueError, RecursionError):
        return told | {"body": json.loads(raw)}
    return told
