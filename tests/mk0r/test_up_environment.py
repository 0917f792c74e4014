"""What `up` reads before anything runs: the environment, and the files that hold a value in its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mk0r.local import up


def test_a_key_in_a_file_makes_a_vendor_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("napi_from_a_file\n")
    monkeypatch.delenv("NEON_API_KEY", raising=False)
    monkeypatch.setenv("NEON_API_KEY_FILE", str(tmp_path / "key"))
    assert up.read_environment()["NEON_API_KEY"] == "napi_from_a_file"
    assert "neon" not in {vendor.name for vendor in up.local_vendors(up.read_environment())}


def test_a_file_that_cannot_be_read_stops_the_start_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN_FILE", "/nowhere/token")
    assert up.main() == 1
    assert "GITHUB_TOKEN_FILE names /nowhere/token" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["abc", "-1", "0", "65536", "8000.0"])
def test_a_port_that_is_none_stops_the_start_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    monkeypatch.setenv("MK0R_VAR", str(tmp_path))
    monkeypatch.setenv("MK0R_PORT", port)
    assert up.main() == 1
    assert f"MK0R_PORT is {port}, and a port is a number" in capsys.readouterr().err


def test_reading_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    up.read_environment()
    assert dict(os.environ) == before
