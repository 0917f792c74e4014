"""Keeps the replies of E2B's control plane at the size every other vendor's are kept at.

The SDK (2.63.0, pinned) reads a reply whole, whatever its size, and has no hook for a transport of one's own. It builds
its control plane client around a class it looks up in its own module at each call; that class is replaced here by one
that adds the limit. Traffic with the sandbox itself (files, processes) does not pass through it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
from e2b.api import client_async
from e2b.retry import AsyncRetryableTransport

from provisioning.http import MAX_BODY


class _CappedStream(httpx.AsyncByteStream):
    """Passes a body on until it grows past the limit."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_BODY:
                raise httpx.ReadError("the reply is larger than any this vendor documents")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class CappedTransport(AsyncRetryableTransport):
    """The SDK's transport, asking for plain bodies and taking no more than `MAX_BODY` bytes of them."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
            await response.aclose()
            raise httpx.DecodingError("the reply is compressed though that was not asked for", request=request)
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _CappedStream(response.stream)
        return response


def install() -> None:
    """Put the limit in place, once per process; safe to repeat."""
    client_async.AsyncRetryableTransport = CappedTransport  # type: ignore[attr-defined]
