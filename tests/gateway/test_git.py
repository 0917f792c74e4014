"""The git door: real git through the product's socket to a git host that only the platform may use."""

from __future__ import annotations

import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway import git_process
from sessions_app import tokens
from sessions_app.models import Session
from tests.gateway.conftest import GITHUB_KEY, PASSWORD, GitHost, in_db

Git = Callable[..., Awaitable["subprocess.CompletedProcess[str]"]]


def address(site: str, session: Session, password: str) -> str:
    return f"http://mk0r:{password}@{urlsplit(site).netloc}/gateway/git/{session.slug}.git"


@pytest.fixture
async def work(tmp_path: Path, git: Git, site: str, git_host: GitHost, ada: Session) -> Path:
    """Ada's working tree, with one commit that is pushed."""
    git_host.create(ada)
    tree = tmp_path / "work"
    await git("init", "-q", "-b", "main", str(tree))
    await git("remote", "add", "origin", address(site, ada, tokens.gateway_token(ada)), cwd=tree)
    (tree / "app.ts").write_text("export const x = 1;\n" * 50)
    await commit(git, tree, "first")
    await git("push", "-q", "origin", "main", cwd=tree)
    return tree


async def commit(git: Git, tree: Path, message: str) -> None:
    await git("add", "-A", "-f", cwd=tree)
    await git("commit", "-q", "-m", message, cwd=tree)


async def head_of(git: Git, git_host: GitHost, session: Session) -> str:
    path = git_host.root / "mk0r-apps" / f"mk0r-{session.slug}.git"
    return (await git("rev-parse", "main", cwd=path)).stdout.strip()


@pytest.mark.parametrize("shown", [tokens.gateway_token, tokens.session_key], ids=["sandbox", "owner"])
async def test_what_is_pushed_can_be_cloned_and_fetched(
    work: Path, git: Git, site: str, git_host: GitHost, ada: Session, tmp_path: Path, shown: Any
) -> None:
    copy = tmp_path / "copy"
    await git("clone", "-q", address(site, ada, shown(ada)), str(copy))
    assert (copy / "app.ts").read_text() == (work / "app.ts").read_text()
    (work / "app.ts").write_text("export const x = 2;\n" * 50)  # a second push sends deltas against the first
    await commit(git, work, "second")
    await git("push", "-q", "origin", "main", cwd=work)
    await git("pull", "-q", cwd=copy)
    assert (copy / "app.ts").read_text() == (work / "app.ts").read_text()


async def test_a_push_larger_than_gits_buffer_goes_through(
    work: Path, git: Git, git_host: GitHost, ada: Session
) -> None:
    import os

    (work / "big.bin").write_bytes(os.urandom(3_000_000))
    await commit(git, work, "big")
    await git("push", "-q", "origin", "main", cwd=work)
    assert await head_of(git, git_host, ada) == (await git("rev-parse", "HEAD", cwd=work)).stdout.strip()


@pytest.mark.parametrize("name", ["Icon\r", "a\rb", "a\nb", "ü \u2028x", "-x"])
async def test_a_file_of_any_name_goes_through(
    work: Path, git: Git, git_host: GitHost, ada: Session, name: str
) -> None:
    (work / name).write_text("anything")
    await commit(git, work, "odd")
    await git("push", "-q", "origin", "main", cwd=work)
    assert await head_of(git, git_host, ada) == (await git("rev-parse", "HEAD", cwd=work)).stdout.strip()


async def test_a_shallow_clone_can_be_pushed_from(
    work: Path, git: Git, site: str, git_host: GitHost, ada: Session, tmp_path: Path
) -> None:
    (work / "app.ts").write_text("export const x = 2;\n")
    await commit(git, work, "second")
    await git("push", "-q", "origin", "main", cwd=work)
    copy = tmp_path / "copy"
    await git("clone", "-q", "--depth", "1", address(site, ada, tokens.session_key(ada)), str(copy))
    (copy / "app.ts").write_text("export const x = 3;\n")
    await commit(git, copy, "third")
    await git("push", "-q", "origin", "main", cwd=copy)
    assert await head_of(git, git_host, ada) == (await git("rev-parse", "HEAD", cwd=copy)).stdout.strip()


async def test_a_stranger_with_a_token_of_her_own_finds_nothing(
    work: Path, git: Git, site: str, ada: Session, mallory: Session, git_host: GitHost
) -> None:
    git_host.create(mallory)
    refused = await git("ls-remote", address(site, ada, tokens.gateway_token(mallory)), ok=False)
    assert refused.returncode
    assert "not found" in refused.stderr
    pushed = await git("push", address(site, ada, tokens.gateway_token(mallory)), "main", cwd=work, ok=False)
    assert pushed.returncode
    crossed = f"http://mk0r:{tokens.gateway_token(mallory)}@{urlsplit(site).netloc}/gateway/git/../git/{ada.slug}.git"
    assert (await git("ls-remote", crossed, ok=False)).returncode


@pytest.mark.parametrize("header", [None, "Basic !!!", "Basic bWswcjp4", "Bearer x"])
async def test_without_the_password_git_is_asked_for_one(
    site: str, http: aiohttp.ClientSession, ada: Session, header: str | None
) -> None:
    url = f"{site}/gateway/git/{ada.slug}.git/info/refs?service=git-upload-pack"
    async with http.get(url, headers={"Authorization": header} if header else {}) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic")


async def test_the_token_is_dead_after_the_session_ends(work: Path, git: Git, site: str, ada: Session) -> None:
    for shown in (tokens.gateway_token(ada), tokens.session_key(ada)):
        await in_db(lambda: Session.objects.filter(pk=ada.pk).update(state="closing"))
        assert (await git("ls-remote", address(site, ada, shown), ok=False)).returncode


