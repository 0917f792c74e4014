"""Git over the wire against the stand-in: who may, what is served, and what a broken-off push leaves."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
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


@pytest.fixture
def pushed(well: CloudUnderTest, repository: dict[str, Any], tmp_path: Path) -> str:
    """The address of a repository with two commits, made far east of Greenwich."""
    git_in = {"cwd": tmp_path, "check": True, "capture_output": True, "env": {**os.environ, "TZ": "Asia/Tokyo"}}

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *arguments], **git_in)

    git("init", "--quiet", "--initial-branch=main")
    for file, content, at in (
        ("a b/what? #1.txt", "hello", "2026-01-02T03:04:05+09:00"),
        ("large.bin", "x" * (1024 * 1024 + 1), "2026-02-03T04:05:06+09:00"),
    ):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        git("add", ".")
        git_in["env"] |= {"GIT_COMMITTER_DATE": at}
        git("commit", "--quiet", "--date", at, "--message", file)
    git("push", "--quiet", repository["clone_url"].replace("//", f"//x:{well.keys['github']}@"), "main")
    return str(repository["url"])


def test_commits_are_dated_in_utc_and_narrowed_to_what_is_asked_for(github: httpx.Client, pushed: str) -> None:
    commits = github.get(f"{pushed}/commits").json()
    dates = [(one["commit"]["author"]["date"], one["commit"]["committer"]["date"]) for one in commits]
    assert dates == [("2026-02-02T19:05:06Z",) * 2, ("2026-01-01T18:04:05Z",) * 2]
    for query, expected in (
        ({"path": "large.bin"}, ["large.bin"]),
        ({"path": "a b"}, ["a b/what? #1.txt"]),
        ({"path": "none"}, []),
        ({"since": "2026-01-15T00:00:00Z"}, ["large.bin"]),
        ({"until": "2026-01-15T00:00:00Z"}, ["a b/what? #1.txt"]),
        ({"since": "2026-01-01T00:00:00Z", "until": "2026-03-01T00:00:00+00:00"}, ["large.bin", "a b/what? #1.txt"]),
    ):
        found = github.get(f"{pushed}/commits", params={**query, "per_page": "5"})
        assert [one["commit"]["message"] for one in found.json()] == expected, query
        assert found.links == {}
    assert github.get(f"{pushed}/commits?since=yesterday").status_code == 422


def test_a_file_is_found_at_the_address_it_is_listed_with(github: httpx.Client, pushed: str) -> None:
    folder, large = github.get(f"{pushed}/contents").json()
    assert github.get(f"{pushed}/contents/").json() == [folder, large]
    assert (folder["name"], large["name"]) == ("a b", "large.bin")
    (listed,) = github.get(folder["url"]).json()
    file = github.get(listed["url"]).json()
    assert (file["path"], base64.b64decode(file["content"])) == ("a b/what? #1.txt", b"hello")


def test_a_large_file_is_not_called_empty(github: httpx.Client, pushed: str) -> None:
    file = github.get(f"{pushed}/contents/large.bin").json()
    assert (file["size"], file["encoding"], file["content"]) == (1024 * 1024 + 1, "none", "")
