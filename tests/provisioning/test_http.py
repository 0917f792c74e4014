"""The client keeps its promises against a server that does not play along: real sockets, raw bytes."""

from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from provisioning import http
from provisioning.http import WireError, exchange
from provisioning.outcome import Wire

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """Answer each connection with `serve` once a request's head has come; yields the address."""
    requests: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            await serve(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        listening.close()


def says(raw: bytes) -> Serve:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return serve


async def test_an_answer_arrives_whole() -> None:
    async with server(says(HEAD + b'Content-Length: 8\r\n\r\n{"a": 1}')) as url:
        reply = await exchange("test", "GET", url)
    assert (reply.status, reply.body, reply.whole) == (200, b'{"a": 1}', True)


async def test_every_request_says_who_asks_and_which_request_it_is() -> None:
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    first, second = await exchange("test", "GET", url), await exchange("test", "GET", url)
    listening.close()
    heads = b"".join(seen).lower()
    assert heads.count(b"user-agent: mk0r/") == 2
    assert first.request_id != second.request_id
    assert first.request_id.encode() in heads


async def test_a_redirect_is_not_followed() -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with server(says(raw)) as url:
        assert (await exchange("test", "GET", url)).status == 302


async def test_a_cookie_is_not_kept() -> None:
    async with server(says(HEAD + b"Set-Cookie: a=1; Path=/\r\nContent-Length: 0\r\n\r\n")) as url:
        await exchange("test", "GET", url)
        assert not http.client("test").cookies


async def test_a_hundred_megabytes_cost_no_more_than_the_cap() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 104857600\r\n\r\n")
        for _ in range(1600):
            writer.write(b" " * 65536)
            await writer.drain()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with server(serve) as url:
        reply = await exchange("test", "GET", url)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (reply.status, reply.body, reply.whole) == (200, b"", False)
    assert grown < 50_000, f"{grown} KiB"


async def test_a_compressed_body_is_not_inflated() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: " + str(len(bomb)).encode() + b"\r\n\r\n"
    async with server(says(head + bomb)) as url:
        reply = await exchange("test", "GET", url)
    assert (reply.body, reply.whole) == (b"", False)


async def test_a_slow_drip_ends_at_the_total_deadline() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    began = time.monotonic()
    async with server(serve) as url:
        with pytest.raises(WireError) as caught:
            await exchange("test", "GET", url, total=1.5)
    assert caught.value.wire is Wire.LOST
    assert time.monotonic() - began > 1.4


async def test_endless_headers_end_at_the_total_deadline_or_before() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Filler: " + b"x" * 4000 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with server(serve) as url:
        with pytest.raises(WireError) as caught:
            await exchange("test", "GET", url, total=1.0)
    assert caught.value.wire is Wire.LOST


async def test_a_hang_after_the_request_counts_as_sent() -> None:
    async def serve(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(120)

    async with server(serve) as url:
        with pytest.raises(WireError) as caught:
            await exchange("test", "POST", url, json={}, total=1.5)
    assert caught.value.wire is Wire.LOST


@pytest.mark.parametrize("raw", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 banana\r\n\r\n", b"\x16\x03\x01\x00"])
async def test_i6_a_broken_answer_counts_as_sent(raw: bytes) -> None:
    async with server(says(raw)) as url:
        with pytest.raises(WireError) as caught:
            await exchange("test", "POST", url, json={})
    assert caught.value.wire is Wire.LOST


async def test_i6_a_reset_after_the_request_counts_as_sent() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with server(serve) as url:
        with pytest.raises(WireError) as caught:
            await exchange("test", "POST", url, json={})
    assert caught.value.wire is Wire.LOST


async def test_a_body_that_breaks_off_is_not_whole() -> None:
    async with server(says(HEAD + b'Content-Length: 100\r\n\r\n{"id": ')) as url:
        reply = await exchange("test", "POST", url, json={})
    assert (reply.status, reply.whole) == (200, False)


async def test_a_refused_connection_never_left() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(WireError) as caught:
        await exchange("test", "POST", url, json={})
    assert caught.value.wire is Wire.UNSENT


async def test_a_name_that_does_not_resolve_never_left() -> None:
    with pytest.raises(WireError) as caught:
        await exchange("test", "POST", "http://nowhere.invalid/", json={})
    assert caught.value.wire is Wire.UNSENT


async def test_tls_that_is_none_never_left() -> None:
    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    with pytest.raises(WireError) as caught:
        await exchange("test", "POST", f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}", json={})
    listening.close()
    assert caught.value.wire is Wire.UNSENT


async def test_no_more_than_forty_are_in_flight_and_the_rest_wait_their_turn() -> None:
    running = most = 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        writer.write(HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")

    async with server(serve) as url:
        replies = await asyncio.gather(*(exchange("test", "GET", url) for _ in range(120)))
    assert all(reply.status == 200 for reply in replies)
    assert most <= 40


async def test_closing_twice_is_fine_and_clients_open_again() -> None:
    async with server(says(HEAD + b"Content-Length: 2\r\n\r\n{}")) as url:
        await exchange("test", "GET", url)
        await http.close_clients()
        await http.close_clients()
        assert (await exchange("test", "GET", url)).status == 200
