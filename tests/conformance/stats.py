"""Reading what a PostHog client sent, as a dashboard would: by the project's query API, with its personal key."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.fixtures.cloud import CloudUnderTest


def private(cloud: CloudUnderTest, path: str, method: str = "GET", **more: Any) -> httpx.Response:
    """Call the private API; *path* may be a whole address of a next page."""
    url = path if path.startswith("http") else f"{cloud.base_url}/posthog/api/projects/1{path}"
    headers = {"Authorization": f"Bearer {cloud.info['posthog_personal_key']}"}
    return httpx.request(method, url, headers=headers, **{"timeout": 30, **more})


def rows(cloud: CloudUnderTest, text: str, **values: Any) -> list[list[Any]]:
    """The rows a HogQL query gives."""
    query = {"kind": "HogQLQuery", "query": text, "values": values}
    answer = private(cloud, "/query/", "POST", json={"query": query})
    assert answer.status_code == 200, answer.text
    found: list[list[Any]] = answer.json()["results"]
    return found


def arrived(cloud: CloudUnderTest, group: str, wanted: dict[str, int], seconds: float = 60) -> None:
    """Wait until just so many events of each name have come in for the group of type `app`."""
    deadline = time.monotonic() + seconds
    text = "SELECT event, count() FROM events WHERE properties.$groups.app = {group} GROUP BY event"
    while (seen := dict(rows(cloud, text, group=group))) != wanted:
        assert time.monotonic() < deadline, f"{seen} came in, not {wanted}"
        time.sleep(0.1)
