"""Versions over real git: what is committed, what never is, and that going back is exact."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions_app import services
from sessions_app.agent import turn as agent_turn
from sessions_app.agent import versions
from sessions_app.agent.repository import GitFailed, Repository
from sessions_app.agent.sandboxes import Sandbox
from sessions_app.models import Session, Turn, Version
from tests.agent.conftest import INIT, SECRET, LocalSandbox, in_db, result

Prompted = Callable[..., Awaitable[Turn]]
Events = Callable[..., Awaitable[list[dict[str, Any]]]]


def files(root: Path) -> dict[str, bytes]:
    """Every file of the project but what git and npm keep."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not {".git", "node_modules"} & set(path.relative_to(root).parts)
    }


async def test_the_first_version_is_the_root_commit_and_each_turn_adds_one(
    prompted: Prompted, sandbox: LocalSandbox, repository: Path
) -> None:
    sandbox.plays(INIT, {"write": "a.txt", "text": "1"}, result())
    await prompted("x" * 300)
    sandbox.plays(INIT, {"write": "a.txt", "text": "2"}, result())
    await prompted("second\nline")
    assert sandbox.git("rev-list", "--count", "main") == "2"
    subjects = sandbox.git("log", "--format=%s", "main").splitlines()
    assert subjects[0] == "second"
    assert len(subjects[1]) == 120


async def test_whatever_the_agent_does_with_git_one_turn_is_one_commit_on_the_last_version(
    prompted: Prompted, sandbox: LocalSandbox, repository: Path
) -> None:
    sandbox.plays(INIT, {"write": "a.txt", "text": "1"}, result())
    await prompted("first")
    me = "git -c user.name=x -c user.email=x@x"
    sandbox.plays(
        INIT, {"write": "b.txt", "text": "2"},
        {"shell": f"git add -A; {me} commit -qm own; git checkout -qb elsewhere; {me} commit -q --allow-empty -m more"},
        {"shell": "printf '#!/bin/sh\\nexit 1' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit"},
        {"shell": "touch .git/index.lock"},
        result(),
    )  # fmt: skip
    await prompted("second")
    assert sandbox.git("log", "--format=%s|%an", "main") == "second|mk0r\nfirst|mk0r"
    assert sandbox.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert sandbox.git("ls-remote", str(repository)).count("refs/heads") == 1


@pytest.mark.parametrize("ignore", ["", "!.env\n!.env.*\n!**/.env\n"])
async def test_env_files_are_never_committed(prompted: Prompted, sandbox: LocalSandbox, ignore: str) -> None:
    sandbox.plays(
        INIT, {"write": ".gitignore", "text": ignore}, {"write": "server/.env.local", "text": "A=1"},
        {"write": ".env.example", "text": "A="}, {"write": "a.txt", "text": "a"}, {"shell": "git add -f .env; true"},
        result(),
    )  # fmt: skip
    await prompted()
    committed = sandbox.git("ls-tree", "-r", "--name-only", "main").splitlines()
    assert sorted(committed) == [".env.example", ".gitignore", "a.txt", "index.html"]
    assert (sandbox.app / ".env").exists()


@pytest.mark.parametrize("encode", [str, lambda text: base64.b64encode(f"P={text}\n".encode()).decode()])
async def test_a_file_with_a_secret_is_left_out_and_named(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, encode: Callable[[str], str]
) -> None:
    sandbox.plays(
        INIT,
        {"write": "src/a file.ts", "text": f"const p = '{encode(SECRET)}'"},
        {"write": "ok.ts", "text": "1"},
        result(),
    )
    await prompted(f"use {SECRET} please")
    assert sandbox.git("ls-tree", "-r", "--name-only", "main").splitlines() == [".gitignore", "index.html", "ok.ts"]
    assert SECRET not in sandbox.git("log", "--format=%B", "main")
    notice = (await events("notice"))[0]
    assert "src/a file.ts" in notice["text"]


@pytest.mark.parametrize("commit", ["", " && git add -A && git -c user.name=x -c user.email=x@x commit -qm own"])
async def test_a_repository_within_the_project_is_files_like_any_other(
    prompted: Prompted, sandbox: LocalSandbox, repository: Path, session: Session, commit: str
) -> None:
    sandbox.plays(INIT, {"write": "a.txt", "text": "1"}, result())
    await prompted("first")
    sandbox.plays(
        INIT,
        {"write": "tool s/src/b.txt", "text": "2"},
        {"shell": f"cd 'tool s' && git init -q {commit}"},
        {"shell": "git init -q bare/of/files"},
        result(),
    )
    assert (await prompted("second")).state == "done"
    assert "tool s/src/b.txt" in sandbox.git("ls-tree", "-r", "--name-only", "main").splitlines()
    second = files(sandbox.app)
    for number in (1, 2):
        version = await in_db(lambda of=number: session.versions.select_related("session").get(number=of))
        assert await versions.restore(session, version) is not None
    kept = {path: content for path, content in second.items() if "/.git/" not in path}
    assert {path: content for path, content in files(sandbox.app).items() if "/.git/" not in path} == kept
    sandbox.plays(INIT, {"write": "a.txt", "text": "3"}, result())
    assert (await prompted("third")).state == "done"


