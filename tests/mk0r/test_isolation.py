"""A real model is not let loose in sandboxes that nothing keeps apart, and everyone is told how they are kept apart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.ports import free_port
from mk0r.doctor.installation import sandboxes
from mk0r.doctor.report import State
from mk0r.vendors import isolation_refusal, isolation_words
from tests.fixtures.cloud import ROOT, CloudUnderTest

REAL = {"ANTHROPIC_API_KEY": "sk-ant-x"}


@pytest.mark.parametrize(
    "environment",
    [REAL, {"ANTHROPIC_BASE_URL": "https://models.example.com"}, REAL | {"ANTHROPIC_BASE_URL": "http://127.0.0.1:4"}],
)
def test_a_real_model_is_refused_where_sandboxes_are_plain_processes(environment: dict[str, str]) -> None:
    refusal = isolation_refusal(environment, "plain")
    assert refusal is not None
    assert refusal.startswith(next(iter(environment)))
    assert "MK0R_ALLOW_UNISOLATED=1" in refusal
    assert "bubblewrap" in refusal
    assert isolation_refusal(environment | {"MK0R_ALLOW_UNISOLATED": "1"}, "plain") is None
    assert isolation_refusal(environment | {"MK0R_ALLOW_UNISOLATED": "0"}, "plain") is not None
    assert isolation_refusal(environment | {"E2B_API_KEY": "e2b_x"}, "plain") is None
    for mode in ("bwrap", "unshare"):
        assert isolation_refusal(environment, mode) is None


@pytest.mark.parametrize("environment", [{}, {"ANTHROPIC_BASE_URL": "http://localhost:11434"}, {"NEON_API_KEY": "n"}])
def test_without_a_real_model_plain_processes_will_do(environment: dict[str, str]) -> None:
    assert isolation_refusal(environment, "plain") is None


def test_the_mode_is_said_in_words() -> None:
    assert isolation_words("bwrap") == "isolated by bwrap"
    assert isolation_words("plain") == "plain processes, not isolated"


@pytest.fixture
def plain_cloud(tmp_path: Path) -> Iterator[CloudUnderTest]:
    """A localcloud of its own that runs sandboxes as plain processes."""
    made = CloudUnderTest(tmp_path, free_port(), environment={"MK0R_ISOLATION": "plain"})
    made.start()
    yield made
    made.stop()


def test_localcloud_says_its_mode_and_doctor_repeats_it(plain_cloud: CloudUnderTest, settings: Any) -> None:
    deadline = time.monotonic() + 60
    while "isolation" not in (announced := json.loads((plain_cloud.var / "cloud.json").read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert announced["isolation"] == "plain"
    assert announced["keys"] == plain_cloud.keys
    settings.MK0R_VAR, settings.E2B_API_URL = plain_cloud.var, f"{plain_cloud.base_url}/e2b"
    settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = f"{plain_cloud.base_url}/anthropic", "sk-ant-x"
    assert _doctor() == (True, "plain processes, not isolated", "")
    settings.ANTHROPIC_BASE_URL = "https://models.invalid"
    ok, _, following = _doctor()
    assert not ok
    assert following.startswith("ANTHROPIC_API_KEY is set, but nothing isolates sandboxes")
    settings.MK0R_ALLOW_UNISOLATED = True
    assert _doctor()[0]


def _doctor() -> tuple[bool, str, str]:
    """What doctor says of the sandboxes: well or not, how, and the next step."""
    (part,) = sandboxes()
    (check,) = part.checks
    return check.state is State.WELL, check.said, check.next


def test_the_start_refuses_and_names_what_is_missing(tmp_path: Path) -> None:
    ports = {name: str(free_port()) for name in ("MK0R_PORT", "MK0R_CLOUD_PORT", "MK0R_PG_PORT")}
    environment = os.environ | REAL | ports | {"MK0R_VAR": str(tmp_path), "MK0R_ISOLATION": "plain"}
    for name in ("DATABASE_URL", "PUBLIC_URL", "E2B_API_KEY", "MK0R_ALLOW_UNISOLATED"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=150,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "ANTHROPIC_API_KEY is set, but nothing isolates sandboxes on this machine" in done.stderr
    assert "mk0r is up" not in done.stdout
    assert "Stopped." in done.stdout
