"""A turn from prompt to end, over real processes: what is told, what is kept, and every way it can end."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning import services as provisioning
from provisioning.exceptions import SandboxLost
from provisioning.models import Resource
from sessions_app import services
from sessions_app.agent import turn as agent_turn
from sessions_app.models import Session, Turn
from tests.agent.conftest import INIT, SECRET, LocalSandbox, answer, delta, in_db, result, text, tool

Prompted = Callable[..., Awaitable[Turn]]
Events = Callable[..., Awaitable[list[dict[str, Any]]]]

BUILD = [
    INIT, delta("I will ", uuid="d1"), delta("build it.", uuid="d2"), text("I will build it.", uuid="w1"),
    tool("Write", {"file_path": "/app/src/App.tsx", "content": "one\n"}, uuid="w2"),
    {"write": "src/App.tsx", "text": "one\n"}, answer("written", uuid="w3"),
    text("It is built.", uuid="w4", message="m3"), result("It is built."),
]  # fmt: skip


async def test_a_turn_tells_what_happens_makes_a_version_and_ends(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session
) -> None:
    sandbox.plays(*BUILD)
    turn = await prompted("A guest book\nwith colours")
    assert (turn.state, turn.summary) == ("done", "It is built.")
    told = [event["_type"] for event in await events()]
    assert [kind for kind in told if kind != "agent.text"] == [
        "turn.started", "agent.tool", "agent.result", "version.created", "turn.finished",
    ]  # fmt: skip
    words = "".join(event["text"] for event in await events("agent.text"))
    assert words == "I will build it.It is built."
    [finished] = await events("turn.finished")
    assert finished["cost_usd"] == 0
    assert (sandbox.home / "prompt.txt").read_text() == "A guest book\nwith colours"
    assert sandbox.git("log", "--format=%an|%s", "main") == "mk0r|A guest book"
    version = await in_db(session.versions.get)
    assert version.pushed_at is not None
    assert sandbox.git("ls-remote", str(repository), "main").startswith(version.sha)


async def test_every_line_of_the_log_is_in_the_event_log_by_its_name(
    prompted: Prompted, events: Events, sandbox: LocalSandbox
) -> None:
    sandbox.plays(*BUILD)
    turn = await prompted()
    named = [uuid for event in await events() for uuid in event.get("uuids", [])]
    assert named == [line["uuid"] for line in sandbox.log if line["type"] != "stream_event"]
    assert turn.log_lines == len(sandbox.log)


async def test_the_agent_is_given_its_prompt_its_token_and_nothing_else(
    prompted: Prompted, sandbox: LocalSandbox, session: Session, settings: Any
) -> None:
    settings.ANTHROPIC_API_KEY = "sk-ant-platform-key-0123456789"
    sandbox.plays(*BUILD)
    await prompted("--help $(touch /tmp/x) `id` '\" \\ /clear ünï\n" + "y" * 15_000)
    assert (sandbox.home / "prompt.txt").read_text() == "--help $(touch /tmp/x) `id` '\" \\ /clear ünï\n" + "y" * 15_000
    env = json.loads((sandbox.home / "agent-env.json").read_text())
    assert env["ANTHROPIC_BASE_URL"] == f"{settings.GATEWAY_URL}/gateway/model"
    assert env["ANTHROPIC_AUTH_TOKEN"].startswith("mk0rgw_")
    assert not any("sk-ant-platform" in value for value in env.values())
    argv = json.loads((sandbox.home / "argv.json").read_text())
    assert "--session-id" in argv
    assert not any("--help $(" in each for each in argv)
    told = (sandbox.home / ".claude" / "CLAUDE.md").read_text()
    assert "`DATABASE_URL`" in told
    assert "**No mail.**" in told
    assert "$" not in told.replace("$PORT", "")
    assert not (sandbox.app / "CLAUDE.md").exists()


async def test_a_prompt_that_looks_like_a_command_is_taken_as_words(prompted: Prompted, sandbox: LocalSandbox) -> None:
    sandbox.plays(INIT, result())
    await prompted("/compact my wardrobe: an app")
    assert (sandbox.home / "prompt.txt").read_text() == "The request: /compact my wardrobe: an app"


async def test_the_next_turn_resumes_the_conversation_and_a_forgotten_one_is_retold(
    prompted: Prompted, sandbox: LocalSandbox, session: Session
) -> None:
    sandbox.plays(*BUILD)
    await prompted("A guest book")
    await in_db(session.refresh_from_db)
    first = str(session.agent_session_id)
    await prompted("Make it green")
    argv = json.loads((sandbox.home / "argv.json").read_text())
    assert argv[argv.index("--resume") + 1] == first
    assert (sandbox.home / "prompt.txt").read_text() == "Make it green"
    for log in (sandbox.home / ".claude" / "projects").glob("*/*.jsonl"):
        log.unlink()
    await prompted("Make it blue")
    argv = json.loads((sandbox.home / "argv.json").read_text())
    assert argv[argv.index("--session-id") + 1] != first
    assert "Asked: A guest book\n  Done: It is built." in (sandbox.home / "prompt.txt").read_text()


async def test_a_turn_that_changes_nothing_makes_no_version(
    prompted: Prompted, events: Events, sandbox: LocalSandbox
) -> None:
    sandbox.plays(INIT, text("That is 42.", uuid="w1"), result("That is 42."))
    turn = await prompted("What is six times seven?")
    assert turn.state == "done"
    assert not await events("version.created")
    sandbox.plays(*BUILD)
    await prompted()
    sandbox.plays(INIT, result("Nothing to do."))
    await prompted()
    assert len(await events("version.created")) == 1


def _alive(group: int | None) -> list[str]:
    """The processes of that group that have not ended."""
    states = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return [line for line in states.splitlines() if line.split()[0] == str(group) and "Z" not in line]


async def at_work(turn: Turn) -> None:
    """Wait until the turn's agent has been started."""
    async with asyncio.timeout(60):
        while turn.pid is None:
            await asyncio.sleep(0.02)
            await in_db(turn.refresh_from_db)


