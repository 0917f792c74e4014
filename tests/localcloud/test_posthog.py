"""PostHog: every packing and shape its clients send, each event once, found again by group."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from localcloud.posthog.events import Events
from localcloud.store import Store
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


def private(cloud: CloudUnderTest, path: str, method: str = "GET", **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {cloud.info['posthog_personal_key']}"}
    return httpx.request(method, f"{cloud.base_url}/posthog/api/projects/1{path}", headers=headers, **more)


def test_a_query_is_answered_in_posthogs_form(well: CloudUnderTest, posthog: httpx.Client) -> None:
    key, group = well.keys["posthog"], f"mk0r-{uuid.uuid4().hex[:12]}"
    posthog.post("/batch/", json={"api_key": key, "batch": [event(key, group) for _ in range(3)]})
    posthog.post("/e/", json=event(key, group, event="it's"))
    text = "SELECT event, count() AS c FROM events WHERE $group_0 = {group} GROUP BY event ORDER BY c DESC LIMIT 1"
    answer = hogql(well, text, group=group).json()
    assert answer["results"] == [["clicked", 3]]
    assert (answer["columns"], answer["types"]) == (["event", "c"], [["event", "String"], ["c", "UInt64"]])
    assert (answer["hasMore"], answer["limit"], answer["offset"]) == (True, 1, 0)
    assert (answer["error"], answer["query"], answer["hogql"]) == (None, text, text)
    last = hogql(
        well, f"select event, properties.n as n from events where properties.$groups.app = '{group}'"
        " and event = 'it\\'s' order by timestamp desc limit 2",
    ).json()  # fmt: skip
    assert (last["results"], last["columns"], last["hasMore"]) == ([["it's", 1]], ["event", "n"], False)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("DROP TABLE events", "Syntax error: expected SELECT, found 'DROP' (line 1, column 1)"),
        ("SELECT data FROM events", "Unable to resolve field: data (line 1, column 8)"),
        ("SELECT count() FROM events; SELECT 1", "Syntax error: expected the end of the query"),
        ("SELECT load_extension('x') FROM events", "localcloud's part of HogQL has no function load_extension"),
        ("SELECT 1 FROM events LIMIT 1 OFFSET {missing}", "Placeholder {missing} has no value"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused_with_its_place(
    well: CloudUnderTest, text: str, detail: str
) -> None:
    answer = hogql(well, text)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(detail)
    assert answer.json() == answer.json() | {"type": "validation_error", "code": "invalid_input", "attr": None}


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"query": "SELECT 1"}', b'{"query": {"kind": "HogQLQuery"}}',
             b'{"query": {"kind": "TrendsQuery"}}', b'{"query": {"kind": "HogQLQuery", "query": "x", "values": [1]}}']
)  # fmt: skip
def test_a_body_that_is_no_query_is_refused(well: CloudUnderTest, body: bytes) -> None:
    assert private(well, "/query/", "POST", content=body).status_code == 400


def test_events_and_persons_are_listed_read_and_deleted(well: CloudUnderTest, posthog: httpx.Client) -> None:
    key, group, who = well.keys["posthog"], f"mk0r-{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
    sent = [
        event(key, group, event=name, distinct_id=who, timestamp=f"2026-01-0{day}T00:00:00Z", properties=more)
        for day, (name, more) in enumerate(
            [("one", {}), ("$identify", {"$anon_distinct_id": f"{who}-before", "$set": {"email": f"{who}@b.co"}}),
             ("three", {"$set": {"plan": "free"}, "$unset": ["nothing"]})], start=1,
        )
    ]  # fmt: skip
    posthog.post("/batch/", json={"api_key": key, "batch": [*sent, event(key, group, distinct_id=f"{who}-before")]})
    first = private(well, f"/events/?distinct_id={who}&limit=2").json()
    assert [row["event"] for row in first["results"]] == ["three", "$identify"]
    assert first["results"][0]["person"]["properties"] == {"email": f"{who}@b.co", "plan": "free"}
    headers = {"Authorization": f"Bearer {well.info['posthog_personal_key']}"}
    second = httpx.get(first["next"], headers=headers).json()
    assert ([row["event"] for row in second["results"]], second["next"]) == (["one"], None)
    assert private(well, f"/events/{sent[0]['uuid']}/").json()["event"] == "one"
    assert private(well, f"/events/?distinct_id={who}&event=one&after=2026-01-02").json()["results"] == []
    (person,) = private(well, f"/persons/?distinct_id={who}-before").json()["results"]
    assert (set(person["distinct_ids"]), person["is_identified"]) == ({who, f"{who}-before"}, True)
    assert private(well, f"/persons/?search={who}@B.co").json()["results"] == [person]
    assert len(private(well, f"/events/?person_id={person['id']}").json()["results"]) == 4
    assert private(well, f"/persons/{person['id']}/?delete_events=true", "DELETE").status_code == 202
    assert private(well, f"/persons/{person['id']}/").status_code == 404
    assert private(well, f"/events/{sent[0]['uuid']}/").status_code == 404
    assert stored(well, group) == []
    assert private(well, "/persons/bulk_delete/", "POST", json={}).status_code == 400
    assert private(well, "/events/?limit=many").status_code == 400
    assert private(well, "/events/?before=soon").status_code == 400


def test_who_sends_no_profile_is_counted_but_not_listed(well: CloudUnderTest, posthog: httpx.Client) -> None:
    key, group, who = well.keys["posthog"], f"mk0r-{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
    body = {"distinct_id": who, "$process_person_profile": False, "$groups": {"app": group}, "$set": {"a": 1}}
    posthog.post("/e/", json={"api_key": key, "event": "seen", "properties": body})
    assert private(well, f"/persons/?distinct_id={who}").json()["results"] == []
    assert hogql(well, "SELECT uniq(person_id) FROM events WHERE $group_0 = {g}", g=group).json()["results"] == [[1]]
    found = private(well, f"/groups/find?group_type_index=0&group_key={group}").json()
    assert found["group_key"] == group
    assert private(well, "/groups/find?group_type_index=0&group_key=nobody").status_code == 404


def test_the_public_key_reads_nothing(well: CloudUnderTest) -> None:
    for path in ("query/", "events/", "persons/", "groups/"):
        url, method = f"{well.base_url}/posthog/api/projects/1/{path}", "POST" if path == "query/" else "GET"
        assert httpx.request(method, url).status_code == 401
        headers = {"Authorization": f"Bearer {well.keys['posthog']}"}
        assert httpx.request(method, url, headers=headers).json()["code"] == "authentication_failed"
    definitions = f"{well.base_url}/posthog/flags/definitions"
    assert httpx.get(definitions, headers=headers).status_code == 401


def test_persons_of_an_older_installation_are_found(tmp_path: Path) -> None:
    """A state file from before there were persons opens, and whose events are whose is learned from them."""
    with contextlib.closing(sqlite3.connect(tmp_path / "state.sqlite3")) as state, state:
        state.executescript(
            "CREATE TABLE posthog_events (number INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, event TEXT NOT NULL,"
            " distinct_id TEXT NOT NULL, timestamp TEXT NOT NULL, received_at TEXT NOT NULL, properties TEXT NOT NULL);"
        )
        at = "2026-01-01T00:00:00.000Z"
        for name, who, more in (("seen", "anonymous", {}), ("$identify", "ada", {"$anon_distinct_id": "anonymous"})):
            values = (str(uuid.uuid4()), name, who, at, at, json.dumps(more))
            state.execute("INSERT INTO posthog_events VALUES (NULL, ?, ?, ?, ?, ?, ?)", values)
    for _ in range(2):
        with contextlib.closing(Store(tmp_path / "state.sqlite3")) as store:
            persons = Events(store).persons
            ada = persons.of("ada")
            assert ada is not None
            assert sorted(persons.distinct_ids(ada["id"])) == ["ada", "anonymous"]
