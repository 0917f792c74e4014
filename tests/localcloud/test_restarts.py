"""What localcloud still knows when it starts again, after a kill and after a stop."""

from __future__ import annotations

import os
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.localcloud.wire import finished, project

PATHS = {"neon": "/neon/api/v2", "resend": "/resend", "github": "/github", "e2b": "/e2b"}


@pytest.mark.slow
def test_everything_is_still_there_after_a_kill_and_after_a_stop(tmp_path: Path) -> None:
    with run_cloud(tmp_path) as cloud:
        keys = cloud.keys
        made = httpx.post(
            f"{cloud.base_url}/neon/api/v2/projects", json={"project": {"name": "mk0r-kept"}},
            headers={"Authorization": f"Bearer {keys['neon']}"},
        ).json()  # fmt: skip
        cloud.stop(kill=True)  # before its operations ended
        cloud.start()
        assert cloud.keys == keys
        project = made["project"]["id"]
        finished(cloud, project)
        uri = made["connection_uris"][0]["connection_uri"]
        with psycopg.connect(uri) as connection:
            connection.execute("CREATE TABLE guests (name text)")
            connection.execute("INSERT INTO guests VALUES ('Ada')")
        ledger = cloud.ledger()
        cloud.stop()
        assert not (tmp_path / "cloud.json").exists()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(uri, connect_timeout=2)
        cloud.start()
        assert cloud.ledger() == ledger
        with psycopg.connect(uri) as connection:
            assert connection.execute("SELECT name FROM guests").fetchall() == [("Ada",)]


def call(cloud: CloudUnderTest, vendor: str, method: str, path: str, body: Any = None) -> httpx.Response:
    key = cloud.keys[vendor]
    headers = {"Authorization": f"Bearer {key}", "X-API-Key": key, "User-Agent": "Ada"}
    return httpx.request(method, f"{cloud.base_url}{PATHS[vendor]}{path}", json=body, headers=headers, timeout=60)


def made(cloud: CloudUnderTest, vendor: str, path: str, body: Any) -> dict[str, Any]:
    answer = call(cloud, vendor, "POST", path, body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(cloud: CloudUnderTest, reads: list[tuple[str, str]]) -> list[Any]:
    """What each stand-in answers to these reads."""
    answers = [call(cloud, vendor, "GET", path) for vendor, path in reads]
    assert all(answer.status_code == 200 for answer in answers), [answer.text for answer in answers]
    return [answer.json() for answer in answers]


@pytest.mark.slow
def test_every_stand_in_answers_as_before_a_kill_but_for_its_sandboxes(tmp_path: Path) -> None:
    name, mail = f"mk0r-{uuid.uuid4().hex[:12]}", {"from": "a@b.co", "to": "c@d.co", "subject": "Hello", "text": "x"}
    with run_cloud(tmp_path) as cloud:
        neon = project(cloud, name)["project"]["id"]
        audience = made(cloud, "resend", "/audiences", {"name": name})["id"]
        contact = made(cloud, "resend", f"/audiences/{audience}/contacts", {"email": "ada@b.co"})["id"]
        token = made(cloud, "resend", "/api-keys", {"name": name, "permission": "sending_access"})["token"]
        sent = made(cloud, "resend", "/emails", mail)["id"]
        told_of = {"endpoint": "http://127.0.0.1:9/", "events": ["email.bounced"]}
        hook = made(cloud, "resend", "/webhooks", told_of)["id"]
        repository = made(cloud, "github", "/user/repos", {"name": name, "private": True, "auto_init": True})[
            "full_name"
        ]
        sandbox = made(cloud, "e2b", "/v2/sandboxes", {"templateID": "base", "timeout": 600})["sandboxID"]
        event = {"api_key": cloud.keys["posthog"], "event": name, "distinct_id": "ada", "properties": {}}
        assert httpx.post(f"{cloud.base_url}/posthog/e/", json=event).status_code == 200
        reads = [
            ("neon", f"/projects/{neon}"),
            ("neon", f"/projects/{neon}/operations"),
            ("resend", f"/audiences/{audience}"),
            ("resend", f"/contacts/{contact}"),
            ("resend", f"/audiences/{audience}/contacts"),
            ("resend", f"/emails/{sent}"),
            ("resend", "/api-keys"),
            ("resend", f"/webhooks/{hook}"),
            ("github", f"/repos/{repository}"),
            ("github", f"/repos/{repository}/commits"),
            ("github", f"/repos/{repository}/contents/README.md"),
        ]
        while call(cloud, "resend", "GET", f"/emails/{sent}").json()["last_event"] != "delivered":
            time.sleep(0.05)
        before, events = told(cloud, reads), cloud.operator("GET", "api/events")
        assert [one["event"] for one in events] == [name]

        cloud.stop(kill=True)
        cloud.start()

        assert told(cloud, reads) == before
        assert cloud.operator("GET", "api/events") == events
        with_its_token = {"Authorization": f"Bearer {token}"}
        assert httpx.post(f"{cloud.base_url}/resend/emails", json=mail, headers=with_its_token).status_code == 200
        assert call(cloud, "e2b", "GET", f"/sandboxes/{sandbox}").status_code == 404
        assert call(cloud, "e2b", "POST", f"/v2/sandboxes/{sandbox}/connect", {"timeout": 60}).status_code == 404
        assert call(cloud, "e2b", "DELETE", f"/sandboxes/{sandbox}").status_code == 404
        assert call(cloud, "e2b", "GET", "/v2/sandboxes").json() == []
        (kept,) = cloud.ledger(vendor="e2b", kind="sandbox", id=sandbox)
        assert kept["deleted_at"]


def test_a_project_whose_deletion_a_kill_cut_short_can_be_used_again(tmp_path: Path) -> None:
    with run_cloud(tmp_path) as cloud:
        made = project(cloud, "mk0r-cut-short")
        path, uri = f"/projects/{made['project']['id']}", made["connection_uris"][0]["connection_uri"]
        with psycopg.connect(uri) as held, ThreadPoolExecutor() as threads:
            backend = held.info.backend_pid
            os.kill(backend, signal.SIGSTOP)  # its session cannot be ended, which the deletion waits for
            try:
                deleting = threads.submit(call, cloud, "neon", "DELETE", path)
                deadline = time.monotonic() + 10
                while not _is_closed(uri):
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                cloud.stop(kill=True)
            finally:
                os.kill(backend, signal.SIGCONT)
            with pytest.raises(httpx.HTTPError):
                deleting.result(30)
            cloud.start()
        assert call(cloud, "neon", "GET", path).json()["project"]["name"] == "mk0r-cut-short"
        finished(cloud, made["project"]["id"])
        psycopg.connect(uri).close()
        assert call(cloud, "neon", "DELETE", path).status_code == 200
        assert call(cloud, "neon", "GET", path).status_code == 404
        assert _is_closed(uri)


def _is_closed(uri: str) -> bool:
    try:
        psycopg.connect(uri, connect_timeout=2).close()
    except psycopg.OperationalError as error:
        return "not currently accepting connections" in str(error)
    return False