@pytest.mark.parametrize("how", ["added", "moved", "hidden in history", "on a tag", "elsewhere pushed before"])
async def test_workflows_do_not_reach_the_repository(
    work: Path, git: Git, git_host: GitHost, ada: Session, how: str
) -> None:
    before = await head_of(git, git_host, ada)
    flow = work / ".github" / "workflows" / "ci.yml"
    if how in {"moved", "elsewhere pushed before"}:  # the very same tree object is already in the repository
        (work / "docs").mkdir()
        (work / "docs" / "ci.yml").write_text("on: push\n")
        await commit(git, work, "docs")
        await git("push", "-q", "origin", "main", cwd=work)
        before = await head_of(git, git_host, ada)
        (work / ".github").mkdir()
        (work / "docs").rename(work / ".github" / "workflows")
    else:
        flow.parent.mkdir(parents=True)
        flow.write_text("on: push\n")
    await commit(git, work, "flow")
    if how == "hidden in history":
        flow.unlink()
        await commit(git, work, "nothing to see")
    ref = "main"
    if how == "on a tag":
        await git("tag", "-a", "-m", "v1", "v1", cwd=work)
        ref = "v1"
    pushed = await git("push", "origin", ref, cwd=work, ok=False)
    assert pushed.returncode
    assert "remote rejected" in pushed.stderr
    assert "workflow files are not allowed" in pushed.stderr
    assert "remote: This push was refused" in pushed.stderr
    assert await head_of(git, git_host, ada) == before


@pytest.mark.parametrize("where", ["file", "binary", "message", "history", "key", "platform"])
async def test_a_known_secret_does_not_reach_the_repository(
    work: Path, git: Git, git_host: GitHost, ada: Session, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provisioning import services

    monkeypatch.setattr(services, "secret_values", lambda session: [f"{PASSWORD}-ada"])
    before = await head_of(git, git_host, ada)
    value = {"key": tokens.session_key(ada), "platform": GITHUB_KEY}.get(where, f"{PASSWORD}-ada")
    path = work / "leak.dat"
    path.write_bytes(b"\0" * 1_500_000 + value.encode() if where == "binary" else f"const p = '{value}'".encode())
    if where == "message":
        path.write_text("nothing")
    await commit(git, work, f"it is {value}" if where == "message" else "leak")
    if where == "history":
        path.unlink()
        await commit(git, work, "clean again")
    pushed = await git("push", "origin", "main", cwd=work, ok=False)
    assert pushed.returncode
    assert "contains a secret" in pushed.stderr
    assert value not in pushed.stderr
    if where not in {"message"}:
        assert "leak.dat" in pushed.stderr
    assert await head_of(git, git_host, ada) == before


@pytest.mark.parametrize("name", ["fix#12", "größe", "a,b;c!(d)", "v1.0_rc-1"])
async def test_a_branch_of_any_name_goes_through(work: Path, git: Git, name: str) -> None:
    await git("push", "-q", "origin", f"main:refs/heads/{name}", cwd=work)
    assert f"refs/heads/{name}" in (await git("ls-remote", "origin", cwd=work)).stdout


async def test_deleting_a_branch_needs_no_pack(work: Path, git: Git, git_host: GitHost) -> None:
    await git("push", "-q", "origin", "main:refs/heads/other", cwd=work)
    await git("push", "-q", "origin", ":refs/heads/other", cwd=work)
    assert "other" not in (await git("ls-remote", "origin", cwd=work)).stdout


@pytest.mark.parametrize(
    "body", [b"", b"zzzz", b"0005x", b"0001", b"ffff", b"0032" + b"x" * 46, b"0000garbage", b"0000"]
)
async def test_what_is_no_push_is_refused_in_words(
    site: str, http: aiohttp.ClientSession, ada: Session, git_host: GitHost, body: bytes
) -> None:
    git_host.create(ada)
    url = f"{site}/gateway/git/{ada.slug}.git/git-receive-pack"
    auth = aiohttp.encode_basic_auth("mk0r", tokens.gateway_token(ada))
    async with http.post(url, data=body, headers={"Authorization": auth}) as response:
        assert response.status in {200, 400, 502}
        assert "Traceback" not in await response.text()


async def test_a_broken_pack_is_refused(
    site: str, http: aiohttp.ClientSession, ada: Session, git_host: GitHost
) -> None:
    git_host.create(ada)
    line = b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/main\0report-status side-band-64k"
    body = b"%04x%s0000PACK\0\0\0\2\0\0\0\1garbage" % (len(line) + 4, line)
    url = f"{site}/gateway/git/{ada.slug}.git/git-receive-pack"
    auth = aiohttp.encode_basic_auth("mk0r", tokens.gateway_token(ada))
    async with http.post(url, data=body, headers={"Authorization": auth}) as response:
        assert b"ng refs/heads/main bad pack" in await response.read()


async def test_the_platforms_credential_is_in_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    env = git_process.environment("ghp_hidden_0123456789")
    assert not any("ghp_hidden" in name for name in env)
    assert env["GIT_CONFIG_COUNT"].isdigit()


async def test_a_silent_host_is_told_as_such(work: Path, git: Git, site: str, ada: Session, settings: Any) -> None:
    settings.GITHUB_GIT_URL = "http://127.0.0.1:1"
    failed = await git("ls-remote", address(site, ada, tokens.gateway_token(ada)), ok=False)
    assert "could not be reached" in failed.stderr or "502" in failed.stderr
