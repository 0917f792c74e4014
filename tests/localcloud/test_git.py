"""Git over the wire against the stand-in: who may, what is served, and what a broken-off push leaves."""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.cloud import CloudUnderTest


@pytest.fixture
def repository(github: httpx.Client) -> dict[str, Any]:
    made: dict[str, Any] = github.post(
        "/user/repos", json={"name": f"mk0r-{uuid.uuid4().hex[:12]}", "private": True}
    ).json()
    return made


def test_private_means_401_without_credentials(well: CloudUnderTest, repository: dict[str, Any]) -> None:
    refs = f"{repository['clone_url']}/info/refs?service=git-upload-pack"
    answer = httpx.get(refs)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert httpx.get(refs, auth=("anyone", "wrong")).status_code == 401
    missing = repository["clone_url"].replace("mk0r-", "none-", 2)
    assert httpx.get(f"{missing}/info/refs?service=git-upload-pack").status_code == 401
    gone = f"{well.base_url}/github/git/mk0r-local/never-was.git/info/refs?service=git-upload-pack"
    assert httpx.get(gone, auth=("anyone", well.keys["github"])).status_code == 404


def test_only_the_smart_protocol_is_served(well: CloudUnderTest, repository: dict[str, Any]) -> None:
    auth = ("anyone", well.keys["github"])
    assert httpx.get(f"{repository['clone_url']}/info/refs", auth=auth).status_code == 403
    for path in ("HEAD", "config", "objects/info/packs"):
        assert httpx.get(f"{repository['clone_url']}/{path}", auth=auth).status_code == 501


def test_a_push_that_breaks_off_changes_nothing(
    well: CloudUnderTest, github: httpx.Client, repository: dict[str, Any]
) -> None:
    path = repository["clone_url"].removeprefix(well.base_url)
    with socket.create_connection(("127.0.0.1", well.port)) as wire:
        wire.sendall(
            f"POST {path}/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1:{well.port}\r\n"
            f"Authorization: Bearer {well.keys['github']}\r\nContent-Type: application/x-git-receive-pack-request\r\n"
            "Content-Length: 1000000\r\n\r\n0094".encode()
        )
    assert github.get(f"{repository['url']}/branches").json() == []
    assert well.process is not None
    assert well.process.poll() is None
    children = Path(f"/proc/{well.process.pid}/task/{well.process.pid}/children")
    deadline = time.monotonic() + 30
    while _git_runs(children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _git_runs(children)


def _git_runs(children: Path) -> bool:
    for pid in children.read_text().split():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if Path(f"/proc/{pid}/comm").read_text().startswith("git"):
                return True
    return False
