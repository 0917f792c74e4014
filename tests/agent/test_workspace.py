"""A sandbox that is lost: the next one is made by itself and has the app's files before anything else is done in it."""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from provisioning import services as provisioning
from provisioning.exceptions import SandboxLost
from provisioning.models import Resource
from sessions_app.agent import turn as agent_turn
from sessions_app.agent import versions, workspace
from sessions_app.models import Session, Turn, Version
from sessions_app.process import sessions
from tests.agent.conftest import INIT, LocalSandbox, in_db, result

Prompted = Callable[..., Awaitable[Turn]]
Events = Callable[..., Awaitable[list[dict[str, Any]]]]
LOST = {"reason": "sandbox_lost", "message": "E2B no longer has the sandbox.", "retryable": True}


class Vendor:
    """What has become of the session's sandbox: lost once, and made anew by the next converge."""

    def __init__(self, sandbox: LocalSandbox, session: Session) -> None:
        self.sandbox, self.session = sandbox, session
        self.lost = self.broken = False
        self.made = 0

    def lose(self) -> None:
        self.lost = True

    async def connect(self, session_id: uuid.UUID) -> LocalSandbox:
        row = await in_db(lambda: Resource.objects.get(session_id=session_id, provider="e2b"))
        if self.lost and row.state == "ready":
            row.state, row.error, row.settled_at = "failed", LOST, timezone.now()
            await in_db(row.save)
        if row.state != "ready":
            raise SandboxLost("gone")
        self.sandbox._answer()
        return self.sandbox

    async def converge(self, session_id: uuid.UUID) -> None:
        row = await in_db(lambda: Resource.objects.get(session_id=session_id, provider="e2b"))
        if row.state != "planned" or self.broken:
            return
        box = self.sandbox
        shutil.rmtree(box.app)
        shutil.rmtree(box.home)
        box.app.mkdir()
        box.home.mkdir()
        (box.app / "index.html").write_text("<h1>Starter</h1>\n")
        (box.app / ".gitignore").write_text("node_modules\ndist\n.env\n")
        (box.app / ".env").write_text("NEW=1\n")
        box.plays(INIT, {"write": "b.txt", "text": "2"}, result("Second."))
        box.sandbox_id = "sbx" + uuid.uuid4().hex[:8]
        self.lost, self.made = False, self.made + 1
        row.state, row.external_id = "ready", box.sandbox_id
        await in_db(row.save)
        await workspace.refill(session_id)


