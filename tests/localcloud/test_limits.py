"""Rate limits: off unless set, counted in windows, refused in each vendor's own words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.limits import Limits, of_text
from tests.fixtures.cloud import CloudUnderTest, run_cloud


@pytest.fixture
def limited(well: CloudUnderTest) -> Iterator[CloudUnderTest]:
    """The running localcloud, whose limits are taken away again afterwards."""
    yield well
    well.operator("DELETE", "limits")


def order(cloud: CloudUnderTest, vendor: str, requests: int, seconds: float) -> None:
    cloud.operator("PUT", "limits", {vendor: {"requests": requests, "per_seconds": seconds}})


def test_without_a_limit_nothing_is_counted(limited: CloudUnderTest, resend: httpx.Client) -> None:
    assert limited.operator("GET", "limits") == {}
    answers = [resend.get("/audiences") for _ in range(30)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit-limit" in answer.headers for answer in answers)


def test_one_call_too_many_is_refused_until_the_window_ends(limited: CloudUnderTest, resend: httpx.Client) -> None:
    order(limited, "resend", 3, 6)
    answers = [resend.post("/audiences", json={"name": f"limited-{number}"}) for number in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"3"}
    refused = answers[-1]
    assert refused.json()["name"] == "rate_limit_exceeded"
    assert refused.json()["statusCode"] == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    assert refused.headers["ratelimit-reset"] == refused.headers["retry-after"]
    assert limited.live(vendor="resend", name="limited-3") == []
    time.sleep(int(refused.headers["retry-after"]))
    assert resend.get("/audiences").status_code == 200


@pytest.mark.parametrize(
    ("vendor", "path", "key", "member"),
    [
        ("neon", "/neon/api/v2/projects", "neon", "request_id"),
        ("github", "/github/user", "github", "documentation_url"),
        ("e2b", "/e2b/v2/sandboxes", "e2b", "code"),
        ("anthropic", "/anthropic/v1/models", "anthropic", "error"),
        ("posthog", "/posthog/api/projects/1/groups/", "posthog", "detail"),
    ],
)
def test_each_vendor_refuses_in_its_own_words(
    limited: CloudUnderTest, vendor: str, path: str, key: str, member: str
) -> None:
    order(limited, vendor, 1, 30)
    headers = {"Authorization": f"Bearer {limited.keys[key]}", "X-API-Key": limited.keys[key]}
    first, second = (httpx.get(limited.base_url + path, headers=headers) for _ in range(2))
    assert first.status_code != 429
    assert second.status_code == 429
    assert 1 <= int(second.headers["retry-after"]) <= 30
    assert member in second.json()


def test_github_tells_of_the_limit_in_its_headers_and_when_it_is_asked(
    limited: CloudUnderTest, github: httpx.Client
) -> None:
    order(limited, "github", 2, 30)
    answers = [github.get("/user") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[-1].headers["x-ratelimit-limit"] == "2"
    wait = int(answers[-1].headers["x-ratelimit-reset"]) - time.time()
    assert abs(wait - int(answers[-1].headers["retry-after"])) <= 2
    assert "rate limit exceeded" in answers[-1].json()["message"]
    asked = github.get("/rate_limit")  # which costs nothing
    assert (asked.status_code, asked.json()["rate"]["used"]) == (200, 2)


def test_vendors_do_not_share_a_window_and_capture_is_not_counted(
    limited: CloudUnderTest, resend: httpx.Client, posthog: httpx.Client
) -> None:
    limited.operator(
        "PUT", "limits",
        {"resend": {"requests": 1, "per_seconds": 30}, "posthog": {"requests": 1, "per_seconds": 30}},
    )  # fmt: skip
    event = {"api_key": limited.keys["posthog"], "event": "seen", "distinct_id": "ada"}
    assert {posthog.post("/i/v0/e/", json=event).status_code for _ in range(5)} == {200}
    assert [resend.get("/audiences").status_code for _ in range(2)] == [200, 429]
    assert posthog.get("/api/projects/1/groups/").status_code == 401
    assert posthog.get("/api/projects/1/groups/").status_code == 429


def test_what_is_sent_to_a_sandbox_and_to_the_store_of_uploads_is_not_counted(limited: CloudUnderTest) -> None:
    order(limited, "e2b", 1, 30)
    nobody, key = "i00000000000000000000", {"X-API-KEY": limited.keys["e2b"]}
    with httpx.Client(base_url=limited.base_url, headers=key, timeout=20) as http:
        assert [http.get("/e2b/v2/sandboxes").status_code for _ in range(2)] == [200, 429]
        assert http.get(f"/e2b/preview/{nobody}/5173").status_code == 404
        assert http.put("/e2b/template-files/none?signature=none", content=b"x").status_code == 403
        assert http.get("/health", headers={"E2b-Sandbox-Id": nobody}).status_code == 502


@pytest.mark.parametrize(
    "rules",
    [
        [],
        {"aws": {"requests": 1, "per_seconds": 1}},
        {"resend": 5},
        {"resend": {"requests": 0, "per_seconds": 1}},
        {"resend": {"requests": 1.5, "per_seconds": 1}},
        {"resend": {"requests": 1, "per_seconds": 0}},
        {"resend": {"requests": 1, "per_seconds": 1, "burst": 2}},
    ],
)
def test_a_limit_that_makes_no_sense_changes_nothing(limited: CloudUnderTest, rules: Any) -> None:
    order(limited, "neon", 1000, 60)
    headers = {"Authorization": f"Bearer {limited.info['operator_key']}"}
    answer = httpx.put(f"{limited.base_url}/_cloud/limits", json=rules, headers=headers)
    assert (answer.status_code, "message" in answer.json()) == (400, True)
    assert limited.operator("GET", "limits") == {"neon": {"requests": 1000, "per_seconds": 60.0}}
    assert httpx.get(f"{limited.base_url}/_cloud/limits").status_code == 401


def test_the_environment_sets_limits_and_clearing_returns_to_them(tmp_path: Path) -> None:
    with run_cloud(tmp_path, environment={"MK0R_CLOUD_LIMITS": "resend=1/60"}) as cloud:
        headers = {"Authorization": f"Bearer {cloud.keys['resend']}"}
        order(cloud, "resend", 1000, 60)
        seen = [httpx.get(f"{cloud.base_url}/resend/audiences", headers=headers).status_code for _ in range(3)]
        assert seen == [200, 200, 200]
        cloud.operator("DELETE", "limits")
        seen = [httpx.get(f"{cloud.base_url}/resend/audiences", headers=headers).status_code for _ in range(3)]
        assert seen == [200, 429, 429]


def test_a_window_opens_with_its_first_call() -> None:
    moment = 100.0
    limits = Limits(of_text("resend=2/10, neon=5/1"), clock=lambda: moment)
    assert [limits.count("resend").remaining for _ in range(2)] == [1, 0]  # type: ignore[union-attr]
    moment = 109.0
    over = limits.count("resend")
    assert over is not None
    assert (over.refused, over.reset, over.seconds) == (True, 1.0, 1)
    moment = 110.0
    again = limits.count("resend")
    assert again is not None
    assert (again.refused, again.remaining, again.reset) == (False, 1, 10.0)
    assert limits.count("github") is None
