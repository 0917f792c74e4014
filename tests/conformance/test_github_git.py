"""GitHub's repositories as git itself uses them: clone, push and fetch, what redirects it, and what refuses it."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from github import Auth

from tests.conformance.conftest import Exercised
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("github", "git (CLI)")


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
def github(well: CloudUnderTest) -> Iterator[httpx.Client]:
    """The REST API, for what git itself cannot do."""
    headers = {"User-Agent": "test", "Authorization": f"Bearer {well.keys['github']}"}
    with httpx.Client(base_url=f"{well.base_url}/github", headers=headers, timeout=20) as client:
        yield client


@pytest.fixture
def repository(github: httpx.Client) -> dict[str, Any]:
    made: dict[str, Any] = github.post(
        "/user/repos", json={"name": f"mk0r-{uuid.uuid4().hex[:12]}", "private": True}
    ).json()
    return made


def authed(cloud: CloudUnderTest, url: str, token: str = "") -> str:
    return url.replace("http://", f"http://x-access-token:{token or cloud.keys['github']}@")


def tree(where: Path, **files: bytes) -> None:
    where.mkdir(exist_ok=True)
    git("init", "-q", "-b", "main", cwd=where)
    for name, content in files.items():
        (where / name).write_bytes(content)
    git("add", "-A", cwd=where)
    git("commit", "-q", "-m", "one", cwd=where)


def test_a_push_arrives_and_a_clone_is_the_same(
    well: CloudUnderTest, github: httpx.Client, repository: dict[str, Any], tmp_path: Path, exercised: Exercised
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
    for operation in ("push", "clone", "pull"):
        exercised(operation)


def test_the_first_branch_pushed_becomes_the_default(
    well: CloudUnderTest, github: httpx.Client, repository: dict[str, Any], tmp_path: Path
) -> None:
    tree(tmp_path / "work", a=b"a")
    git("push", "-q", authed(well, repository["clone_url"]), "main:trunk", cwd=tmp_path / "work")
    assert github.get(repository["url"]).json()["default_branch"] == "trunk"


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


def test_a_private_repository_asks_who_it_is(repository: dict[str, Any], tmp_path: Path) -> None:
    refused = git("clone", "-q", repository["clone_url"], str(tmp_path / "copy"))
    assert refused.returncode == 128
    assert "could not read Username" in refused.stderr


def test_the_address_from_before_a_new_name_still_leads_there(
    well: CloudUnderTest, github: httpx.Client, repository: dict[str, Any], tmp_path: Path, exercised: Exercised
) -> None:
    work = tmp_path / "work"
    tree(work, a=b"a")
    old = authed(well, repository["clone_url"])
    assert git("push", "-q", old, "main", cwd=work).returncode == 0
    renamed = github.patch(repository["url"], json={"name": f"{repository['name']}-2"}).json()
    assert renamed["clone_url"].endswith(f"/{repository['name']}-2.git")
    (work / "a").write_text("again")
    git("commit", "-q", "-am", "two", cwd=work)
    pushed = git("push", old, "main", cwd=work)
    assert pushed.returncode == 0, pushed.stderr
    assert git("clone", "-q", old, str(tmp_path / "by-old")).returncode == 0
    assert git("clone", "-q", authed(well, renamed["clone_url"]), str(tmp_path / "by-new")).returncode == 0
    assert (tmp_path / "by-old" / "a").read_text() == (tmp_path / "by-new" / "a").read_text() == "again"
    for operation in ("push, redirected", "clone, redirected"):
        exercised(operation)


def test_what_was_given_to_another_owner_is_still_reached_by_its_old_address(
    well: CloudUnderTest, github: httpx.Client, repository: dict[str, Any], tmp_path: Path
) -> None:
    tree(tmp_path / "work", a=b"a")
    url = authed(well, repository["clone_url"])
    assert git("push", "-q", url, "main", cwd=tmp_path / "work").returncode == 0
    organization = f"{well.info['github_owner']}-org"
    assert github.post(f"{repository['url']}/transfer", json={"new_owner": organization}).status_code == 202
    deadline = time.monotonic() + 60
    while github.get(repository["url"]).status_code != 301:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cloned = git("clone", "-q", url, str(tmp_path / "copy"))
    assert cloned.returncode == 0, cloned.stderr


def test_an_archived_repository_takes_no_push_and_can_be_cloned(
    well: CloudUnderTest, github: httpx.Client, repository: dict[str, Any], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    tree(work, a=b"a")
    url = authed(well, repository["clone_url"])
    assert git("push", "-q", url, "main", cwd=work).returncode == 0
    archived = github.patch(repository["url"], json={"archived": True}).json()
    assert archived["size"] >= 1
    refused = git("push", url, "main:other", cwd=work)
    assert refused.returncode != 0
    assert "archived so it is read-only" in refused.stderr
    assert git("clone", "-q", url, str(tmp_path / "copy")).returncode == 0


def test_an_apps_token_opens_one_repository_as_far_as_it_says_and_for_its_hour(
    well: CloudUnderTest, github: httpx.Client, tmp_path: Path, exercised: Exercised
) -> None:
    app = well.info["github_app"]
    one, other = (
        github.post(f"/orgs/{app['installation_owner']}/repos", json={"name": f"mk0r-{uuid.uuid4().hex[:12]}",
                    "private": True}).json()
        for _ in range(2)
    )  # fmt: skip

    def minted(level: str) -> str:
        answer = httpx.post(
            f"{well.base_url}/github/app/installations/{app['installation_id']}/access_tokens",
            json={"repositories": [one["name"]], "permissions": {"contents": level}},
            headers={"Authorization": f"Bearer {Auth.AppAuth(app['id'], app['private_key']).token}"},
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    writes, reads = minted("write"), minted("read")
    work = tmp_path / "work"
    tree(work, a=b"a")
    pushed = git("push", "-q", authed(well, one["clone_url"], writes), "main", cwd=work)
    assert pushed.returncode == 0, pushed.stderr
    assert git("clone", "-q", authed(well, one["clone_url"], reads), str(tmp_path / "copy")).returncode == 0
    refused = git("push", authed(well, one["clone_url"], reads), "main:other", cwd=work)
    assert refused.returncode != 0
    assert "Write access to repository not granted" in refused.stderr
    for command in (("push", authed(well, other["clone_url"], writes), "main"), ("ls-remote", authed(
            well, other["clone_url"], writes))):  # fmt: skip
        hidden = git(*command, cwd=work)
        assert hidden.returncode != 0
        assert "not found" in hidden.stderr
    well.operator("POST", "api/github/expire")
    over = git("ls-remote", authed(well, one["clone_url"], writes))
    assert over.returncode != 0
    assert "Authentication failed" in over.stderr
    for operation in ("push by an App's token", "clone by an App's token", "ls-remote refused"):
        exercised(operation)
