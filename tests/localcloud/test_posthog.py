"""PostHog: every packing and shape its clients send, each event once, found again by group."""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from posthog import Posthog

from tests.fixtures.cloud import CloudUnderTest

Pack = Callable[[Any], tuple[bytes, dict[str, str], str]]


def plain(body: Any) -> tuple[bytes, dict[str, str], str]:
    return json.dumps(body).encode(), {"Content-Type": "application/json"}, ""


def gzipped(body: Any) -> tuple[bytes, dict[str, str], str]:
    """As browsers send it: packed, and called text."""
    return gzip.compress(json.dumps(body).encode()), {"Content-Type": "text/plain"}, "compression=gzip-js"


def encoded(body: Any) -> tuple[bytes, dict[str, str], str]:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    return gzip.compress(json.dumps(body).encode()), headers, ""


def form(body: Any) -> tuple[bytes, dict[str, str], str]:
    data = quote(base64.b64encode(json.dumps(body).encode()).decode(), safe="")
    return f"data={data}".encode(), {"Content-Type": "application/x-www-form-urlencoded"}, "compression=base64"


def event(key: str, group: str, **more: Any) -> dict[str, Any]:
    properties = {"distinct_id": "ada", "token": key, "$groups": {"app": group}, "n": 1}
    return {"uuid": str(uuid.uuid4()), "event": "clicked", "properties": properties} | more


def stored(cloud: CloudUnderTest, group: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.operator("GET", f"api/events?group=app:{group}")
    return found


@pytest.mark.parametrize("pack", [plain, gzipped, encoded, form])
@pytest.mark.parametrize("path", ["/e/", "/i/v0/e/", "/batch/", "/capture", "/track/", "/engage"])
def test_every_packing_and_shape_is_read(well: CloudUnderTest, posthog: httpx.Client, pack: Pack, path: str) -> None:
    key, group = well.keys["posthog"], f"mk0r-{uuid.uuid4().hex[:12]}"
    for body in (
        event(key, group),
        [event(key, group), event(key, group)],
        {"api_key": key, "batch": [event("", group)], "sent_at": "2026-01-01T00:00:00Z"},
        {"api_key": key, "event": "top", "distinct_id": "ada", "properties": {"$groups": {"app": group}}},
    ):
        content, headers, query = pack(body)
        answer = posthog.post(f"{path}?{query}&_=1", content=content, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"status": "Ok"})
    found = stored(well, group)
    assert [row["event"] for row in found] == ["top", "clicked", "clicked", "clicked", "clicked"]
    assert {row["distinct_id"] for row in found} == {"ada"}
    assert all("token" not in row["properties"] for row in found)


def test_the_vendors_client_captures_and_names_a_group(well: CloudUnderTest) -> None:
    group = f"mk0r-{uuid.uuid4().hex[:12]}"
    for mode in ("v0", "v1"):
        client = Posthog(well.keys["posthog"], host=f"{well.base_url}/posthog", capture_mode=mode)
        client.capture("visited", distinct_id="ada", groups={"app": group}, properties={"mode": mode})
        client.group_identify("app", group, {"name": "Guestbook"})
        client.shutdown()
    found = stored(well, group)
    assert sorted(row["properties"]["mode"] for row in found if row["event"] == "visited") == ["v0", "v1"]
    listed = httpx.get(
        f"{well.base_url}/posthog/api/projects/1/groups/?group_type_index=0",
        headers={"Authorization": f"Bearer {well.info['posthog_personal_key']}"},
    ).json()["results"]
    assert next(row for row in listed if row["group_key"] == group)["group_properties"] == {"name": "Guestbook"}


def test_an_event_sent_twice_is_stored_once(well: CloudUnderTest, posthog: httpx.Client) -> None:
    group = f"mk0r-{uuid.uuid4().hex[:12]}"
    body = event(well.keys["posthog"], group)
    for _ in range(2):
        assert posthog.post("/e/", json=body).status_code == 200
    assert len(stored(well, group)) == 1


