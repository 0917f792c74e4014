"""Every operation of every vendor obeys faults, and the ledger tells what was truly done though the reply was lost."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.cloud import CloudUnderTest
from tests.localcloud.wire import project

LOST = (httpx.ReadError, httpx.RemoteProtocolError)


def headers_of(cloud: CloudUnderTest, vendor: str) -> dict[str, str]:
    key = cloud.keys.get(vendor, "")
    return {"User-Agent": "test", "Authorization": f"Bearer {key}", "X-API-KEY": key, "x-api-key": key}


def ask(cloud: CloudUnderTest, vendor: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """One request under the vendor's key, on a connection of its own."""
    with httpx.Client(base_url=cloud.base_url, timeout=30, verify=False) as http:  # nothing to verify, and quicker so
        return http.request(method, path, json=body, headers=headers_of(cloud, vendor) | headers)


def order(cloud: CloudUnderTest, vendor: str, operation: str, fault: str, **more: Any) -> None:
    cloud.set_faults([{"vendor": vendor, "operation": operation, "fault": fault, **more}])


def test_every_operation_obeys_a_status_and_both_resets(well: CloudUnderTest) -> None:
    routes = well.operator("GET", "api/routes")
    operations = sorted({(route["vendor"], route["operation"]) for route in routes})
    known = {(vendor, name) for vendor, names in well.operator("GET", "api/operations").items() for name in names}
    assert set(operations) == known

    def order_all(fault: str) -> None:
        """A rule of its own for each, told from the others by its number in `Retry-After`."""
        more = {"fault": fault}
        rules = [{"vendor": v, "operation": o, "seconds": number, **more} for number, (v, o) in enumerate(operations)]
        well.set_faults(rules)

    def answered(route: dict[str, str]) -> httpx.Response:
        extra = {route["header"]: "nobody0"} if route["header"] else {}
        return ask(well, route["vendor"], route["method"], re.sub(r"\{[^}]+\}", "1", route["path"]), **extra)

    order_all("status:503")
    for route in routes:
        answer, number = answered(route), operations.index((route["vendor"], route["operation"]))
        assert (answer.status_code, answer.headers.get("retry-after")) == (503, str(number)), route
        assert "ordered from localcloud" in answer.text, route
    for fault in ("reset_before", "reset_after"):
        order_all(fault)
        for route in routes:
            with pytest.raises(LOST):
                pytest.fail(f"{fault}: {route} was answered with {answered(route).status_code}")


def test_the_name_of_a_family_is_for_all_of_it_and_one_of_its_names_for_no_other(well: CloudUnderTest) -> None:
    order(well, "e2b", "envd", "status:503")
    sandbox = {"E2b-Sandbox-Id": "nobody0"}
    assert ask(well, "e2b", "POST", "/process.Process/List", {}, **sandbox).status_code == 503
    order(well, "e2b", "envd/process.List", "status:503")
    assert ask(well, "e2b", "POST", "/process.Process/List", {}, **sandbox).status_code == 503
    assert ask(well, "e2b", "POST", "/process.Process/Start", {}, **sandbox).status_code == 502


# Long enough to send a request, and too short for an answer that is late.
IMPATIENT = httpx.Timeout(20, read=0.2)

# What is made and what is deleted: vendor, operation, kind in the ledger, how to ask for it.
Made = Callable[[CloudUnderTest, str], tuple[str, str, Any]]
CREATES: dict[tuple[str, str, str], Made] = {
    ("neon", "create_project", "project"): lambda _c, name: (
        "POST", "/neon/api/v2/projects", {"project": {"name": name}}),
    ("resend", "create_audience", "audience"): lambda _c, name: ("POST", "/resend/audiences", {"name": name}),
    ("resend", "create_segment", "audience"): lambda _c, name: ("POST", "/resend/segments", {"name": name}),
    ("resend", "create_api_key", "api_key"): lambda _c, name: ("POST", "/resend/api-keys", {"name": name}),
    ("github", "create_repository", "repository"): lambda _c, name: (
        "POST", "/github/user/repos", {"name": name, "private": True}),
    ("e2b", "create_sandbox", "sandbox"): lambda _c, name: (
        "POST", "/e2b/v2/sandboxes", {"templateID": "base", "timeout": 60, "metadata": {"mk0r": name}}),
}  # fmt: skip


