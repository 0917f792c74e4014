"""The record of traffic: what is in it, what stays out of it, and that nobody else can read it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from embedded.ports import free_port
from localcloud.traffic import CAP
from tests.fixtures.cloud import ROOT, CloudUnderTest, run_cloud


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    """A localcloud that records."""
    var = tmp_path_factory.mktemp("traffic")
    with run_cloud(var, environment={"MK0R_CLOUD_TRAFFIC": str(var / "traffic")}) as running:
        yield running


def lines(cloud: CloudUnderTest) -> list[dict[str, Any]]:
    files = sorted((cloud.var / "traffic").iterdir())
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def ask(cloud: CloudUnderTest, method: str, path: str, **more: Any) -> httpx.Response:
    vendor = path.split("/")[1]
    headers = {"Authorization": f"Bearer {cloud.keys[vendor]}", "User-Agent": "Ada"} | more.pop("headers", {})
    return httpx.request(method, cloud.base_url + path, headers=headers, timeout=30, **more)


def test_an_exchange_is_one_line_with_both_bodies(told: CloudUnderTest) -> None:
    answer = ask(told, "POST", "/resend/audiences?a=1", json={"name": "guests"})
    assert lines(told)[-1] == {
        "vendor": "resend",
        "operation": "create_audience",
        "method": "POST",
        "path": "/audiences",
        "query": "a=1",
        "agent": "Ada",
        "request": {"type": "application/json", "bytes": 17, "body": {"name": "guests"}},
        "status": 201,
        "reply": {"type": "application/json; charset=utf-8", "bytes": len(answer.content), "body": answer.json()},
        "ordered": False,
        "mangled": False,
    }


@pytest.mark.parametrize("fault", ["garbage", "truncate", "reset_after"])
def test_a_mangled_answer_is_written_down_as_it_was(told: CloudUnderTest, fault: str) -> None:
    told.set_faults([{"vendor": "resend", "operation": "*", "fault": fault}])
    try:
        ask(told, "POST", "/resend/audiences", json={"name": fault})
    except httpx.TransportError:
        assert fault != "garbage"
    told.clear_faults()
    last = lines(told)[-1]
    assert (last["status"], last["reply"]["body"]["name"], last["mangled"]) == (201, fault, True)


def test_an_error_that_was_ordered_is_the_vendors_answer(told: CloudUnderTest) -> None:
    told.set_faults([{"vendor": "neon", "operation": "*", "fault": "status:423"}])
    answer = ask(told, "GET", "/neon/api/v2/projects")
    told.clear_faults()
    last = lines(told)[-1]
    assert (last["status"], last["reply"]["body"], last["mangled"]) == (423, answer.json(), False)
    assert last["ordered"] is True


def test_a_reset_before_has_no_answer(told: CloudUnderTest) -> None:
    told.set_faults([{"vendor": "neon", "operation": "*", "fault": "reset_before"}])
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        ask(told, "GET", "/neon/api/v2/projects")
    told.clear_faults()
    last = lines(told)[-1]
    assert (last["status"], last["reply"], last["mangled"]) == (None, None, True)


def test_a_stream_is_written_down_event_by_event(told: CloudUnderTest) -> None:
    asked = {
        "model": "claude-sonnet-5",
        "max_tokens": 9,
        "stream": True,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    before = len(lines(told))
    ask(told, "POST", "/anthropic/v1/messages", json=asked)
    while len(lines(told)) == before:  # a stream is written down when it is over, and its reader may know that first
        time.sleep(0.02)
    reply = lines(told)[-1]["reply"]
    kinds = [event["type"] for event in reply["streamed"]]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert "content_block_delta" in kinds


def test_what_is_not_covered_is_written_down_too(told: CloudUnderTest) -> None:
    ask(told, "GET", "/resend/broadcasts")
    last = lines(told)[-1]
    assert (last["vendor"], last["path"], last["status"]) == ("resend", "/broadcasts", 501)


def test_of_a_large_body_only_the_size_is_kept(told: CloudUnderTest) -> None:
    ask(told, "POST", "/resend/emails", json={"text": "x" * CAP})
    last = lines(told)[-1]
    assert last["request"].pop("bytes") > CAP
    assert last["request"] == {"type": "application/json", "omitted": True}


def test_pages_git_and_sandboxes_stay_out_of_it(told: CloudUnderTest) -> None:
    before = len(lines(told))
    httpx.get(f"{told.base_url}/_cloud/health")
    ask(told, "GET", "/github/git/mk0r-local/x.git/info/refs")
    ask(told, "GET", "/e2b/health", headers={"E2b-Sandbox-Id": "i" * 21})
    ask(told, "PUT", "/e2b/template-files/0", content=b"x")
    assert len(lines(told)) == before


def test_only_its_owner_can_read_it(told: CloudUnderTest) -> None:
    assert stat.S_IMODE((told.var / "traffic").stat().st_mode) == 0o700
    for file in (told.var / "traffic").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_each_process_writes_a_file_of_its_own(told: CloudUnderTest) -> None:
    before = set((told.var / "traffic").iterdir())
    told.stop()
    told.start()
    assert len(set((told.var / "traffic").iterdir()) - before) == 1


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {"MK0R_VAR": str(tmp_path), "MK0R_CLOUD_PORT": str(free_port())}
    ended = subprocess.run(
        [sys.executable, "-m", "localcloud"], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
        env=environment | {"MK0R_CLOUD_TRAFFIC": str(tmp_path / "file" / "traffic")},
    )  # fmt: skip
    assert ended.returncode == 2
    assert "MK0R_CLOUD_TRAFFIC" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_being_told_nothing_is_written(tmp_path: Path) -> None:
    with run_cloud(tmp_path, environment={"MK0R_CLOUD_TRAFFIC": ""}) as cloud:
        ask(cloud, "GET", "/resend/audiences")
    assert not list(tmp_path.rglob("*.jsonl"))
