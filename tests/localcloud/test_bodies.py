"""Bodies at the edge of what JSON is: read as the vendors read them, and nothing kept that breaks what comes later."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from localcloud.json_text import read
from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.localcloud.conftest import client

AGES_APART = """{"api_key": "KEY", "sent_at": "9999-12-31T00:00:00Z",
  "batch": [{"event": "early", "distinct_id": "ada", "timestamp": "0001-01-01T00:00:00Z"}]}"""
HALF = r"\ud83d"  # what is left of an emoji that a program cut in two


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    """A localcloud of its own, so that what would spoil a whole store spoils nobody else's."""
    with run_cloud(tmp_path_factory.mktemp("bodies")) as cloud:
        yield cloud


def capture(cloud: CloudUnderTest, event: str, **headers: str) -> httpx.Response:
    body = event.replace("KEY", cloud.keys["posthog"]).encode()
    return httpx.post(f"{cloud.base_url}/posthog/e/", content=body, headers=headers, timeout=20)


def asked(cloud: CloudUnderTest, query: str) -> httpx.Response:
    with client(cloud, "/posthog/api/projects/1", str(cloud.info["posthog_personal_key"])) as http:
        return http.post("/query/", json={"query": {"kind": "HogQLQuery", "query": query}})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rf'"a{HALF}"', "a�"),
        (r'"\udE00 and \uD83D\uDE00"', "� and 😀"),
        (r'"\\ud83d"', r"\ud83d"),
        (r'"\\\ud83d\u0041"', "\\�A"),
        ("1.5e3", 1500.0),
        ('﻿{"a": [null, true]}', {"a": [None, True]}),
    ],
)
def test_half_a_character_is_read_as_the_mark_for_one_that_is_missing(text: str, value: Any) -> None:
    assert read(text.encode()) == value


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "[-Infinity]", "1e999", "[" * 100_000, "", "{", '"\x80"'])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- any will do: it is what callers answer 400 for
        read(text.encode("latin-1"))


def test_half_a_character_in_a_mail_leaves_the_mailbox_readable(fresh: CloudUnderTest) -> None:
    with client(fresh, "/resend", fresh.keys["resend"]) as resend:
        body = '{"from": "a@example.com", "to": "b@example.com", "subject": "Hi HALF", "text": "HALF"}'
        sent = resend.post("/emails", content=body.replace("HALF", HALF).encode())
        assert sent.status_code == 200
        assert resend.get(f"/emails/{sent.json()['id']}").json()["subject"] == "Hi �"
        assert resend.post("/audiences", content=b'{"name": "a\\ud83d"}').status_code == 201
    with client(fresh, "/_cloud", str(fresh.info["operator_key"])) as operator:
        for page in ("/mailbox", f"/mailbox/{sent.json()['id']}"):
            assert "Hi �" in operator.get(page).raise_for_status().text


def test_half_a_character_in_an_event_leaves_events_readable(fresh: CloudUnderTest) -> None:
    name = f"cut {uuid.uuid4().hex}"
    event = f'{{"api_key": "KEY", "event": "{name}", "distinct_id": "{HALF}", "properties": {{"text": "{HALF}"}}}}'
    assert capture(fresh, event).status_code == 200
    with client(fresh, "/_cloud", str(fresh.info["operator_key"])) as operator:
        assert name in operator.get("/events").raise_for_status().text
    assert asked(fresh, f"select properties.text from events where event = '{name}'").json()["results"] == [["�"]]


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_json_does_not_have_spoils_no_query(fresh: CloudUnderTest, number: str) -> None:
    event = '{"api_key": "KEY", "event": "measured", "distinct_id": "ada", "properties": {"n": NUMBER}}'
    assert capture(fresh, event.replace("NUMBER", number)).status_code == 400
    assert capture(fresh, event.replace("NUMBER", "7")).status_code == 200
    assert asked(fresh, "select max(properties.n) from events").json()["results"] == [[7]]


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ('\n {"api_key": "KEY", "event": "spaced", "distinct_id": "ada"}', 200),
        ('{"api_key": ["KEY"], "event": "keyed", "distinct_id": "ada"}', 401),
        (AGES_APART, 200),
        ('{"api_key": "KEY", "event": "$set", "distinct_id": "ada", "properties": {"$unset": [["x"], "y"]}}', 200),
    ],
)
def test_an_odd_event_is_taken_or_refused_and_never_a_failure(fresh: CloudUnderTest, event: str, status: int) -> None:
    assert capture(fresh, event).status_code == status


@pytest.mark.parametrize("path", ["/posthog/e/", "/resend/audiences", "/neon/api/v2/projects", "/github/user/repos"])
def test_a_body_that_is_not_packed_as_it_says_is_400(fresh: CloudUnderTest, path: str) -> None:
    key = fresh.keys.get(path.split("/")[1], "")
    headers = {"Content-Encoding": "gzip", "Authorization": f"Bearer {key}"}
    answer = httpx.post(fresh.base_url + path, content=b"not gzip", headers=headers, timeout=20)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/neon/api/v2/projects", "Authorization"),
        ("/resend/audiences", "Authorization"),
        ("/github/user", "Authorization"),
        ("/github/git/mk0r-local/x.git/info/refs?service=git-upload-pack", "Authorization"),
        ("/posthog/api/projects/1/events", "Authorization"),
        ("/e2b/v2/sandboxes", "X-API-KEY"),
        ("/_cloud/ledger", "Authorization"),
        ("/_cloud/", "Cookie"),
    ],
)
def test_a_key_of_bytes_that_are_no_text_is_a_wrong_key(fresh: CloudUnderTest, path: str, header: str) -> None:
    with closing(HTTPConnection("127.0.0.1", fresh.port, timeout=20)) as connection:
        connection.putrequest("GET", path)
        connection.putheader("User-Agent", "test")
        connection.putheader(header, b"mk0r_cloud=\xff" if header == "Cookie" else b"Bearer \xff\xfe")
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
    assert answer.status == (400 if path.startswith("/resend") else 401)
