"""The process: what it says when it cannot start, where it listens, and whom it answers."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from embedded.ports import free_port
from localcloud.config import ConfigError, read
from tests.fixtures.cloud import ROOT, CloudUnderTest


def start(var: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localcloud"], cwd=ROOT, env={**os.environ, "MK0R_VAR": str(var), **environment},
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def test_a_taken_port_is_said_and_ends_the_start(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = start(tmp_path, MK0R_CLOUD_PORT=str(port))
    assert ended.returncode == 2
    assert f"Port {port} is taken" in ended.stderr
    assert "MK0R_CLOUD_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MK0R_CLOUD_PORT", "eighty"),
        ("MK0R_CLOUD_PORT", "70000"),
        ("MK0R_GATEWAY_URL", "nonsense"),
        ("MK0R_GATEWAY_URL", "http://127.0.0.1:x"),
        ("MK0R_ISOLATION", "magic"),
        ("EMAIL_URL", "http://mail"),
        ("MK0R_CLOUD_LIMITS", "resend=many"),
        ("MK0R_CLOUD_LIMITS", "resend=10/0"),
        ("MK0R_CLOUD_LIMITS", "aws=10/1"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        read({name: value})


def test_a_bad_value_ends_the_start_without_a_traceback(tmp_path: Path) -> None:
    ended = start(tmp_path, MK0R_CLOUD_PORT="eighty")
    assert ended.returncode == 2
    assert ended.stderr.startswith("localcloud cannot start: MK0R_CLOUD_PORT")
    assert "Traceback" not in ended.stderr


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = start(tmp_path / "file", MK0R_CLOUD_PORT=str(free_port()))
    assert ended.returncode == 2
    assert "MK0R_VAR" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_state_that_cannot_be_read_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cloud").mkdir()
    state = tmp_path / "cloud" / "state.sqlite3"
    state.write_bytes(b"no database at all" * 100)
    ended = start(tmp_path, MK0R_CLOUD_PORT=str(free_port()))
    assert ended.returncode == 2
    assert "state.sqlite3" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert state.read_bytes().startswith(b"no database")


def test_a_password_in_a_bad_value_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        read({"EMAIL_URL": "imap://sam:hunter2@mail"})
    assert "hunter2" not in str(refused.value)


def test_two_processes_never_share_one_directory(cloud: CloudUnderTest) -> None:
    ended = start(cloud.var, MK0R_CLOUD_PORT=str(free_port()))
    assert ended.returncode == 2
    assert "already uses" in ended.stderr
    assert (cloud.var / "cloud.json").exists()


def test_what_it_announces_is_readable_by_its_owner_only(cloud: CloudUnderTest) -> None:
    assert stat.S_IMODE((cloud.var / "cloud.json").stat().st_mode) == 0o600
    assert cloud.info["pid"] == cloud.process.pid if cloud.process else False
    assert set(cloud.keys) == {"neon", "resend", "github", "posthog", "e2b", "anthropic"}


def test_a_foreign_host_name_is_refused(cloud: CloudUnderTest) -> None:
    for host in ("evil.example", f"evil.example:{cloud.port}", "127.0.0.1", "localhost:1", f"a.localhost:{cloud.port}"):
        answer = httpx.get(f"{cloud.base_url}/_cloud/health", headers={"Host": host})
        assert answer.status_code == 421, host
    for host in (f"localhost:{cloud.port}", f"127.0.0.1:{cloud.port}"):
        assert httpx.get(f"{cloud.base_url}/_cloud/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("vendor", "path"),
    [
        ("neon", "/neon/api/v2/projects"),
        ("resend", "/resend/audiences"),
        ("github", "/github/user/repos"),
        ("github", "/github/git/mk0r-local/x.git/info/refs?service=git-upload-pack"),
        ("posthog", "/posthog/e/"),
        ("e2b", "/e2b/v2/sandboxes"),
        ("anthropic", "/anthropic/v1/models"),
    ],
)
def test_under_a_foreign_name_no_vendor_answers_though_the_key_is_right(
    cloud: CloudUnderTest, vendor: str, path: str
) -> None:
    key = cloud.keys[vendor]
    headers = {"Authorization": f"Bearer {key}", "X-API-Key": key, "Host": f"evil.example:{cloud.port}"}
    for sandbox in ({}, {"E2b-Sandbox-Id": "i" * 21}):
        answer = httpx.get(cloud.base_url + path, headers=headers | sandbox)
        assert answer.status_code == 421
        assert key not in answer.text


def test_nothing_listens_beyond_this_machine(cloud: CloudUnderTest) -> None:
    """Listeners on every address would answer on the second loopback address, on IPv6, and on the machine's own."""
    named = {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)}
    for port in (cloud.port, cloud.info["postgres_port"]):
        with socket.create_connection(("127.0.0.1", port), timeout=30):
            pass
        for address in {"127.0.0.2", "::1"} | named - {"127.0.0.1"}:
            with pytest.raises(OSError):  # noqa: PT011 -- refused, or no such address here
                socket.create_connection((address, port), timeout=5)


def test_a_preview_name_never_reaches_a_vendor_or_the_operator(cloud: CloudUnderTest) -> None:
    host = f"5173-i{'a' * 20}.localhost:{cloud.port}"
    headers = {"Host": host, "Authorization": f"Bearer {cloud.info['operator_key']}"}
    answer = httpx.get(f"{cloud.base_url}/_cloud/ledger", headers=headers)
    assert answer.status_code == 502


def test_the_operator_needs_the_key(cloud: CloudUnderTest) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {cloud.keys['neon']}"}):
        for method, path in (("GET", "ledger"), ("PUT", "faults"), ("DELETE", "faults"), ("GET", "api/mail")):
            assert httpx.request(method, f"{cloud.base_url}/_cloud/{path}", headers=headers).status_code == 401


def test_a_body_over_the_cap_is_refused_in_the_vendors_form(cloud: CloudUnderTest) -> None:
    for vendor, path in (
        ("neon", "/neon/api/v2/projects"),
        ("resend", "/resend/emails"),
        ("github", "/github/user/repos"),
    ):
        headers = {"Authorization": f"Bearer {cloud.keys[vendor]}"}
        answer = httpx.post(cloud.base_url + path, content=b" " * (65 * 1024 * 1024), headers=headers, timeout=60)
        assert answer.status_code == 413
        assert "message" in answer.json()
