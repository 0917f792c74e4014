"""Watched processes: restarted when they die, adopted after their owner was killed, ended when the code changed."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mk0r.local.children import Child, left_running, stop_left_running

SLEEP = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(600)"]
Made = Callable[..., Child]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Made]:
    made: list[Child] = []

    def make(fingerprint: str = "one", command: list[str] = SLEEP) -> Child:
        made.append(Child("sleeper", command, dict(os.environ), tmp_path, tmp_path, fingerprint))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_child_is_started_again(child: Made) -> None:
    one = child()
    one.start()
    first = one.pid
    os.kill(first, signal.SIGKILL)
    _until(lambda: not one.alive())
    _until(one.revive)
    assert one.alive()
    assert one.pid != first


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(child: Made) -> None:
    one = child(command=[sys.executable, "-c", "raise SystemExit('no')"])
    one.start()
    begun = time.monotonic()
    _until(lambda: one.revive() and one.restarts >= 3)
    assert time.monotonic() - begun >= 1.0  # at once, after 0.5 s, after 1 s
    assert "no" in one.last_words()


def test_a_second_owner_adopts_what_the_first_left(child: Made, tmp_path: Path) -> None:
    one = child()
    one.start()
    assert left_running(tmp_path, "sleeper")
    two = child()
    assert two.adopt_or_stop() is True
    assert two.pid == one.pid
    two.stop()
    _until(lambda: not one.alive())
    assert not left_running(tmp_path, "sleeper")


def test_what_runs_other_code_is_ended_instead(child: Made) -> None:
    one = child("one")
    one.start()
    assert child("two").adopt_or_stop() is False
    _until(lambda: not one.alive())


def test_a_reused_pid_is_not_taken_for_ours(child: Made, tmp_path: Path) -> None:
    record = tmp_path / "sleeper.process.json"
    kept = {"pid": os.getpid(), "started": "Thu Jan  1 00:00:00 1970", "configuration": "x"}
    record.write_text(json.dumps(kept))
    assert child().adopt_or_stop() is False
    stop_left_running(tmp_path, "sleeper")  # must not end the test run
    assert not record.exists()
