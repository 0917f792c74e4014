"""A sandbox that slept and comes back without some of its files, with older ones, or with all it had."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning import services as provisioning
from provisioning.models import Resource
from sessions_app import services
from sessions_app.agent import sightings
from sessions_app.models import Session, Turn
from sessions_app.process import sessions
from tests.agent.conftest import INIT, LocalSandbox, in_db, result

Prompted = Callable[..., Awaitable[Turn]]
Events = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture
async def built(
    prompted: Prompted, sandbox: LocalSandbox, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """An app of one version, as a disk that can be kept and put back later: what an older snapshot is."""

    async def pause(sandbox_id: str) -> bool:
        return True

    monkeypatch.setattr(provisioning, "pause_sandbox", pause)
    sandbox.plays(INIT, {"write": "src/a.txt", "text": "1"}, {"write": "src/b.txt", "text": "1"}, result())
    assert (await prompted("first")).state == "done"
    shutil.copytree(sandbox.root, sandbox.root.with_name("snapshot"), symlinks=True)

    def roll_back() -> None:
        shutil.rmtree(sandbox.root)
        shutil.copytree(sandbox.root.with_name("snapshot"), sandbox.root, symlinks=True)

    return roll_back


async def half_done(prompted: Prompted, sandbox: LocalSandbox) -> None:
    """A turn that fails and leaves new work in the sandbox, in no version."""
    sandbox.plays(INIT, {"write": "src/a.txt", "text": "half"}, {"write": "src/new.txt", "text": "n"}, {"exit": 3})
    assert (await prompted("half")).state == "failed"


async def told(events: Events) -> list[str]:
    return [notice["text"] for notice in await events("notice")]


async def nothing_more(prompted: Prompted, sandbox: LocalSandbox) -> None:
    sandbox.plays(INIT, result("Nothing to do."))
    assert (await prompted("go on")).state == "done"


async def test_work_of_a_failed_turn_is_kept_over_a_sleep_and_taken_for_no_loss(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, built: Callable[[], None]
) -> None:
    await half_done(prompted, sandbox)
    await sightings.put_to_sleep(session.pk)
    row = await in_db(lambda: Resource.objects.get(session=session, provider="e2b"))
    assert row.meta["paused"]
    await nothing_more(prompted, sandbox)
    assert (sandbox.app / "src" / "a.txt").read_text() == "half"
    assert (sandbox.app / "src" / "new.txt").exists()
    assert not await told(events)


async def test_files_lost_in_its_sleep_are_brought_back_and_named(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, built: Callable[[], None]
) -> None:
    await half_done(prompted, sandbox)
    await sightings.put_to_sleep(session.pk)
    (sandbox.app / "src" / "new.txt").unlink()
    (sandbox.app / "src" / "a.txt").write_text("")
    (sandbox.app / "more.txt").write_text("new")
    await nothing_more(prompted, sandbox)
    assert (sandbox.app / "src" / "new.txt").read_text() == "n"
    assert (sandbox.app / "src" / "a.txt").read_text() == "half"
    assert (sandbox.app / "more.txt").exists()
    assert await told(events) == ["The sandbox woke without src/a.txt, src/new.txt as it was left. That is put right."]


async def test_a_visitor_who_comes_back_finds_them_there_before_any_prompt(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, built: Callable[[], None]
) -> None:
    await sightings.put_to_sleep(session.pk)
    shutil.rmtree(sandbox.app / "src")
    sessions.wake(session.pk, now=True)
    await sessions._waking[session.pk]
    assert (sandbox.app / "src" / "b.txt").read_text() == "1"
    assert len(await told(events)) == 1
    (sandbox.app / "src" / "b.txt").unlink()  # awake again, this is the app's own doing
    await nothing_more(prompted, sandbox)
    assert not (sandbox.app / "src" / "b.txt").exists()
    assert len(await told(events)) == 1


async def test_an_older_disk_is_given_the_last_version_again(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session,
    built: Callable[[], None],
) -> None:  # fmt: skip
    sandbox.plays(INIT, {"write": "src/a.txt", "text": "2"}, {"remove": "src/b.txt"}, result())
    await prompted("second")
    await sightings.put_to_sleep(session.pk)
    built()
    await nothing_more(prompted, sandbox)
    assert (sandbox.app / "src" / "a.txt").read_text() == "2"
    assert not (sandbox.app / "src" / "b.txt").exists()
    second = await in_db(lambda: session.versions.get(number=2))
    assert sandbox.git("rev-parse", "main") == second.sha
    assert await told(events) == [
        "The sandbox came back with older files than it was left with. It holds version 2 again."
    ]
    sandbox.plays(INIT, {"write": "c.txt", "text": "3"}, result())
    await prompted("third")
    third = await in_db(lambda: session.versions.get(number=3))
    assert sandbox.git("rev-parse", f"{third.sha}^") == second.sha


async def test_an_older_disk_has_lost_what_no_version_holds_and_says_so(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, built: Callable[[], None]
) -> None:
    await half_done(prompted, sandbox)
    built()  # whether or not we put it to sleep: the vendor's own time-out does so too
    await nothing_more(prompted, sandbox)
    assert (sandbox.app / "src" / "a.txt").read_text() == "1"
    [said] = await told(events)
    assert said.startswith("The sandbox came back with older files than it was left with.")
    assert said.endswith("It holds version 1 again; what came after that is lost.")


async def test_files_the_app_wrote_while_it_ran_are_its_own(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, built: Callable[[], None]
) -> None:
    (sandbox.app / "src" / "a.txt").write_text("by the app")
    (sandbox.app / "src" / "b.txt").unlink()
    await nothing_more(prompted, sandbox)
    assert (sandbox.app / "src" / "a.txt").read_text() == "by the app"
    assert not (sandbox.app / "src" / "b.txt").exists()
    assert not await told(events)


async def test_a_sandbox_in_use_is_not_put_to_sleep(
    prompted: Prompted, sandbox: LocalSandbox, session: Session, built: Callable[[], None]
) -> None:
    await prompted("soon", wait=False)
    await sightings.put_to_sleep(session.pk)
    row = await in_db(lambda: Resource.objects.get(session=session, provider="e2b"))
    assert "paused" not in row.meta


async def test_a_turn_whose_session_ends_is_cancelled_however_its_sandbox_goes(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provisioning.exceptions import SandboxLost
    from sessions_app.agent import turn as agent_turn

    turn = await prompted("first", wait=False)
    await in_db(lambda: Turn.objects.filter(pk=turn.pk).update(state="running", sandbox_id=sandbox.sandbox_id))
    await in_db(services.session_end, session)

    async def lost(session_id: Any) -> Any:
        raise SandboxLost("deleted")

    monkeypatch.setattr(provisioning, "sandbox", lost)
    await in_db(lambda: Turn.objects.filter(pk=turn.pk).update(cancel_requested=False))
    monkeypatch.setattr(agent_turn._Runner, "_look", _no_look)
    await agent_turn.run(turn.pk)
    await in_db(turn.refresh_from_db)
    assert (turn.state, turn.summary) == ("cancelled", "The session ended.")
    assert len(await events("turn.finished")) == 1


async def _no_look(self: Any, *, now: bool = False) -> None:
    """The session ended just after the last look."""
