"""Faults: each kind looks to the client as it is told, and does or does not do the work as it says."""

from __future__ import annotations

import socket
import time
import uuid
from typing import Any

import httpx
import pytest

from tests.fixtures.cloud import CloudUnderTest


def order(cloud: CloudUnderTest, fault: str, **more: Any) -> None:
    cloud.set_faults([{"vendor": "resend", "operation": "create_audience", "fault": fault, "probability": 1, **more}])


def create(resend: httpx.Client, name: str) -> httpx.Response:
    return resend.post("/audiences", json={"name": name})


def made(cloud: CloudUnderTest, name: str) -> int:
    return len(cloud.ledger(vendor="resend", kind="audience", name=name))


@pytest.fixture
def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


def test_latency_delays_the_right_answer(well: CloudUnderTest, resend: httpx.Client, name: str) -> None:
    order(well, "latency", seconds=0.4)
    begun = time.monotonic()
    assert create(resend, name).status_code == 201
    assert time.monotonic() - begun >= 0.4


def test_a_status_is_answered_in_the_vendors_form(well: CloudUnderTest, resend: httpx.Client, name: str) -> None:
    order(well, "status:429", seconds=7)
    answer = create(resend, name)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["name"] == "rate_limit_exceeded"
    assert made(well, name) == 0


@pytest.mark.parametrize("header", ["soon", "Wed, 21 Oct 2065 07:28:00 GMT", "-5"])
def test_a_retry_after_that_is_no_number_is_sent_as_it_is(
    well: CloudUnderTest, resend: httpx.Client, name: str, header: str
) -> None:
    order(well, "status:429", retry_after=header)
    assert create(resend, name).headers["retry-after"] == header
    assert well.operator("GET", "faults")[0]["retry_after"] == header


@pytest.mark.parametrize(
    ("vendor", "path", "member"),
    [("neon", "/neon/api/v2/projects", "request_id"), ("github", "/github/user", "documentation_url")],
)
def test_each_vendor_has_its_own_error_body(well: CloudUnderTest, vendor: str, path: str, member: str) -> None:
    well.set_faults([{"vendor": vendor, "operation": "*", "fault": "status:500", "probability": 1}])
    answer = httpx.get(well.base_url + path, headers={"Authorization": f"Bearer {well.keys[vendor]}"})
    assert answer.status_code == 500
    assert member in answer.json()


def test_what_is_late_is_done_though_nobody_waits_for_it(well: CloudUnderTest, resend: httpx.Client, name: str) -> None:
    order(well, "late", seconds=4)
    with pytest.raises(httpx.ReadTimeout):
        resend.post("/audiences", json={"name": name}, timeout=httpx.Timeout(20, read=0.2))
    assert made(well, name) == 0
    deadline = time.monotonic() + 30
    while made(well, name) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    order(well, "late", seconds=0.1)
    assert create(resend, name).status_code == 201