async def test_what_git_does_not_take_is_left_out_and_named_and_holds_nothing_up(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session
) -> None:
    sandbox.plays(INIT, {"write": "deep/git~1/x", "text": "1"}, {"write": "a.txt", "text": "1"}, result())
    assert (await prompted("first")).state == "done"
    assert sandbox.git("ls-tree", "-r", "--name-only", "main").splitlines() == [".gitignore", "a.txt", "index.html"]
    assert "does not take: deep/git~1/x." in (await events("notice"))[0]["text"]
    sandbox.plays(INIT, {"write": "a.txt", "text": "2"}, result())
    assert (await prompted("second")).state == "done"
    assert await in_db(session.versions.count) == 2


async def test_a_file_too_large_for_the_repository_is_left_out_and_named(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions_app.agent.repository.MAX_FILE", 1000)
    sandbox.plays(INIT, {"write": "a/film.mp4", "text": "x" * 1001}, {"write": "b.txt", "text": "y" * 1000}, result())
    await prompted("first")
    assert sandbox.git("ls-tree", "-r", "--name-only", "main").splitlines() == [".gitignore", "b.txt", "index.html"]
    assert "a/film.mp4" in (await events("notice"))[0]["text"]
    assert (sandbox.app / "a/film.mp4").exists()


async def test_a_page_whose_title_is_no_text_keeps_no_turn_from_its_end(
    prompted: Prompted, sandbox: LocalSandbox, session: Session
) -> None:
    sandbox.plays(INIT, {"write": "index.html", "text": "<title>Guest\0book</title>"}, result())
    assert (await prompted("first")).state == "done"
    await in_db(session.refresh_from_db)
    assert session.title == "Guest\N{REPLACEMENT CHARACTER}book"


async def test_two_workers_with_one_turn_make_one_version_of_it(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is paused with the commit in its hands until the second, which took the turn over, has made it."""
    paused, on = asyncio.Event(), asyncio.Event()
    commit = Repository.commit

    async def slow(self: Repository, *args: Any) -> str:
        made = await commit(self, *args)
        if not paused.is_set():
            paused.set()
            await on.wait()
        return made

    monkeypatch.setattr(Repository, "commit", slow)
    sandbox.plays(INIT, {"write": "a.txt", "text": "1"}, result())
    turn = await prompted("first", wait=False)
    first = asyncio.create_task(agent_turn.run(turn.pk))
    await asyncio.wait_for(paused.wait(), 30)
    await asyncio.wait_for(agent_turn.run(turn.pk), 30)
    on.set()
    await asyncio.wait_for(first, 30)
    assert [event["number"] for event in await events("version.created")] == [1]
    assert len(await events("turn.finished")) == 1


async def test_a_push_that_fails_keeps_the_version_and_the_next_one_brings_it(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session
) -> None:
    away = repository.with_name("away")
    repository.rename(away)
    sandbox.plays(INIT, {"write": "a.txt", "text": "1"}, result())
    assert (await prompted("first")).state == "done"
    [notice] = await events("notice")
    assert "Version 1 is kept here" in notice["text"]
    away.rename(repository)
    sandbox.plays(INIT, {"write": "a.txt", "text": "2"}, result())
    await prompted("second")
    assert sandbox.git("ls-remote", str(repository), "main").split()[0] == sandbox.git("rev-parse", "main")
    assert not await in_db(lambda: session.versions.filter(pushed_at=None).exists())


async def test_the_push_token_is_in_no_file_and_no_argument(
    prompted: Prompted, sandbox: LocalSandbox, repository: Path, session: Session
) -> None:
    from sessions_app import tokens

    real = shutil.which("git")
    spy = sandbox.bin / "git"
    spy.write_text(f'#!/bin/bash\necho "$@" >> {sandbox.root}/argv.log\nexec {real} "$@"\n')
    spy.chmod(0o755)
    sandbox.plays(INIT, {"write": "a.txt", "text": "1"}, result())
    await prompted()
    token = tokens.gateway_token(session)
    argv = (sandbox.root / "argv.log").read_text()
    assert "push" in argv
    assert token not in argv
    for path in (sandbox.app / ".git").rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes()


async def test_undo_and_redo_bring_the_very_files_back(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session
) -> None:
    sandbox.plays(INIT, {"write": "src/a.txt", "text": "1"}, {"write": "package-lock.json", "text": "{}"}, result())
    await prompted("first")
    first = files(sandbox.app)
    sandbox.plays(
        INIT,
        {"write": "src/a.txt", "text": "2"},
        {"remove": "index.html"},
        {"write": "src/new/b.txt", "text": "b"},
        result(),
    )
    await prompted("second")
    second = files(sandbox.app)
    (sandbox.app / "node_modules").mkdir()
    (sandbox.app / "node_modules" / "kept").touch()
    (sandbox.app / "stray.txt").write_text("not committed")

    async def go(number: int) -> Version | None:
        version = await in_db(lambda: session.versions.select_related("session").get(number=number))
        return await versions.restore(session, version)

    third = await go(1)
    assert files(sandbox.app) == first
    assert third is not None
    assert (third.number, third.kind, third.restores, third.message) == (3, "restore", 1, "Restore version 1: first")
    assert (sandbox.app / "node_modules" / "kept").exists()
    assert (await go(1)).number == 3  # the same job, run again after a crash
    await go(2)
    assert files(sandbox.app) == second
    assert sandbox.git("rev-list", "--count", "main") == "4"
    assert sandbox.git("ls-remote", str(repository), "main").split()[0] == sandbox.git("rev-parse", "main")
    assert [event["number"] for event in await events("version.created")] == [1, 2, 3, 4]
    await in_db(session.refresh_from_db)
    assert session.head == 4
    assert (await in_db(services.session_state, session))["can_undo"]


async def test_packages_are_installed_when_the_lockfile_differs(
    prompted: Prompted, sandbox: LocalSandbox, session: Session
) -> None:
    npm = sandbox.bin / "npm"
    npm.write_text(f'#!/bin/bash\necho "$@" >> {sandbox.root}/npm.log\n')
    npm.chmod(0o755)
    for number in (1, 2):
        sandbox.plays(INIT, {"write": "package-lock.json", "text": f'{{"n": {number}}}'}, result())
        await prompted(f"v{number}")
    version = await in_db(lambda: session.versions.get(number=1))
    await versions.restore(session, version)
    assert (sandbox.root / "npm.log").read_text().startswith("ci ")


async def test_a_restore_that_cannot_be_done_is_told_and_loses_nothing(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session
) -> None:
    sandbox.plays(INIT, {"write": "a.txt", "text": "1"}, result())
    await prompted("first")
    version = await in_db(lambda: session.versions.get(number=1))
    shutil.rmtree(sandbox.app / ".git")
    assert await versions.restore(session, version) is None
    assert "could not be restored" in (await events("notice"))[-1]["text"]
    assert (sandbox.app / "a.txt").read_text() == "1"


NAMES = st.sampled_from(["a", "b", "c.txt", "d e", "ü", "-x", "node_modules", "dist", ".hidden", "*", ":(top)y"])
TREE = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.sampled_from(["", "1", "2\n", "\0\r\n", "π"]), max_size=6
)


def lay(root: Path, tree: dict[str, str]) -> None:
    """Make the project's files these, as far as the names allow each other."""
    for path in root.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, content in tree.items():
        target = root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode())
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
        if content == "1":
            os.chmod(target, 0o755)  # noqa: PTH101


def seen(root: Path) -> dict[str, tuple[bytes, bool]]:
    found = {}
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        if path.is_file() and parts[0] != ".git" and not {"node_modules", "dist", ".env"} & set(parts):
            found["/".join(parts)] = (path.read_bytes(), os.access(path, os.X_OK))
    return found


@given(TREE, TREE, TREE)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_restoring_any_tree_over_any_other_is_exact(
    tmp_path: Path, one: dict[str, str], two: dict[str, str], dirt: dict[str, str]
) -> None:
    async def play() -> None:
        box = LocalSandbox(tmp_path / os.urandom(4).hex())
        repository = Repository(Sandbox(box))  # type: ignore[arg-type]  # as much of the SDK as is used
        ignore = "node_modules\ndist\n"
        lay(box.app, one | {".gitignore": ignore})
        first = await repository.begin()
        wanted = seen(box.app)
        lay(box.app, two | {".gitignore": ignore})
        assert (await repository.stage([])).left_out == []
        (box.app / ".env").write_text("KEEP=1")
        lay_over(box.app, dirt)
        await repository.restore(first)
        assert seen(box.app) == wanted
        assert (box.app / ".env").read_text() == "KEEP=1"

    asyncio.run(play())


def lay_over(root: Path, tree: dict[str, str]) -> None:
    for name, content in tree.items():
        try:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content.encode())
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue


async def test_a_tree_that_cannot_be_had_is_an_error(sandbox: LocalSandbox) -> None:
    repository = Repository(Sandbox(sandbox))  # type: ignore[arg-type]
    await repository.begin()
    with pytest.raises(GitFailed):
        await repository.restore("0" * 40)
