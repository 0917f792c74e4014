"""A worker killed at each named point of a turn or a restore, and the next that takes it up: no loss, no double."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from django.conf import settings as product
from django.db import connections

from provisioning.faults import RESTORE_POINTS, TURN_POINTS
from sessions_app.models import Session, Turn, Version
from tests.agent.conftest import INIT, LocalSandbox, answer, delta, in_db, result, text, tool
from tests.fixtures.cloud import ROOT

Prompted = Callable[..., Awaitable[Turn]]
Events = Callable[..., Awaitable[list[dict[str, Any]]]]
KILLED = -signal.SIGKILL


def cut(sandbox: LocalSandbox, what: str, pk: int, *points: str) -> list[int]:
    """How the runs ended that were killed at these points, and the one after them."""
    at = connections["default"].settings_dict
    url = f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
    command = [
        sys.executable, "-m", "tests.agent.cut", str(sandbox.root), sandbox.sandbox_id, json.dumps(sandbox.env), what,
        str(pk), *points,
    ]  # fmt: skip
    environment = os.environ | {
        "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "mk0r.settings", "ANTHROPIC_BASE_URL": "http://127.0.0.1:1/a",
        "SECRET_KEY": product.SECRET_KEY, "MK0R_ENCRYPTION_KEYS": product.MK0R_ENCRYPTION_KEYS,
    }  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return [int(line) for line in done.stdout.split()]


async def test_a_turn_cut_at_every_point_makes_one_version_and_a_complete_log(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session
) -> None:
    steps: list[dict[str, Any]] = []
    for number in range(8):
        steps += [
            delta(f"word{number} ", uuid=f"d{number}", message=f"m{number}"),
            text(f"word{number} ", uuid=f"w{number}", message=f"m{number}"),
            tool("Bash", {"command": f"c{number}"}, uuid=f"t{number}", call=f"c{number}"),
            answer(f"o{number}", uuid=f"a{number}", call=f"c{number}"), {"sleep": 0.15},
        ]  # fmt: skip
    sandbox.plays(INIT, *steps, {"write": "a.txt", "text": "a"}, result("Done at last."))
    turn = await prompted(wait=False)
    writes = [point for point in TURN_POINTS if point == "turn.after_write"] * 2
    points = [*TURN_POINTS[:3], *writes, *TURN_POINTS[3:]]
    ends = await in_db(cut, sandbox, "turn", turn.pk, *points)
    assert ends == [KILLED] * len(points) + [0]
    await in_db(turn.refresh_from_db)
    assert (turn.state, turn.summary) == ("done", "Done at last.")
    assert [event["input"]["command"] for event in await events("agent.tool")] == [f"c{number}" for number in range(8)]
    assert "".join(event["text"] for event in await events("agent.text")) == "".join(f"word{n} " for n in range(8))
    named = [uuid for event in await events() for uuid in event.get("uuids", [])]
    assert named == [line["uuid"] for line in sandbox.log if line["type"] != "stream_event"]
    assert len([line for line in sandbox.log if line["type"] == "system"]) == 1  # one agent was ever started
    assert len(await events("version.created")) == len(await events("turn.finished")) == 1
    version = await in_db(session.versions.get)
    assert sandbox.git("ls-remote", str(repository), "main").startswith(version.sha)
    assert sandbox.git("rev-list", "--count", version.sha) == "1"


async def test_a_restore_cut_at_every_point_makes_one_version_whose_packages_match(
    prompted: Prompted, events: Events, sandbox: LocalSandbox, repository: Path, session: Session
) -> None:
    npm = sandbox.bin / "npm"  # installs what the lockfile names, as far as this test looks
    npm.write_text(
        '#!/bin/bash\necho "$@" >> ../npm.log; mkdir -p node_modules; cp package-lock.json node_modules/is\n'
    )
    npm.chmod(0o755)
    for number in (1, 2):
        sandbox.plays(
            INIT, {"write": "package-lock.json", "text": f'{{"n": {number}}}'}, {"shell": "npm install"}, result()
        )
        await prompted(f"v{number}")
    installed = sandbox.app / "node_modules" / "is"
    assert installed.read_text() == '{"n": 2}'
    (sandbox.app / "stray.txt").write_text("of nobody")
    version: Version = await in_db(lambda: session.versions.get(number=1))
    ends = await in_db(cut, sandbox, "restore", version.pk, *RESTORE_POINTS)
    assert ends == [KILLED] * len(RESTORE_POINTS) + [0]
    assert (sandbox.app / "package-lock.json").read_text() == installed.read_text() == '{"n": 1}'
    assert not (sandbox.app / "stray.txt").exists()
    assert (sandbox.app / ".env").exists()
    assert [event["number"] for event in await events("version.created")] == [1, 2, 3]
    assert (sandbox.root / "npm.log").read_text().splitlines()[2:] == ["ci --no-audit --no-fund --loglevel=error"]
    assert not await events("notice")
