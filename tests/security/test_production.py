"""What a production process refuses to start with, as `manage.py check` and the start itself see it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEY = base64.b64encode(bytes(range(32))).decode()
GOOD = {
    "SECRET_KEY": "k" * 25 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "MK0R_ENCRYPTION_KEYS": f"k1:{KEY}",
    "DATABASE_URL": "postgres://mk0r:pw@127.0.0.1:1/mk0r",
    "PUBLIC_URL": "https://mk0r.example",
    "ANTHROPIC_API_KEY": "sk-ant-0123456789",
    "MK0R_BUDGET_USD": "1.5",
}
# What is changed -> a word of the refusal.
BAD = {
    "no secret": ({"SECRET_KEY": ""}, "SECRET_KEY"),
    "no key ring": ({"MK0R_ENCRYPTION_KEYS": ""}, "MK0R_ENCRYPTION_KEYS"),
    "a key ring that is none": ({"MK0R_ENCRYPTION_KEYS": "k1:short"}, "MK0R_ENCRYPTION_KEYS"),
    "a weak secret": ({"SECRET_KEY": "secret"}, "SECRET_KEY"),
    "a real model without a cap": ({"MK0R_BUDGET_USD": ""}, "MK0R_BUDGET_USD"),
    "a cap of nothing": ({"MK0R_BUDGET_USD": "0"}, "MK0R_BUDGET_USD"),
    "a negative cap": ({"MK0R_BUDGET_USD": "-1"}, "MK0R_BUDGET_USD"),
    "an address that is none": ({"PUBLIC_URL": "mk0r.example"}, "PUBLIC_URL"),
}


def check(changed: dict[str, str], tmp_path: Path, *how: str, script: Path = ROOT / "manage.py") -> tuple[int, str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MK0R_VAR": str(tmp_path / "var")} | GOOD | changed
    env = {name: value for name, value in env.items() if value} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script), "check", *how], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def answers(tmp_path: Path) -> dict[str, tuple[int, str]]:
    with ThreadPoolExecutor(3) as pool:
        asked = {name: pool.submit(check, changed, tmp_path) for name, (changed, _) in BAD.items()}
        asked["good"] = pool.submit(check, {}, tmp_path, "--deploy", "--fail-level", "WARNING")
        return {name: each.result() for name, each in asked.items()}


def test_production_starts_with_good_settings_only(answers: dict[str, tuple[int, str]]) -> None:
    status, said = answers.pop("good")
    assert status == 0, said
    for name, (status, said) in answers.items():
        assert status != 0, name
        assert BAD[name][1] in said, (name, said[-600:])


def test_a_path_with_the_name_of_a_tool_is_no_excuse(tmp_path: Path) -> None:
    """A checkout under such a directory once got the keys of the tests."""
    elsewhere = tmp_path / "mypython"
    elsewhere.mkdir()
    (elsewhere / "manage.py").write_text((ROOT / "manage.py").read_text())
    status, said = check({"SECRET_KEY": "", "DEBUG": "1"}, tmp_path, script=elsewhere / "manage.py")
    assert status != 0
    assert "SECRET_KEY" in said