def made(cloud: CloudUnderTest, vendor: str, kind: str, name: str) -> list[dict[str, Any]]:
    return [one for one in cloud.ledger(vendor=vendor, kind=kind) if name in (one["name"], one["id"])]


@pytest.fixture
def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


@pytest.mark.parametrize(("vendor", "operation", "kind"), CREATES)
def test_the_ledger_tells_what_a_create_did_whatever_its_client_saw(
    well: CloudUnderTest, name: str, vendor: str, operation: str, kind: str
) -> None:
    request = CREATES[vendor, operation, kind](well, name)
    before = {one["id"] for one in well.ledger(vendor=vendor, kind=kind)}

    def new() -> list[dict[str, Any]]:
        return [one for one in well.ledger(vendor=vendor, kind=kind) if one["id"] not in before]

    order(well, vendor, operation, "status:503")
    assert ask(well, vendor, *request).status_code == 503
    order(well, vendor, operation, "reset_before")
    with pytest.raises(LOST):
        ask(well, vendor, *request)
    assert new() == []
    order(well, vendor, operation, "reset_after")
    with pytest.raises(LOST):
        ask(well, vendor, *request)
    (one,) = new()
    assert one["deleted_at"] is None

    gone, address = DELETES[vendor, kind]
    order(well, vendor, gone, "reset_before")
    with pytest.raises(LOST):
        ask(well, vendor, "DELETE", address.format(one["id"], one["name"]))
    assert new()[0]["deleted_at"] is None
    wait_until_deletable(well, vendor, one)
    order(well, vendor, gone, "reset_after")
    with pytest.raises(LOST):
        ask(well, vendor, "DELETE", address.format(one["id"], one["name"]))
    assert new()[0]["deleted_at"] is not None


DELETES = {
    ("neon", "project"): ("delete_project", "/neon/api/v2/projects/{0}"),
    ("resend", "audience"): ("*", "/resend/segments/{0}"),
    ("resend", "api_key"): ("delete_api_key", "/resend/api-keys/{0}"),
    ("github", "repository"): ("delete_repository", "/github/repos/mk0r-local/{1}"),
    ("e2b", "sandbox"): ("kill_sandbox", "/e2b/sandboxes/{0}"),
}


def eventually(seen: Callable[[], bool], within: float = 30) -> None:
    """Return once it is so; fail when it is not within so many seconds."""
    deadline = time.monotonic() + within
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_until_deletable(cloud: CloudUnderTest, vendor: str, one: dict[str, Any]) -> None:
    """A Neon project refuses to be deleted while it is being made."""
    cloud.clear_faults()
    if vendor == "neon":
        path = f"/neon/api/v2/projects/{one['id']}/operations"
        eventually(
            lambda: {each["status"] for each in ask(cloud, vendor, "GET", path).json()["operations"]} == {"finished"}
        )


@pytest.mark.parametrize("fault", ["late", "reset_after"])
def test_a_mail_is_sent_though_nobody_learns_of_it(well: CloudUnderTest, name: str, fault: str) -> None:
    order(well, "resend", "send_email", fault, **({"seconds": 3} if fault == "late" else {}))
    mail = {"from": "a@b.example", "to": "ada@example.com", "subject": name, "text": "x"}
    with pytest.raises(httpx.TransportError), httpx.Client(base_url=well.base_url, timeout=IMPATIENT) as http:
        http.post("/resend/emails", json=mail, headers=headers_of(well, "resend"))
    eventually(lambda: name in [one["subject"] for one in well.operator("GET", "api/mail")])


@pytest.mark.parametrize(("fault", "kept"), [("reset_before", False), ("reset_after", True), ("late", True)])
def test_a_batch_of_events_is_kept_or_not(well: CloudUnderTest, name: str, fault: str, kept: bool) -> None:
    order(well, "posthog", "capture", fault, **({"seconds": 3} if fault == "late" else {}))
    body = {"api_key": well.keys["posthog"], "batch": [{"event": name, "distinct_id": "ada", "properties": {}}]}
    with pytest.raises(httpx.TransportError), httpx.Client(base_url=well.base_url, timeout=IMPATIENT) as http:
        http.post("/posthog/batch/", json=body)
    if kept:
        eventually(lambda: name in str(well.operator("GET", "api/events")))
    assert (name in str(well.operator("GET", "api/events"))) is kept