@pytest.fixture
def vendor(sandbox: LocalSandbox, session: Session, backend: None, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    made = Vendor(sandbox, session)
    monkeypatch.setattr(provisioning, "sandbox", made.connect)
    monkeypatch.setattr(provisioning, "converge", made.converge)
    return made


async def build(prompted: Prompted, sandbox: LocalSandbox, name: str = "a.txt") -> Turn:
    sandbox.plays(INIT, {"write": name, "text": "1"}, {"remove": "index.html"}, result("First."))
    turn = await prompted("A guest book")
    assert turn.state == "done"
    return turn


async def version_of(session: Session, number: int) -> Version:
    found: Version = await in_db(lambda: session.versions.select_related("session").get(number=number))
    return found


async def words(events: Events) -> list[str]:
    said = [notice["text"] for notice in await events("notice")]
    return [text for text in said if not text.startswith("Waiting for")]


async def test_the_next_prompt_makes_the_sandbox_anew_and_builds_on_the_last_version(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session, vendor: Vendor
) -> None:
    await build(prompted, sandbox)
    first = await version_of(session, 1)
    await in_db(session.refresh_from_db)
    before = str(session.agent_session_id)
    vendor.lose()
    turn = await prompted("add a phone number")
    assert (turn.state, turn.summary, vendor.made) == ("done", "Second.", 1)
    assert sorted(path.name for path in sandbox.app.iterdir()) == [".env", ".git", ".gitignore", "a.txt", "b.txt"]
    assert (sandbox.app / ".env").read_text() == "NEW=1\n"
    second = await version_of(session, 2)
    assert sandbox.git("rev-parse", f"{second.sha}^") == first.sha
    assert sandbox.git("ls-remote", str(repository), "main").startswith(second.sha)
    assert await words(events) == ["The sandbox was made anew and holds version 1 again."]
    argv = json.loads((sandbox.home / "argv.json").read_text())
    assert argv[argv.index("--session-id") + 1] != before
    assert "Asked: A guest book\n  Done: First." in (sandbox.home / "prompt.txt").read_text()


async def test_a_visitor_who_comes_back_finds_the_files_there(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session, vendor: Vendor
) -> None:
    await build(prompted, sandbox)
    vendor.lose()
    sessions.wake(session.pk, now=True)
    async with asyncio.timeout(60):
        while not await words(events):
            await asyncio.sleep(0.05)
    assert (sandbox.app / "a.txt").read_text() == "1"
    assert not (sandbox.app / "index.html").exists()
    await sessions.converge(session.pk)
    assert (await words(events), vendor.made) == (["The sandbox was made anew and holds version 1 again."], 1)


async def test_a_version_can_be_restored_in_the_sandbox_that_was_made_anew(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session, vendor: Vendor
) -> None:
    await build(prompted, sandbox)
    await build_more(prompted, sandbox)
    vendor.lose()
    restored = await versions.restore(session, await version_of(session, 1))
    assert restored is not None
    assert (restored.number, restored.restores) == (3, 1)
    assert sandbox.git("rev-parse", f"{restored.sha}^") == (await version_of(session, 2)).sha
    assert not (sandbox.app / "more.txt").exists()
    assert await words(events) == ["The sandbox was made anew and holds version 2 again."]


async def build_more(prompted: Prompted, sandbox: LocalSandbox) -> None:
    sandbox.plays(INIT, {"write": "more.txt", "text": "2"}, result("More."))
    assert (await prompted("more")).state == "done"


async def test_what_had_not_reached_the_repository_is_said_to_be_lost(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session, vendor: Vendor
) -> None:
    await build(prompted, sandbox)
    away = repository.with_name("away")
    repository.rename(away)
    await build_more(prompted, sandbox)
    away.rename(repository)
    vendor.lose()
    turn = await prompted("and on")
    assert turn.state == "done"
    assert (await words(events))[1:] == [
        "The sandbox was made anew and holds version 1 again: version 2 had not reached the repository and is lost."
    ]
    third, fourth = await version_of(session, 3), await version_of(session, 4)
    assert (third.restores, third.tree) == (1, (await version_of(session, 1)).tree)
    assert sandbox.git("rev-parse", f"{fourth.sha}^") == third.sha
    assert sandbox.git("ls-remote", str(repository), "main").startswith(fourth.sha)
    assert await versions.restore(session, await version_of(session, 2)) is None
    assert (await words(events))[-1].startswith(
        "Version 2 cannot be restored: the sandbox that held its files was lost"
    )


async def test_without_a_repository_the_next_sandbox_has_the_starter_and_says_so(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, vendor: Vendor
) -> None:
    await in_db(lambda: Resource.objects.filter(session=session, provider="github").update(state="failed", error=LOST))
    await build(prompted, sandbox)
    vendor.lose()
    turn = await prompted("once more")
    assert turn.state == "done"
    [said] = await words(events)
    assert said == (
        "The sandbox was made anew and holds the starter project: version 1 had not reached the repository and is "
        "lost. The database is untouched."
    )
    assert sandbox.git("rev-list", "--count", (await version_of(session, 2)).sha) == "1"


async def test_a_repository_that_does_not_answer_loses_nothing_and_the_next_prompt_tries_again(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session, vendor: Vendor
) -> None:
    await build(prompted, sandbox)
    away = repository.with_name("away")
    repository.rename(away)
    vendor.lose()
    turn = await prompted("add")
    assert turn.state == "failed"
    assert turn.summary.startswith("The project's files could not be made ready: the files of version 1 could not be")
    assert "does not hold version 1 yet" in (await words(events))[0]
    away.rename(repository)
    assert (await prompted("add")).state == "done"
    assert (sandbox.app / "a.txt").exists()
    assert (await version_of(session, 2)).message == "add"


async def test_a_turn_whose_sandbox_dies_says_so_and_the_next_prompt_works(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session, vendor: Vendor
) -> None:
    await build(prompted, sandbox)
    sandbox.plays(INIT, {"write": "half.txt", "text": "h"}, {"sleep": 300})
    turn = await prompted("half", wait=False)
    running = asyncio.create_task(agent_turn.run(turn.pk))
    async with asyncio.timeout(60):
        while not (sandbox.app / "half.txt").exists():
            await asyncio.sleep(0.05)
    vendor.lose()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.wait_for(agent_turn.run(turn.pk), 60)
    await in_db(turn.refresh_from_db)
    assert turn.state == "failed"
    assert "The sandbox was lost while the agent worked" in turn.summary
    assert "begins from version 1" in turn.summary
    assert (await prompted("again")).state == "done"
    assert not (sandbox.app / "half.txt").exists()
    assert (sandbox.app / "a.txt").exists()


async def test_packages_of_the_version_are_installed(
    prompted: Prompted, sandbox: LocalSandbox, repository: Path, vendor: Vendor
) -> None:
    npm = sandbox.bin / "npm"
    npm.write_text(f'#!/bin/bash\necho "$@" >> {sandbox.root}/npm.log\n')
    npm.chmod(0o755)
    await build(prompted, sandbox, "package-lock.json")
    vendor.lose()
    await prompted("add")
    assert (sandbox.root / "npm.log").read_text().startswith("ci ")


async def test_a_lost_repository_directory_is_fetched_again_and_the_files_are_left_alone(
    prompted: Prompted, sandbox: LocalSandbox, repository: Path, session: Session
) -> None:
    await build(prompted, sandbox)
    sandbox.plays(INIT, {"shell": "rm -rf .git"}, {"write": "b.txt", "text": "2"}, result())
    await prompted("wild")
    sandbox.plays(INIT, result())
    assert (await prompted("tame")).state == "done"
    assert (sandbox.app / "b.txt").exists()
    assert sandbox.git("rev-parse", f"{(await version_of(session, 2)).sha}^") == (await version_of(session, 1)).sha


async def test_sandboxes_lost_as_soon_as_they_are_made_are_left_for_a_person_to_retry(
    session: Session, vendor: Vendor
) -> None:
    def lose() -> None:
        Resource.objects.filter(session=session, provider="e2b").update(state="failed", error=LOST)

    def age() -> None:
        row = Resource.objects.get(session=session, provider="e2b")
        row.meta["renewed"] = [(timezone.now() - timedelta(minutes=11)).isoformat()] * 5
        row.save()

    vendor.broken = True
    assert not await sessions.renew(session.pk)
    for _ in range(5):
        await in_db(lose)
        assert await sessions.renew(session.pk)
    await in_db(lose)
    assert not await sessions.renew(session.pk)
    await in_db(age)
    assert await sessions.renew(session.pk)
    await sessions.close()
