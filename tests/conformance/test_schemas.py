"""The judge of the traffic: what fits passes, and every kind of lie is found, counted and shown without secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.schemas.__main__ import main

Judged = Callable[..., dict[str, Any]]
OPERATION = {
    "id": "0b9a1b2c-1111-4222-8333-444455556666", "project_id": "calm-sun-12345678", "action": "start_compute",
    "status": "finished", "failures_count": 0, "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T03:04:06Z", "total_duration_ms": 12,
}  # fmt: skip
READ = {"vendor": "neon", "method": "GET", "path": f"/api/v2/projects/calm-sun-12345678/operations/{OPERATION['id']}"}
SEND = {"vendor": "resend", "method": "POST", "path": "/emails"}
MAIL = {"from": "a@b.example", "to": "ada@b.example", "subject": "Hello"}


def body(given: object, kind: str = "application/json") -> dict[str, Any]:
    if given is None:
        return {"type": None, "bytes": 0}
    if isinstance(given, str):
        return {"type": kind, "bytes": len(given)}
    return {"type": kind, "bytes": len(json.dumps(given)), "body": given}


def line(call: dict[str, Any], status: int, reply: object, request: object = None, **more: Any) -> dict[str, Any]:
    usual = {"operation": "", "query": "", "agent": "Ada", "ordered": False, "mangled": False}
    return {**usual, **call, "status": status, "request": body(request), "reply": body(reply), **more}


@pytest.fixture
def judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Judged:
    """The verdict on some exchanges of one vendor, and the exit status."""

    def run(*lines: dict[str, Any]) -> dict[str, Any]:
        (tmp_path / "1.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
        ended = main([str(tmp_path), "--json"])
        (found,) = json.loads(capsys.readouterr().out)["vendors"].values()
        return {**found, "exit": ended}

    return run


def test_what_fits_passes_and_all_of_it_is_counted(judged: Judged) -> None:
    found = judged(*[line(READ, 200, {"operation": OPERATION})] * 3)
    assert (found["replies"], found["requests"], found["unmatched"], found["failed"], found["exit"]) == (3, 3, 0, 0, 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "done"}, ".operation.status"),
        ({"failures_count": "0"}, ".operation.failures_count"),
        ({"created_at": "yesterday"}, ".operation.created_at"),
        ({"id": None}, ".operation.id"),
    ],
)
def test_a_value_that_the_schema_refuses_fails(judged: Judged, change: dict[str, Any], why: str) -> None:
    found = judged(line(READ, 200, {"operation": OPERATION | change}))
    assert (found["failed"], found["exit"]) == (1, 1)
    assert why in found["examples"][0]


def test_a_missing_member_fails(judged: Judged) -> None:
    found = judged(line(READ, 200, {}))
    assert "'operation' is a required property" in found["examples"][0]


def test_an_invention_where_the_schema_is_open_is_listed(judged: Judged) -> None:
    found = judged(line(READ, 200, {"operation": OPERATION | {"mood": "good"}}))
    assert (found["failed"], found["exit"]) == (0, 0)
    assert list(found["unknown"].values()) == [1]
    assert ".operation.mood" in next(iter(found["unknown"]))


def test_an_invention_where_the_schema_is_closed_fails(judged: Judged) -> None:
    found = judged(line(SEND, 200, {"id": "1", "mood": "good"}, MAIL))
    assert (found["failed"], found["exit"]) == (1, 1)
    assert "'mood' was unexpected" in found["examples"][0]


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ({**READ, "path": "/api/v2/sculptures"}, 200),  # no such path
        ({**READ, "method": "POST"}, 200),  # no such method
        ({"vendor": "e2b", "method": "DELETE", "path": "/sandboxes/i0"}, 418),  # a status it does not list
    ],
)
def test_what_the_schema_does_not_know_is_unmatched(judged: Judged, call: dict[str, Any], status: int) -> None:
    found = judged(line(call, status, {}))
    assert found["unmatched"] >= 1
    assert found["exit"] == 1


def test_a_body_where_none_is_described_and_none_where_one_is(judged: Judged) -> None:
    kill = {"vendor": "e2b", "method": "DELETE", "path": "/sandboxes/i0"}
    assert judged(line(kill, 204, None))["failed"] == 0
    assert judged(line(kill, 204, {"killed": True}))["failed"] == 1
    assert judged(line(READ, 200, None))["failed"] == 1


def test_text_where_json_is_described_is_unmatched(judged: Judged) -> None:
    reply = {"type": "text/html", "bytes": 9}
    assert judged(line(READ, 200, None) | {"reply": reply})["unmatched"] == 1


def test_an_error_that_is_not_listed_must_be_the_vendors_error_body(judged: Judged) -> None:
    call = {"vendor": "github", "method": "GET", "path": "/user"}
    error = {"message": "no", "documentation_url": "https://docs.github.com/rest", "status": "501"}
    assert judged(line(call, 501, error))["exit"] == 0
    assert judged(line(call, 501, error | {"message": 1}))["failed"] == 1


def test_a_status_that_a_test_ordered_needs_no_listing(judged: Judged) -> None:
    call = {"vendor": "e2b", "method": "DELETE", "path": "/sandboxes/i0"}
    assert judged(line(call, 418, {"code": 418, "message": "no"}, ordered=True))["exit"] == 0
    assert judged(line(call, 418, {"code": 418, "message": "no"}))["unmatched"] == 1


def test_requests_of_strangers_are_judged_only_where_they_succeeded(judged: Judged) -> None:
    refused = line(SEND, 422, {"statusCode": 422, "name": "validation_error", "message": "no"}, {"To": "x"})
    assert judged(refused)["exit"] == 0
    assert judged(refused | {"agent": "mk0r/0.1 (+https://github.com/mk0r)"})["failed"] == 1
    assert judged(line(SEND, 200, {"id": "1"}, MAIL | {"mood": "good"}))["failed"] == 1


def test_a_query_that_the_vendor_does_not_know_is_listed(judged: Judged) -> None:
    call = {"vendor": "neon", "method": "GET", "path": "/api/v2/projects", "query": "limit=10&colour=red"}
    (unknown,) = judged(line(call, 200, {"projects": [], "applications": {}, "integrations": {}}))["unknown"]
    assert unknown.endswith("?colour")


def test_one_schema_does_not_forget_another_shape(judged: Judged) -> None:
    good, bad = {"operation": OPERATION}, {"operation": OPERATION | {"status": "done"}}
    found = judged(*(line(READ, 200, one) for one in (good, bad, good, bad, bad)))
    assert (found["replies"], found["failed"]) == (2, 3)


def test_secrets_are_not_shown(judged: Judged) -> None:
    secret = "napi_" + "s3cr3t" * 8
    found = judged(
        line({**READ, "path": "/api/v2/projects/x/connection_uri"}, 200, {"uri": ["postgresql://ada:hunter2@host/db"]}),
        line(READ, 200, {"operation": OPERATION | {"status": secret}}),
        line(READ, 200, {"operation": OPERATION | {"status": "postgresql://ada:hunter2@host/db"}}),
    )
    assert found["failed"] == 3
    assert "hunter2" not in json.dumps(found)
    assert secret not in json.dumps(found)


def test_every_event_of_a_stream_is_judged(judged: Judged) -> None:
    call = {"vendor": "anthropic", "method": "POST", "path": "/v1/messages", "agent": "Ada"}
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
    said = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}]

    def streamed(*events: dict[str, Any]) -> dict[str, Any]:
        reply = {"type": "text/event-stream; charset=utf-8", "streamed": list(events)}
        return judged(line(call, 200, None, asked) | {"reply": reply})

    assert streamed({"type": "ping"}, *said, {"type": "message_stop"})["exit"] == 0
    assert ".index" in streamed(*said, said[0] | {"index": "0"})["examples"][0]
    assert streamed({"type": "message_pause"})["failed"] == 1


def test_a_line_that_a_killed_process_left_half_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = json.dumps(line(READ, 200, {"operation": OPERATION}))
    (tmp_path / "1.jsonl").write_text(f"{whole}\n{whole[:40]}")
    assert main([str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vendors"]["neon"]["replies"] == 1


def test_no_traffic_is_a_failure_that_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "No traffic" in capsys.readouterr().err


def test_a_person_gets_a_table_and_the_first_that_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.jsonl").write_text(json.dumps(line(READ, 200, {})) + "\n")
    assert main([str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert told.startswith("vendor")
    assert "neon: failed: reply of GET /projects/{project_id}/operations/{operation_id} 200" in told


def test_what_github_means_beyond_openapi_is_understood(judged: Judged) -> None:
    entry = {"type": "file", "size": 1, "name": "a", "path": "a", "sha": "1", "git_url": None, "html_url": None}
    entry |= {
        "url": "http://a.example/",
        "download_url": None,
        "_links": {"self": "http://a.example/", "git": None, "html": None},
    }
    contents = {"vendor": "github", "method": "GET", "path": "/repos/ada/app/contents/docs/deep"}
    assert judged(line(contents, 200, [entry]))["failed"] == 0  # a list, beside a discriminator
    assert judged(line(contents, 200, [entry | {"size": "1"}]))["failed"] == 1
    moved = contents | {"path": "/repositories/700000001/contents/docs"}
    assert judged(line(moved, 200, [entry]))["exit"] == 0