@pytest.mark.parametrize("deaf", [False, True])
async def test_cancel_ends_the_agent_and_leaves_the_files(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, deaf: bool
) -> None:
    sandbox.plays(
        INIT, text("Working.", uuid="w1"), {"write": "half.txt", "text": "half"}, *([{"deaf": 1}] if deaf else []),
        {"shell": "sleep 300 &"}, tool("Bash", {"command": "sleep"}, uuid="w2"), {"sleep": 300}, result(),
    )  # fmt: skip
    turn = await prompted(wait=False)
    running = asyncio.create_task(agent_turn.run(turn.pk))
    async with asyncio.timeout(60):
        while not await events("agent.tool"):
            await asyncio.sleep(0.05)
    await in_db(services.turn_cancel, session)
    await asyncio.wait_for(running, 60)  # by itself it would go on for much longer
    [finished] = await events("turn.finished")
    assert finished["state"] == "cancelled"
    assert "as the agent left them" in finished["summary"]
    assert (sandbox.app / "half.txt").read_text() == "half"
    assert not await events("version.created")
    await in_db(turn.refresh_from_db)
    async with asyncio.timeout(30):
        while alive(turn.pid):  # killed, a process takes a moment to end
            await asyncio.sleep(0.05)
    sandbox.plays(INIT, result())
    assert (await prompted("go on")).state == "done"
    assert len(await events("version.created")) == 1


async def test_a_wish_to_stop_that_a_dead_worker_left_ends_the_agent(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session
) -> None:
    said = [tool("Bash", {"command": f"c{number}"}, uuid=f"t{number}") for number in range(1200)]
    sandbox.plays(INIT, *said, {"sleep": 60}, result())
    turn = await prompted(wait=False)
    running = asyncio.create_task(agent_turn.run(turn.pk))
    async with asyncio.timeout(20):
        while not await events("agent.tool"):
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await in_db(services.turn_cancel, session)
    await asyncio.wait_for(agent_turn.run(turn.pk), 60)
    await in_db(turn.refresh_from_db)
    assert turn.state == "cancelled"
    assert "as the agent left them" in turn.summary
    assert not alive(turn.pid)
    assert len(await events("agent.tool")) == 1200


async def test_an_agent_that_does_not_leave_after_its_last_word_is_ended_and_its_work_kept(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_turn, "LINGER_SECONDS", 0.5)
    sandbox.plays(*BUILD, {"sleep": 60})
    turn = await prompted()
    assert (turn.state, turn.summary) == ("done", "It is built.")
    assert len(await events("version.created")) == 1
    assert not alive(turn.pid)


async def test_an_agent_that_was_given_up_is_ended_before_the_next_one_begins(
    prompted: Prompted, sandbox: LocalSandbox, session: Session
) -> None:
    sandbox.plays(INIT, {"sleep": 60}, {"write": "late.txt", "text": "late"}, result())
    turn = await prompted(wait=False)
    running = asyncio.create_task(agent_turn.run(turn.pk))
    async with asyncio.timeout(60):
        while turn.pid is None:  # once it is written down, the agent is followed
            await asyncio.sleep(0.05)
            await in_db(turn.refresh_from_db)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await in_db(services.turn_fail, turn.pk, "mk0r itself failed at this turn.")
    await in_db(turn.refresh_from_db)
    assert alive(turn.pid)
    sandbox.plays(*BUILD)
    assert (await prompted("again")).state == "done"
    assert not alive(turn.pid)


