"""Bodies are refused at the protocol: by their announced length at once, by their counted length as they come."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SERVER = textwrap.dedent("""
    import sys
    from mk0r.serving import serve

    async def application(scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        text = b"%d bytes arrived" % len(body)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
        await send({"type": "http.response.body", "body": text})

    async def nothing():
        print("hook", flush=True)

    serve(application, bind="127.0.0.1", port=int(sys.argv[1]), opening=nothing, closing=nothing)
""")


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield port, process
    process.terminate()
    out, _ = process.communicate(timeout=60)
    assert out.split() == ["hook", "hook"]  # opened before it listened, closed on the way out


def _send(port: int, head: str, body: bytes = b"") -> bytes:
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(head.encode() + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def _post(path: str, *headers: str) -> str:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""])


def test_an_announced_length_over_the_cap_is_refused_before_any_body(server: tuple[int, object]) -> None:
    answer = _send(server[0], _post("/api/sessions", "Content-Length: 50000000"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413")
    assert json.loads(body)["code"] == "too_large"


def test_a_chunked_body_is_refused_as_soon_as_it_passes_the_cap(server: tuple[int, object]) -> None:
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    answer = _send(server[0], _post("/api/sessions", "Transfer-Encoding: chunked"), chunk * 20)
    assert answer.startswith(b"HTTP/1.1 413")


def test_the_door_for_git_takes_more_than_a_page_does(server: tuple[int, object]) -> None:
    body = b"x" * 2_000_000
    lengths = f"Content-Length: {len(body)}"
    assert b"2000000 bytes arrived" in _send(server[0], _post("/gateway/git/a.git/git-receive-pack", lengths), body)
    assert _send(server[0], _post("/", lengths), body).startswith(b"HTTP/1.1 413")


def test_a_body_at_the_cap_arrives_whole(server: tuple[int, object]) -> None:
    body = b"x" * 1_000_000
    assert b"1000000 bytes arrived" in _send(server[0], _post("/", f"Content-Length: {len(body)}"), body)
