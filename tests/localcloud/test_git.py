"""Git itself against the stand-in: clone, push and fetch, who may, and what a broken-off push leaves."""

from __future__ import annotations

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


def git(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
    }  # fmt: skip
    return subprocess.run(
        ["git", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def repository(github: httpx.Client) -> dict[str, Any]:
    made: dict[str, Any] = github.post(
        "/user/repos", json={"name": f"mk0r-{uuid.uuid4().hex[:12]}", "private": True}
    ).json()
    return made


def authed(cloud: CloudUnderTest, url: str) -> str:
    return url.replace("http://", f"http://anyone:{cloud.keys['github']}@")


def tree(where: Path, **files: bytes) -> None:
    where.mkdir(exist_ok=True)
    git("init", "-q", "-b", "main", cwd=where)
    for name, content in files.items():
        (where / name).write_bytes(content)
    git("add", "-A", cwd=where)
    git("commit", "-q", "-m", "one", cwd=where)


def test_a_push_arrives_and_a_clone_is_the_same(
    well: CloudUnderTest, github: httpx.Client, repository: dict[str, Any], tmp_path: Path
) -> None:
    big = os.urandom(5_000_000)  # more than git sends without chunking
    tree(tmp_path / "work", big=big, small=b"hello")
    url = authed(well, repository["clone_url"])
    pushed = git("push", "-q", url, "main", cwd=tmp_path / "work")
    assert pushed.returncode == 0, pushed.stderr
    assert git("clone", "-q", url, str(tmp_path / "copy")).returncode == 0
    assert (tmp_path / "copy" / "big").read_bytes() == big
    (tmp_path / "work" / "small").write_text("again")
    git("commit", "-q", "-am", "two", cwd=tmp_path / "work")
    assert git("push", "-q", url, "main", cwd=tmp_path / "work").returncode == 0
    assert git("pull", "-q", cwd=tmp_path / "copy").returncode == 0
    assert (tmp_path / "copy" / "small").read_text() == "again"
    commits = github.get(f"{repository['url']}/commits").json()
    assert [commit["commit"]["message"] for commit in commits] == ["two", "one"]
    assert commits[0]["parents"][0]["sha"] == commits[1]["sha"]


def test_the_first_branch_pushed_becomes_the_default(
    well: CloudUnderTest, github: httpx.Client, repository: dict[str, Any], tmp_path: Path
) -> None:
    tree(tmp_path / "work", a=b"a")
    git("push", "-q", authed(well, repository["clone_url"]), "main:trunk", cwd=tmp_path / "work")
    assert github.get(repository["url"]).json()["default_branch"] == "trunk"


def test_private_means_401_without_credentials(
    well: CloudUnderTest, repository: dict[str, Any], tmp_path: Path
) -> None:
    refs = f"{repository['clone_url']}/info/refs?service=git-upload-pack"
    answer = httpx.get(refs)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert httpx.get(refs, auth=("anyone", "wrong")).status_code == 401
    assert git("clone", "-q", repository["clone_url"], str(tmp_path / "copy")).returncode != 0
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
    deadline = time.monotonic() + 5
    while _git_runs(children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _git_runs(children)


def _git_runs(children: Path) -> bool:
    commands = (Path(f"/proc/{pid}/comm") for pid in children.read_text().split())
    return any(command.read_text().startswith("git") for command in commands if command.exists())


def test_a_deleted_repository_cannot_be_read_and_its_name_is_free(
    well: CloudUnderTest, github: httpx.Client, repository: dict[str, Any], tmp_path: Path
) -> None:
    tree(tmp_path / "work", a=b"a")
    url = authed(well, repository["clone_url"])
    git("push", "-q", url, "main", cwd=tmp_path / "work")
    assert github.delete(repository["url"]).status_code == 204
    assert git("clone", "-q", url, str(tmp_path / "copy")).returncode != 0
    again = github.post("/user/repos", json={"name": repository["name"], "private": True})
    assert again.status_code == 201
    assert again.json()["id"] != repository["id"]
    assert github.get(f"{repository['url']}/branches").json() == []