# Streams


@pytest.fixture
def repository(well: CloudUnderTest, name: str, tmp_path: Path) -> tuple[Path, str]:
    """A clone with one commit to push, and where to."""
    assert ask(well, "github", "POST", "/github/user/repos", {"name": name, "private": True}).status_code == 201
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "file").write_text("hello\n" * 5000)
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "first")
    host = well.base_url.removeprefix("http://")
    return tmp_path, f"http://x:{well.keys['github']}@{host}/github/git/mk0r-local/{name}.git"


def git(where: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=where, capture_output=True, text=True, timeout=60, check=False)


def pushed(well: CloudUnderTest, where: Path, address: str) -> bool:
    well.clear_faults()
    return bool(git(where, "ls-remote", address, "refs/heads/main").stdout.strip())


@pytest.mark.parametrize(
    ("fault", "succeeds", "done"),
    [
        ("status:503", False, False),
        ("reset_before", False, False),
        ("reset_after", False, True),
        ("garbage", False, True),
        ("truncate", False, True),
        ("late", True, True),
        ("slow_drip", True, True),
    ],
)
def test_a_push_is_done_or_not_as_the_fault_says(
    well: CloudUnderTest, repository: tuple[Path, str], fault: str, succeeds: bool, done: bool
) -> None:
    where, address = repository
    seconds = {"late": {"seconds": 0.3}, "slow_drip": {"seconds": 0.001}}.get(fault, {})
    order(well, "github", "git_push", fault, **seconds)
    assert (git(where, "push", "-q", address, "main").returncode == 0) is succeeds
    assert pushed(well, where, address) is done


def test_a_late_push_is_done_when_its_client_has_left(well: CloudUnderTest, repository: tuple[Path, str]) -> None:
    where, address = repository
    order(well, "github", "git_push", "late", seconds=6)
    push = subprocess.Popen(["git", "push", "-q", address, "main"], cwd=where, start_new_session=True)
    well.await_fault()
    os.killpg(push.pid, signal.SIGKILL)  # git itself, and the program that speaks HTTP for it
    push.wait(30)
    assert not pushed(well, where, address)
    eventually(lambda: pushed(well, where, address))


@pytest.mark.parametrize("fault", ["reset_after", "truncate", "garbage"])
def test_a_fetch_breaks(well: CloudUnderTest, repository: tuple[Path, str], tmp_path: Path, fault: str) -> None:
    where, address = repository
    assert git(where, "push", "-q", address, "main").returncode == 0
    order(well, "github", "git_fetch", fault)
    assert git(where, "clone", "-q", address, str(tmp_path / "copy")).returncode != 0
    well.clear_faults()
    assert git(where, "clone", "-q", address, str(tmp_path / "copy2")).returncode == 0


QUESTION = {"model": "claude-sonnet-5-5", "max_tokens": 100, "stream": True, "messages": [
    {"role": "user", "content": "A list of wugs with name"}]}  # fmt: skip


@pytest.mark.parametrize("fault", ["status:529", "reset_before", "reset_after", "truncate", "garbage"])
def test_the_models_stream_misbehaves_from_its_first_byte(well: CloudUnderTest, fault: str) -> None:
    order(well, "anthropic", "create_message", fault)
    try:
        answer = ask(well, "anthropic", "POST", "/anthropic/v1/messages", QUESTION)
    except LOST:
        assert fault in ("reset_before", "reset_after", "truncate")
        return
    assert answer.status_code == (529 if fault == "status:529" else 200)
    assert "message_stop" not in answer.text


@pytest.fixture(scope="module")
def sandbox(cloud: CloudUnderTest) -> Iterator[dict[str, str]]:
    """The headers that lead into a running sandbox."""
    cloud.clear_faults()
    body = {"templateID": "base", "timeout": 1200}
    started = httpx.post(f"{cloud.base_url}/e2b/v2/sandboxes", json=body, headers=headers_of(cloud, "e2b"), timeout=120)
    assert started.status_code == 201, started.text
    box = started.json()
    yield {"E2b-Sandbox-Id": box["sandboxID"], "X-Access-Token": box["envdAccessToken"]}
    cloud.clear_faults()
    httpx.delete(f"{cloud.base_url}/e2b/sandboxes/{box['sandboxID']}", headers=headers_of(cloud, "e2b"), timeout=60)