def alive(group: int | None) -> bool:
    """Whether a process of that group is still at work."""
    states = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return any(line.split()[0] == str(group) and "Z" not in line for line in states.splitlines())


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([INIT, {"kill": 1}], "because it was killed"),
        ([INIT, {"complain": "node: bad option\n"}, {"exit": 3}], "exit status 3, without an answer. node: bad option"),
        (
            [INIT, result("API Error: 403 budget of $5.00", is_error=True)],
            "stopped with an error: budget of $5.00.",
        ),
        (
            [INIT, result("API Error: 502 It failed. This is a server-side issue. Check your gateway.", is_error=True)],
            "stopped with an error: It failed. The files",
        ),
        ([INIT, {"raw": json.dumps(result("a\0b\ud800c", is_error=True, uuid="\0")) + "\n"}], "error: a"),
        ([{"raw": "\x00\xff no json \n" * 50}, {"raw": "[" * 100_000 + "\n"}, {"raw": "cut off"}], "without an answer"),
        ([INIT, {"raw": "x" * 9_000_000 + "\n"}, result("Bye", is_error=True)], "Bye"),
    ],
)
async def test_an_agent_that_breaks_ends_the_turn_in_words(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, steps: list[dict[str, Any]], said: str
) -> None:
    sandbox.plays(*steps)
    turn = await prompted()
    assert turn.state == "failed"
    assert said in turn.summary
    assert len(await events("turn.finished")) == 1
    sandbox.plays(*BUILD)
    assert (await prompted()).state == "done"


async def test_secrets_are_out_of_every_event_even_in_pieces(
    prompted: Prompted, events: Events, sandbox: LocalSandbox
) -> None:
    pieces = [SECRET[at : at + 3] for at in range(0, len(SECRET), 3)]
    steps: list[dict[str, Any]] = []
    for number, piece in enumerate(["It is ", *pieces, " there"]):
        steps += [delta(piece, uuid=f"d{number}"), {"sleep": 0.03}]
    sandbox.plays(
        INIT, *steps, text(f"It is {SECRET} there", uuid="w1"), tool("Bash", {"command": f"echo {SECRET}"}, uuid="w2"),
        answer(SECRET, uuid="w3"), result(f"The password is {SECRET}"),
    )  # fmt: skip
    turn = await prompted()
    everything = json.dumps(await events(), ensure_ascii=False)
    assert SECRET not in everything
    assert SECRET[:12] not in everything
    assert SECRET not in turn.summary
    assert "It is ••• there" in "".join(event["text"] for event in await events("agent.text"))


async def test_a_worker_that_dies_and_another_that_takes_over_lose_and_double_nothing(
    prompted: Prompted, events: Events, sandbox: LocalSandbox
) -> None:
    steps: list[dict[str, Any]] = []
    for number in range(40):
        steps += [delta(f"word{number} ", uuid=f"d{number}"), {"sleep": 0.03}]
        if number % 5 == 4:
            words = "".join(f"word{each} " for each in range(number - 4, number + 1))
            steps += [text(words, uuid=f"w{number}"), tool("Bash", {"command": f"c{number}"}, uuid=f"t{number}"),
                      answer(f"o{number}", uuid=f"a{number}")]  # fmt: skip
    sandbox.plays(INIT, *steps, {"write": "a.txt", "text": "a"}, result("Done at last."))
    turn = await prompted(wait=False)
    for _ in range(4):
        running = asyncio.create_task(agent_turn.run(turn.pk))
        await asyncio.sleep(0.55)
        running.cancel()  # what is left of a killed worker: nothing but the database and the sandbox
        await asyncio.gather(running, return_exceptions=True)
    await asyncio.wait_for(agent_turn.run(turn.pk), 60)
    await in_db(turn.refresh_from_db)
    assert (turn.state, turn.summary) == ("done", "Done at last.")
    words = "".join(event["text"] for event in await events("agent.text"))
    assert words == "".join(f"word{number} " for number in range(40))
    assert [event["input"]["command"] for event in await events("agent.tool")] == [f"c{n}" for n in range(4, 40, 5)]
    named = [uuid for event in await events() for uuid in event.get("uuids", [])]
    assert named == [line["uuid"] for line in sandbox.log if line["type"] != "stream_event"]
    assert len(await events("version.created")) == 1
    assert len(await events("turn.finished")) == 1