def test_a_foreign_key_gets_200_and_nothing_is_kept(well: CloudUnderTest, posthog: httpx.Client) -> None:
    group = f"mk0r-{uuid.uuid4().hex[:12]}"
    assert posthog.post("/e/", json=event("phc_somebody_elses", group)).status_code == 200
    assert stored(well, group) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\x1f\x8b broken", 400),
        (b"data=%%%", 400),
        (b"[]", 400),
        (b"[1]", 400),
        (b'{"batch": []}', 400),
        (b'{"api_key": "phc_test", "distinct_id": "x"}', 400),
        (b'{"api_key": "phc_test", "event": "x"}', 400),
        (b'{"event": "x", "distinct_id": "y"}', 401),
        (b'{"api_key": "phx_personal", "event": "x", "distinct_id": "y"}', 401),
        (b'[{"api_key":"phc_a","event":"x","distinct_id":"y"},{"api_key":"phc_b","event":"x","distinct_id":"y"}]', 401),
        (gzip.compress(b" " * 30_000_000), 413),
    ],
)
def test_what_cannot_be_read_is_refused_in_plain_text(posthog: httpx.Client, body: bytes, status: int) -> None:
    answer = posthog.post("/e/", content=body, headers={"Content-Type": "text/plain"})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/plain")


def test_what_the_browser_client_asks_first_is_answered(well: CloudUnderTest, posthog: httpx.Client) -> None:
    key = well.keys["posthog"]
    config = posthog.get(f"/array/{key}/config").json()
    assert config["hasFeatureFlags"] is False
    assert config["analytics"]["endpoint"] == "/i/v0/e/"
    script = posthog.get(f"/array/{key}/config.js")
    assert script.headers["content-type"].startswith("application/javascript")
    assert f'_POSTHOG_REMOTE_CONFIG["{key}"]' in script.text
    assert posthog.get("/array/<script>/config.js").status_code == 401
    content, headers, query = gzipped({"token": key, "distinct_id": "ada"})
    for path in ("/flags/?v=2&", "/decide/?v=3&"):
        answer = posthog.post(path + query, content=content, headers=headers)
        assert answer.json()["errorsWhileComputingFlags"] is False
    assert posthog.get("/static/1.449.2/surveys.js").status_code == 404


def test_any_page_may_send(well: CloudUnderTest, posthog: httpx.Client) -> None:
    origin = "http://5173-iabc.localhost:8001"
    asked = posthog.request(
        "OPTIONS", "/e/", headers={"Origin": origin, "Access-Control-Request-Headers": "content-type,x-a"}
    )
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-headers"] == "content-type,x-a"
    answer = posthog.post("/e/", json=event(well.keys["posthog"], "g"), headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"


def hogql(cloud: CloudUnderTest, text: str, **values: Any) -> httpx.Response:
    return httpx.post(
        f"{cloud.base_url}/posthog/api/projects/1/query/",
        json={"query": {"kind": "HogQLQuery", "query": text, "values": values}},
        headers={"Authorization": f"Bearer {cloud.info['posthog_personal_key']}"},
    )


def test_events_are_counted_and_listed_by_group(well: CloudUnderTest, posthog: httpx.Client) -> None:
    key, group = well.keys["posthog"], f"mk0r-{uuid.uuid4().hex[:12]}"
    posthog.post("/batch/", json={"api_key": key, "batch": [event(key, group) for _ in range(3)]})
    posthog.post("/e/", json=event(key, group, event="it's"))
    count = hogql(well, "SELECT count() FROM events WHERE $group_0 = {group}", group=group)
    assert count.json()["results"] == [[4]]
    last = hogql(
        well, f"select event, properties.n as n from events where properties.$groups.app = '{group}'"
        " and event = 'it\\'s' order by timestamp desc limit 2",
    ).json()  # fmt: skip
    assert (last["results"], last["columns"]) == ([["it's", 1]], ["event", "n"])
    grouped = hogql(
        well, f"SELECT event, count() AS c FROM events WHERE $group_0 = '{group}' GROUP BY event ORDER BY c DESC"
    )
    assert grouped.json()["results"] == [["clicked", 3], ["it's", 1]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "DROP TABLE events",
        "SELECT * FROM objects",
        "SELECT data FROM events",
        "SELECT count() FROM events; SELECT 1",
        "SELECT count() FROM events WHERE event = 'a' OR 1=1",
        "SELECT count() FROM events WHERE event = 'a' --",
        "SELECT load_extension('x') FROM events",
        "SELECT count() FROM events WHERE event = {missing}",
    ],
)
def test_a_query_beyond_the_small_part_is_refused(well: CloudUnderTest, text: str) -> None:
    answer = hogql(well, text)
    assert answer.status_code == 400
    assert "localcloud" in answer.json()["detail"]


def test_the_public_key_reads_nothing(well: CloudUnderTest) -> None:
    url = f"{well.base_url}/posthog/api/projects/1/query/"
    assert httpx.post(url, json={}).status_code == 401
    assert httpx.post(url, json={}, headers={"Authorization": f"Bearer {well.keys['posthog']}"}).status_code == 401