def frame(body: str) -> bytes:
    return b"\x00" + len(body).to_bytes(4, "big") + body.encode()


def start(
    well: CloudUnderTest, sandbox: dict[str, str], command: str, timeout: float | httpx.Timeout = 20
) -> httpx.Response:
    """Start a command by envd's stream, as its SDK does."""
    body = frame(json.dumps({"process": {"cmd": "/bin/sh", "args": ["-c", command]}}))
    kind = {"Content-Type": "application/connect+json", "connect-protocol-version": "1"}
    return httpx.post(f"{well.base_url}/process.Process/Start", content=body, headers=sandbox | kind, timeout=timeout)


def exists(well: CloudUnderTest, sandbox: dict[str, str], path: str) -> bool:
    well.clear_faults()
    return httpx.get(f"{well.base_url}/files", params={"path": path}, headers=sandbox).status_code == 200


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        ("status:503", False), ("reset_before", False), ("reset_after", True), ("truncate", True), ("garbage", True),
        ("slow_drip", True), ("late", True),
    ],
)  # fmt: skip
def test_a_command_runs_or_not_as_the_fault_says(
    well: CloudUnderTest, sandbox: dict[str, str], fault: str, done: bool
) -> None:
    path = f"/tmp/{uuid.uuid4().hex}"
    seconds = {"late": {"seconds": 0.3}, "slow_drip": {"seconds": 0.001}}.get(fault, {})
    order(well, "e2b", "envd/process.Start", fault, **seconds)
    if fault in ("reset_before", "reset_after", "truncate"):
        with pytest.raises(LOST):
            start(well, sandbox, f"touch {path}")
    else:
        answer = start(well, sandbox, f"touch {path}")
        assert answer.status_code == (503 if fault == "status:503" else 200)
        assert (b'"exitCode"' in answer.content or b'"end"' in answer.content) is (fault in ("slow_drip", "late"))
    eventually(lambda: exists(well, sandbox, path) is done)


def test_a_late_command_runs_when_its_client_has_left(well: CloudUnderTest, sandbox: dict[str, str]) -> None:
    path = f"/tmp/{uuid.uuid4().hex}"
    order(well, "e2b", "envd/process.Start", "late", seconds=3)
    with pytest.raises(httpx.ReadTimeout):
        start(well, sandbox, f"touch {path}", timeout=IMPATIENT)
    eventually(lambda: exists(well, sandbox, path))


@pytest.mark.parametrize(("fault", "done"), [("reset_before", False), ("reset_after", True), ("late", True)])
def test_a_file_is_written_or_not_as_the_fault_says(
    well: CloudUnderTest, sandbox: dict[str, str], fault: str, done: bool
) -> None:
    path = f"/tmp/{uuid.uuid4().hex}"
    order(well, "e2b", "envd/files.write", fault, **({"seconds": 3} if fault == "late" else {}))
    with pytest.raises(httpx.TransportError):
        httpx.post(
            f"{well.base_url}/files", params={"path": path}, files={"file": ("f", b"kept")}, headers=sandbox,
            timeout=IMPATIENT if fault == "late" else 20,
        )  # fmt: skip
    if done:
        eventually(lambda: exists(well, sandbox, path))
    assert exists(well, sandbox, path) is done


def test_a_projects_operations_are_read_in_spite_of_faults_on_others(well: CloudUnderTest, name: str) -> None:
    order(well, "neon", "delete_project", "hang", seconds=0.3)
    told = project(well, name)["project"]["id"]
    with pytest.raises(LOST):
        ask(well, "neon", "DELETE", f"/neon/api/v2/projects/{told}")
    well.clear_faults()
    assert ask(well, "neon", "GET", f"/neon/api/v2/projects/{told}").status_code == 200


def test_a_rule_for_everything_meets_the_sandboxes_door_too(well: CloudUnderTest) -> None:
    order(well, "*", "*", "reset_before")
    with socket.create_connection(("127.0.0.1", well.port), 10) as wire:
        wire.sendall(f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{well.port}\r\nE2b-Sandbox-Id: nobody0\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            wire.recv(100)
