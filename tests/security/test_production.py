"""What a production process refuses to start with, as every command that serves checks it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage

from mk0r.checks import settings_fit
from mk0r.environment import Environment

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
# Settings that are changed in a public installation -> a word of the refusal.
BAD = {
    "a key ring that is none": ({"MK0R_ENCRYPTION_KEYS": "k1:short"}, "MK0R_ENCRYPTION_KEYS"),
    "a short secret": ({"SECRET_KEY": "secret"}, "SECRET_KEY"),
    "a dull secret": ({"SECRET_KEY": "x" * 60}, "SECRET_KEY"),
    "a real model without a cap": ({"MK0R_BUDGET_USD": 0.0}, "MK0R_BUDGET_USD"),
    "none where the name has a familiar sound": (
        {"MK0R_BUDGET_USD": 0.0, "PUBLIC_URL": "https://localhost.example"},
        "MK0R_BUDGET_USD",
    ),
    "a negative cap": ({"MK0R_BUDGET_USD": -1.0}, "MK0R_BUDGET_USD"),
    "a sweep without a pause": ({"MK0R_SWEEP_SECONDS": 0.0}, "MK0R_SWEEP_SECONDS"),
    "a grace that is no number": ({"MK0R_SWEEP_GRACE": float("nan")}, "MK0R_SWEEP_GRACE"),
    "a cap that is no number": ({"MK0R_BUDGET_USD": float("nan")}, "MK0R_BUDGET_USD"),
    "an address that is none": ({"PUBLIC_URL": "mk0r.example"}, "PUBLIC_URL"),
    "sessions that are over when they begin": ({"MK0R_SESSION_TTL": -5}, "MK0R_SESSION_TTL"),
    "workers that beat without a pause": ({"MK0R_WORKER_SILENCE": 0.0}, "MK0R_WORKER_SILENCE"),
    "a leg without time": ({"LEG_DEADLINES": {"neon": 0.0}}, "NEON_DEADLINE"),
}
# What no check can come to see: values that cannot even be read -> what is said of them, after their name.
UNREADABLE = {
    "PUBLIC_URL": ("http://[::1", "must look like https://"),
    "E2B_SANDBOX_URL": ("http://localhost:port", "must look like https://"),
    "NEON_API_URL": ("localhost:8001/neon", "must look like https://"),
    "DATABASE_URL": ("sqlite:///mk0r.db", "must be of a Postgres database"),
    "RESEND_API_KEY": ("re_schlüssel", "holds a character that no key has"),
    "GITHUB_TOKEN_FILE": ("/nowhere/token", "names /nowhere/token, which cannot be read"),
}


def check(changed: dict[str, str], tmp_path: Path, *how: str, script: Path = ROOT / "manage.py") -> tuple[int, str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MK0R_VAR": str(tmp_path / "var")} | GOOD | changed
    env = {name: value for name, value in env.items() if value} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script), "check", *how], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=150
    )
    return done.returncode, done.stdout + done.stderr


def public(settings: Any, **changed: Any) -> list[CheckMessage]:
    """What the checks say of a public installation with these settings changed."""
    fine = {"IS_PUBLIC": True, "ANTHROPIC_BASE_URL": "https://api.anthropic.com", "MK0R_BUDGET_USD": 1.5}
    names = ("SECRET_KEY", "MK0R_ENCRYPTION_KEYS", "PUBLIC_URL", "ANTHROPIC_API_KEY")
    for name, value in ({name: GOOD[name] for name in names} | fine | changed).items():
        setattr(settings, name, value)
    return settings_fit()


@pytest.mark.parametrize("name", BAD)
def test_settings_that_do_not_fit_are_errors_that_name_them(settings: Any, name: str) -> None:
    changed, word = BAD[name]
    assert not public(settings)
    said = public(settings, **changed)
    assert any(word in each.msg and each.is_serious() for each in said), said


def test_a_deployment_with_good_settings_passes_every_check_of_django(tmp_path: Path) -> None:
    status, said = check({}, tmp_path, "--deploy", "--fail-level", "WARNING")
    assert status == 0, said
    status, said = check({"MK0R_BUDGET_USD": "-1", "SECRET_KEY": "secret"}, tmp_path)
    assert status != 0
    assert "MK0R_BUDGET_USD" in said
    assert "SECRET_KEY" in said


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_value_that_cannot_be_read_stops_the_start_and_names_itself(tmp_path: Path, name: str) -> None:
    value, words = UNREADABLE[name]
    status, said = check({name: value}, tmp_path)
    assert status != 0
    assert f"{name} {words}" in said


def test_what_ends_a_line_in_a_file_is_no_part_of_the_value_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("ghp_0123456789\n")
    monkeypatch.setenv("GITHUB_TOKEN_FILE", str(tmp_path / "token"))
    assert Environment().key("GITHUB_TOKEN") == "ghp_0123456789"


def test_a_path_with_the_name_of_a_tool_is_no_excuse(tmp_path: Path) -> None:
    """A checkout under such a directory once got the keys of the tests."""
    elsewhere = tmp_path / "mypython"
    elsewhere.mkdir()
    (elsewhere / "manage.py").write_text((ROOT / "manage.py").read_text())
    status, said = check({"SECRET_KEY": "", "DEBUG": "1"}, tmp_path, script=elsewhere / "manage.py")
    assert status != 0
    assert "SECRET_KEY" in said
