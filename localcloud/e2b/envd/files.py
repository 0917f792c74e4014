"""``/files``: whole files in and out, streamed. A write goes to a temporary file that is renamed over its target.

The rename keeps a reader (a dev server, above all) from ever seeing half a file, and keeps the old one when the disk
fills up or the client leaves half-way. An existing file keeps its mode; a link is written through, not replaced.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from aiohttp import BodyPartReader, web

from .connect import Json, RpcError
from .entries import UNFINISHED, check_metadata, replace_metadata
from .paths import Paths, check_user

CHUNK = 256 * 1024
HTTP_CODES = {"invalid_argument": 400, "unauthenticated": 401, "permission_denied": 403, "not_found": 404}
METADATA_HEADER = "x-metadata-"
_FILENAME = re.compile(r'[;\s]filename="((?:[^"\\]|\\.)*)"')


class FileService:
    """Handlers of GET and POST ``/files``."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def routes(self) -> list[web.RouteDef]:
        """The two routes."""
        return [web.get("/files", self.get, allow_head=False), web.post("/files", self.post)]

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Stream a file as octets."""
        try:
            check_user(request.query.get("username", ""))
            path = self._paths.real(request.query.get("path", ""))
            with self._open(path) as file:
                return await _send(request, file)
        except RpcError as error:
            return failure(HTTP_CODES.get(error.code, 500), error.message)
        except OSError as error:
            if isinstance(error, ConnectionError):
                raise
            return failure(500, f"error opening file '{request.query.get('path')}': {_reason(error)}")

    def _open(self, path: Path) -> BinaryIO:
        shown = self._paths.shown(path)
        if path.is_dir():
            raise RpcError("invalid_argument", f"path '{shown}' is a directory")
        if path.exists() and not path.is_file():
            raise RpcError("invalid_argument", f"path '{shown}' is not a regular file")
        try:
            return path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise RpcError("not_found", f"path '{shown}' does not exist") from None

    async def post(self, request: web.Request) -> web.Response:
        """Write one file (octets, or a form and a ``path``) or several (a form whose file names are paths)."""
        try:
            check_user(request.query.get("username", ""))
            metadata = _metadata(request)
            if request.content_type == "application/octet-stream":
                if not request.query.get("path"):
                    raise RpcError("invalid_argument", "path is required for an application/octet-stream upload")
                written: list[Json] = [
                    await self._write(request.query["path"], request.content.iter_chunked(CHUNK), metadata)
                ]
            elif request.content_type == "multipart/form-data":
                written = await self._write_parts(request, metadata)
            else:
                raise RpcError("invalid_argument", f"unsupported content type '{request.content_type}'")
            return web.json_response(written)
        except RpcError as error:
            return failure(HTTP_CODES.get(error.code, 500), error.message)
        except ValueError as error:
            return failure(400, f"error parsing multipart form: {error}")
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                return failure(507, "not enough disk space available")
            return failure(500, f"error writing file: {_reason(error)}")

    async def _write_parts(self, request: web.Request, metadata: dict[str, str]) -> list[Json]:
        written: list[Json] = []
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name != "file":
                continue
            path = request.query.get("path") or _filename(part)
            if not path:
                raise RpcError("invalid_argument", "a file without a path: neither a query parameter nor a file name")
            if request.query.get("path") and written:
                raise RpcError("invalid_argument", "multiple files cannot be uploaded to one path")
            written.append(await self._write(path, _part_chunks(part), metadata))
        if not written:
            raise RpcError("invalid_argument", "the form holds no part named 'file'")
        return written

    async def _write(self, name: str, chunks: AsyncIterator[bytes], metadata: dict[str, str]) -> Json:
        path = self._paths.real(name)
        shown = self._paths.shown(path)
        if path.is_dir():
            raise RpcError("invalid_argument", f"path '{shown}' is a directory")
        target = path.resolve()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise RpcError("invalid_argument", f"a parent of '{shown}' is not a directory") from None
        await _replace(target, chunks, metadata)
        return {"path": shown, "name": path.name, "type": "file", **({"metadata": metadata} if metadata else {})}


async def _replace(target: Path, chunks: AsyncIterator[bytes], metadata: dict[str, str]) -> None:
    descriptor, name = tempfile.mkstemp(prefix=UNFINISHED, dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            async for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), _mode(target))
        replace_metadata(temporary, metadata)
        temporary.replace(target)  # noqa: ASYNC240 -- likewise
    except BaseException:
        temporary.unlink(missing_ok=True)  # noqa: ASYNC240 -- a local file, as quick as any other line
        raise


def _filename(part: BodyPartReader) -> str:
    """The whole file name of a part: it is a path here, of which form parsers keep the last piece or drop the root."""
    found = _FILENAME.search(part.headers.get("Content-Disposition", ""))
    return "" if found is None else re.sub(r"\\(.)", r"\1", found[1])


def _mode(target: Path) -> int:
    try:
        return target.stat().st_mode & 0o7777
    except FileNotFoundError:
        return 0o644


async def _part_chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK):
        yield bytes(chunk)


async def _send(request: web.Request, file: BinaryIO) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "Content-Type": "application/octet-stream",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    size = os.fstat(file.fileno()).st_size
    if size:  # files of /proc say 0 and hold more; without a length they are read to their end
        response.content_length = size
    await response.prepare(request)
    left = size or 2**63
    while left:
        chunk = file.read(min(CHUNK, left))
        if not chunk:
            break
        await response.write(chunk)
        left -= len(chunk)
    if size and left:
        raise ConnectionResetError("the file shrank while it was read")
    await response.write_eof()
    return response


def _metadata(request: web.Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        if name.lower().startswith(METADATA_HEADER):
            found.setdefault(name.lower()[len(METADATA_HEADER) :], value)
    check_metadata(found)
    return found


def failure(status: int, message: str) -> web.Response:
    """envd's error body outside of RPC."""
    return web.json_response({"code": status, "message": message}, status=status)


def _reason(error: OSError) -> str:
    return f"{error.strerror or error}".lower()
