"""F8: servers that speak HTTP as badly as they can; every call ends at its total deadline and takes no memory along.

A TCP server of our own plays the vendor. The client is tried by itself first, many calls at once; then whole legs,
whose deadline has to be kept by the session: it shows the leg as slow when the time is up, and the leg itself comes to
an end.
"""

from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fixtures.ground import begin, ground

TITLE = "hangs, drips, floods, bombs and loops end at the total deadline, ±1 s, in less than 50 MB"
SMALL, FULL = 3, 100
TOTAL = 1.5  # seconds a call may take in all
LATE = 1.0  # seconds by which a deadline may be missed
LATE_IN_PASSING = 10.0  # the same on a machine that has other things to do: there a deadline at all is what counts
GROWTH = 50 * 1024  # KiB
AT_ONCE = 10
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hang(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(1)


async def endless_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Filler: " + b"x" * 100 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 104857600\r\n\r\n")
    for _ in range(1600):
        writer.write(b" " * 65536)
        await writer.drain()


async def bomb(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_BOMB) + _BOMB)


async def loop(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")


async def tls_reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


_BOMB = gzip.compress(b"\0" * 100_000_000)
KINDS: dict[str, Serve] = {
    "hang": hang,
    "drip": drip,
    "endless_headers": endless_headers,
    "flood": flood,
    "bomb": bomb,
    "loop": loop,
    "tls_reset": tls_reset,
}

ENDS = {
    "hang": "lost",
    "drip": "lost",
    "endless_headers": "lost",
    "flood": "cut off",
    "bomb": "cut off",
    "loop": "redirected",
    "tls_reset": "unsent",  # no byte of the request can have left
}


@asynccontextmanager
async def vendor(kind: str) -> AsyncIterator[str]:
    """A server that misbehaves in one way once a request, or the first bytes of TLS, have come; yields its address."""
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await (reader.read(1) if kind == "tls_reset" else reader.readuntil(b"\r\n\r\n"))
            await KINDS[kind](reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    scheme = "https" if kind == "tls_reset" else "http"
    try:
        yield f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def calls(kind: str, count: int) -> float:
    """`count` calls, ten at a time; the longest one's seconds. Each must end as its kind has to."""
    from provisioning import http

    async def call(url: str) -> float:
        began = time.monotonic()
        try:
            reply = await http.exchange("f8", "POST", url + "/", json={}, total=TOTAL)
        except http.WireError as error:
            ended = str(error.wire)
        else:
            ended = "redirected" if reply.status == 307 else "cut off" if not reply.whole and not reply.body else "read"
        assert ended == ENDS[kind], f"{kind}: ended {ended}"
        return time.monotonic() - began

    longest = 0.0
    async with vendor(kind) as url:
        for first in range(0, count, AT_ONCE):
            took = await asyncio.gather(*(call(url) for _ in range(min(AT_ONCE, count - first))))
            longest = max([longest, *took])
    await http.close_clients()
    return longest


async def leg(kind: str) -> tuple[float, float]:
    """One session whose GitHub is such a server: seconds until its leg was told to be slow or failed, and settled."""
    from channels.db import database_sync_to_async
    from django.conf import settings

    from provisioning import http, services, signals

    session = await database_sync_to_async(begin)()
    told: dict[str, float] = {}

    def hear(sender: object, session_id: Any, provider: str, state: str, **_: Any) -> None:
        if session_id == session.pk and provider == "github":
            told[state] = time.monotonic()

    signals.resource_changed.connect(hear)
    async with vendor(kind) as url:
        usual, settings.GITHUB_API_URL = settings.GITHUB_API_URL, url
        try:
            await services.converge(session.pk)
        finally:
            settings.GITHUB_API_URL = usual
            signals.resource_changed.disconnect(hear)
    row = await database_sync_to_async(session.resources.get)(provider="github")
    assert row.state == "failed", f"{kind}: the leg is {row.state}"
    assert row.external_id == "", f"{kind}: {row.external_id} was stored"
    assert row.error["message"], f"{kind}: the leg failed without a word"
    others = await database_sync_to_async(lambda: set(session.resources.filter(provider="neon").values_list("state")))()
    assert others == {("ready",)}, f"{kind} at GitHub, and Neon is {others}"
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    await http.close_clients()
    first = min(at for state, at in told.items() if state in {"unknown", "failed"})
    return first - told["creating"], told["failed"] - told["creating"]


async def measure(size: int) -> dict[str, Any]:
    late = LATE if size > SMALL else LATE_IN_PASSING
    figures: dict[str, Any] = {}
    for kind in KINDS:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        longest = await calls(kind, size)
        figures[kind] = {"longest_s": round(longest, 2)}
        assert longest <= TOTAL + late, f"{kind}: a call took {longest:.1f} s"
        if size >= AT_ONCE or kind == "hang":
            told, ended = await leg(kind)
            assert told <= TOTAL + late, f"{kind}: the leg was shown as slow after {told:.1f} s"
            assert ended <= 2 * (TOTAL + late), f"{kind}: the leg ended after {ended:.1f} s"
            figures[kind] |= {"leg_told_s": round(told, 2), "leg_ended_s": round(ended, 2)}
        figures[kind]["grown_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert figures[kind]["grown_kib"] < GROWTH, f"{kind}: grew by {figures[kind]['grown_kib']} KiB"
    return figures


def run(size: int, scratch: Path) -> dict[str, object]:
    """Try `size` calls of every kind, and a leg."""
    with ground(scratch, E2B_API_KEY="") as _:
        from django.conf import settings

        from provisioning import work

        settings.LEG_DEADLINES = dict.fromkeys(("github", "resend", "neon"), TOTAL)
        work.LATE = TOTAL
        return asyncio.run(measure(size))