@pytest.mark.parametrize(("fault", "count"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_loses_the_request_or_the_reply(
    well: CloudUnderTest, resend: httpx.Client, name: str, fault: str, count: int
) -> None:
    order(well, fault)
    # A reset that comes after the head and before the body is used up by the sending; the reading then finds an end.
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        create(resend, name)
    assert made(well, name) == count


def test_a_hang_says_nothing_and_then_ends(well: CloudUnderTest, resend: httpx.Client, name: str) -> None:
    order(well, "hang", seconds=0.5)
    begun = time.monotonic()
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        create(resend, name)
    assert time.monotonic() - begun >= 0.5
    order(well, "hang")
    with pytest.raises(httpx.ReadTimeout):
        resend.post("/audiences", json={"name": name}, timeout=httpx.Timeout(20, read=0.3))
    assert made(well, name) == 0


def test_garbage_is_no_json_and_the_work_is_done(well: CloudUnderTest, resend: httpx.Client, name: str) -> None:
    order(well, "garbage")
    answer = create(resend, name)
    assert answer.status_code == 201
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert made(well, name) == 1


def test_a_truncated_answer_breaks_off_half_way(well: CloudUnderTest, resend: httpx.Client, name: str) -> None:
    order(well, "truncate")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        create(resend, name)
    assert made(well, name) == 1


def test_a_slow_drip_comes_byte_by_byte(well: CloudUnderTest, resend: httpx.Client, name: str) -> None:
    order(well, "slow_drip", seconds=0.01)
    begun = time.monotonic()
    answer = create(resend, name)
    assert answer.json()["name"] == name
    assert time.monotonic() - begun >= 0.01 * len(answer.content)


def test_a_flood_is_a_hundred_megabytes(well: CloudUnderTest, resend: httpx.Client, name: str) -> None:
    order(well, "flood")
    with resend.stream("POST", "/audiences", json={"name": name}) as answer:
        assert int(answer.headers["content-length"]) == 100 * 1024 * 1024
        assert len(next(answer.iter_raw())) > 0


def test_other_operations_and_vendors_are_untouched(well: CloudUnderTest, resend: httpx.Client, name: str) -> None:
    order(well, "reset_before")
    assert resend.get("/audiences").status_code == 200
    assert resend.post("/segments", json={"name": name}).status_code == 201


def test_probability_picks_some_and_clearing_ends_it(well: CloudUnderTest, resend: httpx.Client) -> None:
    well.set_faults([{"vendor": "*", "operation": "*", "fault": "status:500", "probability": 0.5}])
    statuses = [resend.get("/audiences").status_code for _ in range(60)]
    assert {200, 500} == set(statuses)
    well.clear_faults()
    assert {resend.get("/audiences").status_code for _ in range(20)} == {200}


def test_a_rule_tells_how_many_requests_it_met_and_can_be_sent_back(well: CloudUnderTest, resend: httpx.Client) -> None:
    order(well, "status:500")
    well.set_faults([*well.operator("GET", "faults"), {"vendor": "resend", "operation": "*", "fault": "reset_before"}])
    for _ in range(3):
        assert create(resend, "mk0r-met").status_code == 500
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        resend.get("/audiences")
    told = well.operator("GET", "faults")
    assert [rule["met"] for rule in told] == [3, 1]
    well.set_faults([told[1]])
    assert [rule["met"] for rule in well.operator("GET", "faults")] == [1]
    order(well, "status:500")
    assert [rule["met"] for rule in well.operator("GET", "faults")] == [0]


@pytest.mark.parametrize(
    "rules",
    [
        {},
        [1],
        [{"fault": "explode"}],
        [{"fault": "latency", "vendor": "nobody"}],
        [{"fault": "latency", "vendor": "resend", "operation": "creat_audience"}],
        [{"fault": "latency", "vendor": "neon", "operation": "create_audience"}],
        [{"fault": "latency", "operation": "create_anything"}],
        [{"fault": "status:999"}],
        [{"fault": "latency", "probability": 2}],
        [{"fault": "latency", "seconds": -1}],
        [{"fault": "latency", "secs": 1}],
        [{"fault": "latency", "retry_after": "5"}],
        [{"fault": "status:429", "retry_after": "5\r\nX: y"}],
    ],
)
def test_a_rule_that_makes_no_sense_changes_nothing(well: CloudUnderTest, rules: Any) -> None:
    order(well, "latency", seconds=0)
    headers = {"Authorization": f"Bearer {well.info['operator_key']}"}
    answer = httpx.put(f"{well.base_url}/_cloud/faults", json=rules, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert len(well.operator("GET", "faults")) == 1


def test_every_operation_can_be_listed(well: CloudUnderTest) -> None:
    known = well.operator("GET", "api/operations")
    assert "create_project" in known["neon"]
    assert "create_repository" in known["github"]
    assert {"create_audience", "create_segment", "create_api_key", "send_email"} <= set(known["resend"])


def test_a_client_that_leaves_during_a_hang_is_forgotten(well: CloudUnderTest) -> None:
    well.set_faults([{"vendor": "resend", "operation": "*", "fault": "hang", "probability": 1}])
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", well.port)) as wire:
            wire.sendall(f"GET /resend/audiences HTTP/1.1\r\nHost: 127.0.0.1:{well.port}\r\n\r\n".encode())
    well.clear_faults()
    assert httpx.get(f"{well.base_url}/_cloud/health", timeout=20).status_code == 200  # a hang is of five minutes