async def test_two_workers_at_once_still_write_each_line_once(
    prompted: Prompted, events: Events, sandbox: LocalSandbox
) -> None:
    steps: list[dict[str, Any]] = []
    for number in range(25):
        steps += [tool("Bash", {"command": f"c{number}"}, uuid=f"t{number}"), {"sleep": 0.02}]
    sandbox.plays(INIT, *steps, {"write": "a.txt", "text": "a"}, result())
    turn = await prompted(wait=False)
    await asyncio.wait_for(asyncio.gather(agent_turn.run(turn.pk), agent_turn.run(turn.pk)), 60)
    assert [event["input"]["command"] for event in await events("agent.tool")] == [f"c{n}" for n in range(25)]
    assert len(await events("turn.finished")) == 1


async def test_a_connection_that_breaks_is_taken_up_again(
    prompted: Prompted, events: Events, sandbox: LocalSandbox
) -> None:
    sandbox.plays(INIT, {"sleep": 1}, *BUILD[1:])
    turn = await prompted(wait=False)
    running = asyncio.create_task(agent_turn.run(turn.pk))
    await at_work(turn)
    sandbox.broken = 3
    await asyncio.wait_for(running, 60)
    await in_db(turn.refresh_from_db)
    assert turn.state == "done"
    assert "".join(event["text"] for event in await events("agent.text")) == "I will build it.It is built."


async def test_a_lost_sandbox_fails_the_turn(
    prompted: Prompted, sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.plays(INIT, {"sleep": 300})
    turn = await prompted(wait=False)
    running = asyncio.create_task(agent_turn.run(turn.pk))
    await at_work(turn)

    async def lost(session_id: Any) -> Any:
        raise SandboxLost("gone")

    monkeypatch.setattr(provisioning, "sandbox", lost)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await asyncio.wait_for(agent_turn.run(turn.pk), 60)
    await in_db(turn.refresh_from_db)
    assert turn.state == "failed"
    assert "sandbox was lost" in turn.summary


async def test_without_a_sandbox_the_turn_says_what_failed(
    prompted: Prompted, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        Resource.objects.filter(session=session, provider="e2b").update(
            state="failed", error={"reason": "unavailable", "message": "E2B does not answer.", "retryable": True}
        )

    async def lost(session_id: Any) -> Any:
        raise SandboxLost("none")

    await in_db(fail)
    monkeypatch.setattr(provisioning, "sandbox", lost)
    turn = await prompted()
    assert turn.state == "failed"
    assert turn.summary == "There is no sandbox to build in. E2B does not answer. Retry the sandbox, then ask again."


async def test_a_prompt_given_early_waits_visibly_and_can_be_stopped(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(session_id: Any) -> None:
        await asyncio.sleep(300)

    await in_db(lambda: Resource.objects.filter(session=session, provider="neon").update(state="creating", attempt=1))
    monkeypatch.setattr(provisioning, "converge", never)
    turn = await prompted(wait=False)
    running = asyncio.create_task(agent_turn.run(turn.pk))
    async with asyncio.timeout(60):
        while not await events("notice"):
            await asyncio.sleep(0.05)
    assert (await events("notice"))[0]["text"] == "Waiting for Neon before the agent begins."
    await in_db(services.turn_cancel, session)
    await asyncio.wait_for(running, 60)
    assert (await events("turn.finished"))[0]["state"] == "cancelled"


async def test_a_program_still_being_installed_is_waited_for_visibly(
    prompted: Prompted, events: Events, sandbox: LocalSandbox
) -> None:
    (sandbox.bin / "claude").unlink()
    sandbox.plays(*BUILD)
    turn = await prompted(wait=False)
    running = asyncio.create_task(agent_turn.run(turn.pk))
    async with asyncio.timeout(60):
        while not await events("notice"):
            await asyncio.sleep(0.05)
    sandbox.install()
    await asyncio.wait_for(running, 60)
    await in_db(turn.refresh_from_db)
    assert turn.state == "done"


async def test_a_real_model_does_not_drive_a_plain_process(
    prompted: Prompted, sandbox: LocalSandbox, settings: Any
) -> None:
    sandbox.plays(*BUILD)
    settings.ANTHROPIC_BASE_URL = "https://api.anthropic.com"
    turn = await prompted()
    assert turn.state == "failed"
    assert "MK0R_ALLOW_UNISOLATED=1" in turn.summary
    settings.MK0R_ALLOW_UNISOLATED = True
    assert (await prompted()).state == "done"
