"""Neon: what it lists, what it refuses, and how projects are deleted, recovered and given away.

How its databases behave is told in tests/conformance.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.neon import NeonLife, neon_client, neon_life, say, words


@pytest.fixture(scope="module")
def refusing(cloud: CloudUnderTest) -> Iterator[NeonLife]:
    """One project that every refusal leaves as it is."""
    with neon_life(cloud) as made:
        yield made


def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


def test_a_search_is_partial_and_a_cursor_leads_through_all(neon: httpx.Client) -> None:
    tag = uuid.uuid4().hex[:8]
    names = [f"mk0r-{tag}-{number}" for number in range(3)]
    for each in names:
        neon.post("/projects", json={"project": {"name": each}})
    seen: list[str] = []
    cursor = None
    for _ in range(10):
        query = {"search": tag, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = neon.get("/projects", params=query).json()
        if not page["projects"]:
            break
        seen += [item["name"] for item in page["projects"]]
        cursor = page["pagination"]["cursor"]
    assert seen == names
    assert neon.get("/projects", params={"search": "no such thing"}).json()["projects"] == []


def test_a_project_with_running_operations_is_locked(neon: httpx.Client) -> None:
    made = neon.post("/projects", json={"project": {"name": name()}}).json()
    one, branch = f"/projects/{made['project']['id']}", made["branch"]["id"]
    endpoint = made["endpoints"][0]["id"]
    for method, path, body in (
        ("DELETE", "", None),
        ("POST", "/branches", None),
        ("POST", f"/branches/{branch}/snapshot", None),
        ("POST", f"/branches/{branch}/roles", {"role": {"name": "clerk"}}),
        ("POST", f"/branches/{branch}/databases", {"database": {"name": "shop", "owner_name": "neondb_owner"}}),
        ("DELETE", f"/branches/{branch}/databases/neondb", None),
        ("PATCH", f"/endpoints/{endpoint}", {"endpoint": {"suspend_timeout_seconds": 60}}),
        ("POST", f"/endpoints/{endpoint}/suspend", None),
        ("DELETE", f"/endpoints/{endpoint}", None),
    ):
        answer = neon.request(method, f"{one}{path}", json=body)
        assert answer.status_code == 423, f"{method} {path}"
        assert "already has running operations" in answer.json()["message"]
    seen = neon.get(f"{one}/branches/{branch}/databases").json()["databases"]
    assert len(seen) == 1  # nothing of it was half done


def test_a_wrong_key_is_refused_in_neons_words(well: CloudUnderTest) -> None:
    for headers in ({}, {"Authorization": "Bearer napi_wrong"}):
        answer = httpx.get(f"{well.base_url}/neon/api/v2/projects", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["message"] == "supplied credentials do not pass authentication"
        assert answer.headers["x-neon-ret-request-id"] == answer.json()["request_id"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"project": 3}',
        b'{"project": {"name": 3}}',
        b'{"project": {"pg_version": 13}}',
        b'{"project": {"pg_version": true}}',
        b'{"project": {"branch": {"database_name": "a; DROP"}}}',
        b'{"project": {"branch": {"name": ""}}}',
        b'{"project": {"settings": {"quota": {"logical_size_bytes": -1}}}}',
        b'{"project": {"default_endpoint_settings": {"suspend_timeout_seconds": 604801}}}',
        b'{"project": {"name": "%s"}}' % (b"x" * 257),
    ],
)
def test_a_bad_body_is_refused_and_makes_nothing(well: CloudUnderTest, neon: httpx.Client, body: bytes) -> None:
    before = len(well.ledger(vendor="neon"))
    answer = neon.post("/projects", content=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "request_id"}
    assert len(well.ledger(vendor="neon")) == before


def test_an_unknown_project_is_404(neon: httpx.Client) -> None:
    for path in ("", "/operations", "/operations/x", "/connection_uri", "/branches", "/endpoints", "/snapshots"):
        assert neon.get(f"/projects/quiet-moon-1{path}").status_code == 404
    for method, path in (("DELETE", ""), ("PATCH", ""), ("POST", "/recover"), ("POST", "/transfer_requests")):
        answer = neon.request(method, f"/projects/quiet-moon-1{path}", json={"project": {}})
        assert (answer.status_code, answer.json()["message"]) == (404, "project not found")
    assert neon.get("/projects", params={"cursor": "nonsense"}).status_code == 400
    assert neon.get("/projects", params={"limit": "0"}).status_code == 400


def test_a_client_may_name_its_request(neon: httpx.Client) -> None:
    answer = neon.get("/projects/quiet-moon-1", headers={"X-Request-ID": "mine"})
    assert answer.json()["request_id"] == answer.headers["x-neon-ret-request-id"] == "mine"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/branches", {"branch": 3}, 400),
        ("POST", "/branches", {"branch": {"name": ""}}, 400),
        ("POST", "/branches", {"branch": {"name": "x" * 257}}, 400),
        ("POST", "/branches", {"branch": {"parent_id": "br-none"}}, 404),
        ("POST", "/branches", {"branch": {"name": "main"}}, 409),
        ("POST", "/branches", {"branch": {"parent_timestamp": "yesterday"}}, 400),
        ("POST", "/branches", {"branch": {"parent_lsn": "x"}}, 400),
        ("POST", "/branches", {"branch": {"init_source": "schema-only"}}, 501),
        ("POST", "/branches", {"branch": {"expires_at": "2030-01-01T00:00:00Z"}}, 501),
        ("POST", "/branches", {"endpoints": [{"type": "read_only"}]}, 501),
        ("POST", "/branches", {"endpoints": [{"type": "write"}]}, 400),
        ("POST", "/branches", {"endpoints": [{"type": "read_write"}, {"type": "read_write"}]}, 409),
        ("POST", "/branches", {"endpoints": [{"type": "read_write", "suspend_timeout_seconds": -2}]}, 400),
        ("PATCH", "/branches/{main}", {"branch": {"name": 3}}, 400),
        ("PATCH", "/branches/{main}", {}, 400),
        ("POST", "/branches/{main}/restore", {}, 400),
        ("POST", "/branches/{main}/restore", {"source_branch_id": "br-none"}, 404),
        ("POST", "/branches/{main}/restore", {"source_branch_id": "{main}"}, 400),
        ("GET", "/branches/br-none", None, 404),
        ("DELETE", "/branches/br-none", None, 404),
        ("POST", "/branches/{main}/snapshot?timestamp=2024-02-26T12:00:00Z", None, 501),
        ("POST", "/snapshots/snap-none/restore", None, 404),
        ("GET", "/endpoints/ep-none", None, 404),
        ("POST", "/endpoints", {"endpoint": {"type": "read_write"}}, 400),
        ("POST", "/endpoints", {"endpoint": {"branch_id": "{main}", "type": "read_only"}}, 501),
        ("POST", "/endpoints", {"endpoint": {"branch_id": "{main}", "type": "read_write"}}, 409),
        ("PATCH", "/endpoints/{compute}", {"endpoint": {"autoscaling_limit_min_cu": 0}}, 400),
        ("POST", "/branches/{main}/roles", {"role": {}}, 400),
        ("POST", "/branches/{main}/roles", {"role": {"name": "x" * 64}}, 400),
        ("POST", "/branches/{main}/roles", {"role": {"name": "neondb_owner"}}, 409),
        ("POST", "/branches/{main}/databases", {"database": {"name": "shop", "owner_name": "nobody"}}, 404),
        ("POST", "/branches/{main}/databases", {"database": {"name": "neondb", "owner_name": "neondb_owner"}}, 409),
        ("GET", "/branches/{main}/roles/nobody/reveal_password", None, 404),
    ],
)
def test_what_cannot_be_is_refused_in_neons_form_and_makes_nothing(
    refusing: NeonLife, well: CloudUnderTest, method: str, path: str, body: Any, status: int
) -> None:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(one) for name, one in value.items()}
        known = {"{main}": refusing.main, "{compute}": refusing.made["endpoints"][0]["id"]}
        return known.get(value, value) if isinstance(value, str) else value

    path = path.replace("{main}", refusing.main).replace("{compute}", refusing.made["endpoints"][0]["id"])
    before = well.ledger(vendor="neon")
    answer = refusing.ask(method, path, filled(body))
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"code", "message", "request_id"}
    assert answer.headers["x-neon-ret-request-id"] == answer.json()["request_id"]
    assert well.ledger(vendor="neon") == before
    assert refusing.statuses() == {"finished"}


def test_operations_are_listed_newest_first_by_pages(refusing: NeonLife) -> None:
    every = [one["action"] for one in refusing.ask("GET", "/operations").json()["operations"]]
    first = refusing.ask("GET", "/operations", limit=1).json()
    cursor = first["pagination"]["cursor"]
    second = refusing.ask("GET", "/operations", limit=1, cursor=cursor).json()
    assert [first["operations"][0]["action"], second["operations"][0]["action"]] == every
    assert refusing.ask("GET", "/operations", cursor=second["pagination"]["cursor"]).json()["operations"] == []
    assert refusing.ask("GET", "/operations", cursor="?").status_code == 400


def test_a_projects_settings_and_its_consumption_limits_are_kept(refusing: NeonLife) -> None:
    quota = {"logical_size_bytes": 512_000_000, "active_time_seconds": 36_000}
    wished = {"settings": {"quota": quota}, "history_retention_seconds": 3600, "name": "renamed"}
    refusing.ask("PATCH", "", {"project": wished})
    refusing.ask("PATCH", "", {"project": {"default_endpoint_settings": {"suspend_timeout_seconds": 120}}})
    seen = refusing.ask("GET", "").json()["project"]
    assert seen["settings"]["quota"] == quota
    assert seen["settings"]["allowed_ips"]["ips"] == []
    assert (seen["name"], seen["history_retention_seconds"]) == ("renamed", 3600)
    assert seen["default_endpoint_settings"]["suspend_timeout_seconds"] == 120


def test_a_deleted_project_is_listed_where_it_can_be_recovered(well: CloudUnderTest, neon: httpx.Client) -> None:
    life = NeonLife(neon)
    assert neon.post(f"/projects/{life.id}/recover").status_code == 404  # it lives
    assert life.ask("DELETE", "").json()["project"]["id"] == life.id
    assert life.ask("GET", "").status_code == 404
    assert life.ask("DELETE", "").status_code == 404
    query = {"search": life.id, "recoverable": "true"}
    (listed,) = neon.get("/projects", params=query).json()["projects"]
    assert listed["deleted_at"] < listed["recoverable_until"]
    assert neon.get("/projects", params={"search": life.id}).json()["projects"] == []
    recovered = life.ask("POST", "/recover").json()
    assert recovered["project"]["id"] == life.id
    assert [one["id"] for one in recovered["branches"]] == [life.main]
    assert neon.get("/projects", params=query).json()["projects"] == []
    assert {row["kind"]: row["deleted_at"] for row in well.ledger(vendor="neon") if life.id == row["id"]} == {
        "project": None
    }
    assert neon.get("/projects", params={"recoverable": "perhaps"}).status_code == 400


def test_a_project_is_given_to_who_knows_of_the_request_and_once(well: CloudUnderTest, neon: httpx.Client) -> None:
    life = NeonLife(neon)
    offered = life.ask("POST", "/transfer_requests", {"ttl_seconds": 600})
    assert offered.status_code == 201
    accept = f"/projects/{life.id}/transfer_requests/{offered.json()['id']}"
    with neon_client(well, well.info["neon_friend_key"]) as friend:
        assert friend.get(f"/projects/{life.id}").status_code == 404
        assert friend.put(f"/projects/{life.id}/transfer_requests/none").status_code == 404
        assert friend.put(accept, json={"org_id": "org-unknown"}).status_code == 404
        assert friend.put(accept).status_code == 204
        assert life.ask("GET", "").status_code == 404
        assert neon.put(accept).status_code == 404
        organization = friend.get(f"/projects/{life.id}").json()["project"]["org_id"]
        assert organization != life.made["project"]["org_id"]
        assert life.id in [one["id"] for one in friend.get("/projects").json()["projects"]]
    say(life.uri, "still")
    assert words(life.uri) == ["still"]
    assert life.ask("POST", "/transfer_requests", {"ttl_seconds": 0}).status_code == 404
