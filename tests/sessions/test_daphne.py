"""The same over a real Daphne with a worker inside: real sockets, a real handshake, jobs that really run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from django.db import connection

from embedded.ports import free_port
from tests.fixtures.settings import vendor_values

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def backend() -> None:
    """Nothing is played here: legs are made at localcloud."""


@pytest.fixture(scope="module")
def web(cloud: Any, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a web process of its own on the test database."""
    port, directory = free_port(), tmp_path_factory.mktemp("web")
    db = connection.settings_dict
    vendors = {name: str(value) for name, value in vendor_values(cloud).items() if name.isupper()}
    environment = {
        **os.environ,
        **vendors,
        "DATABASE_URL": f"postgres://{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{db['PORT']}/{db['NAME']}",
        "SECRET_KEY": "daphne-test",
        "MK0R_ENCRYPTION_KEYS": "t1:dGVzdC1vbmx5LTMyLWJ5dGVzLWtleS0wMDAwMDAwMDA=",
        "MK0R_PORT": str(port),
        "MK0R_WORKER_INLINE": "1",
        "MK0R_VAR": str(directory),
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    log = directory / "web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "web"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    address = f"127.0.0.1:{port}"
    deadline = time.monotonic() + 90
    while True:
        try:
            if httpx.get(f"http://{address}/api/health", timeout=5).status_code == 200:
                break
        except httpx.HTTPError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(log.read_text()[-3000:])
        time.sleep(0.1)
    yield address
    process.send_signal(signal.SIGTERM)
    process.wait(60)


async def _until(socket: Any, kind: str, **wanted: Any) -> dict[str, Any]:
    async with asyncio.timeout(90):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if frame["type"] == kind and wanted.items() <= frame.get("data", frame).items():
                return frame


async def test_a_session_begins_over_a_real_socket_resumes_and_ends_with_a_receipt(web: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://{web}", timeout=60) as client:
        made = (await client.post("/api/sessions", headers={"Idempotency-Key": "one"})).json()
        again = (await client.post("/api/sessions", headers={"Idempotency-Key": "one"})).json()
        assert made["key"] == again["key"]
        headers = {"Authorization": f"Bearer {made['key']}"}
        async with websockets.connect(f"ws://{web}/ws/session/", additional_headers=headers) as socket:
            assert (await _until(socket, "snapshot"))["session"]["slug"] == made["slug"]
            await _until(socket, "env.written")
            await socket.send("x" * 100_000)
            assert (await _until(socket, "error"))["code"] == "bad_frame"
            await socket.send('{"type": "undo"}')
            assert (await _until(socket, "error"))["code"] == "not_found"
        log = (await client.get(f"/api/sessions/{made['slug']}/events", headers=headers)).json()
        assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        ready = {event["data"]["provider"] for event in log if event["data"].get("state") == "ready"}
        assert ready == {"posthog", "github", "resend", "e2b", "neon"}
        url = f"ws://{web}/ws/session/?after={log[-3]['seq']}"
        async with websockets.connect(url, additional_headers=headers) as socket:
            await _until(socket, "snapshot")
            assert [json.loads(await socket.recv()) for _ in range(2)] == log[-2:]
            await socket.send('{"type": "end"}')
            await _until(socket, "session.closed")
        receipt = (await client.get(f"/api/sessions/{made['slug']}/receipt", headers=headers)).json()
        assert all(line["state"] == "gone" and line["verified_at"] for line in receipt["resources"])


async def test_a_foreign_page_gets_403_and_this_site_gets_in(web: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with websockets.connect(f"ws://{web}/ws/session/", origin="http://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    async with websockets.connect(f"ws://{web}/ws/session/", origin=f"http://{web}") as socket:
        assert json.loads(await socket.recv()) == {"type": "snapshot", "session": None, "seq": 0}
