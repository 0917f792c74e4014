"""Small steps over the wire that several tests take."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.fixtures.cloud import CloudUnderTest


def finished(cloud: CloudUnderTest, project: str) -> list[str]:
    """Wait until a Neon project's operations ended; returns every status that was seen, in order."""
    seen: list[str] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = httpx.get(
            f"{cloud.base_url}/neon/api/v2/projects/{project}/operations",
            headers={"Authorization": f"Bearer {cloud.keys['neon']}"},
            timeout=30,
        )
        statuses = [item["status"] for item in answer.json()["operations"]]
        seen += [status for status in statuses if status not in seen]
        if set(statuses) == {"finished"}:
            return seen
        time.sleep(0.03)
    raise AssertionError(f"the operations did not finish: {seen}")


def project(cloud: CloudUnderTest, name: str, **wishes: Any) -> dict[str, Any]:
    """Make a Neon project and wait until it can be used; returns the creation's answer."""
    answer = httpx.post(
        f"{cloud.base_url}/neon/api/v2/projects",
        json={"project": {"name": name, **wishes}},
        headers={"Authorization": f"Bearer {cloud.keys['neon']}"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    finished(cloud, made["project"]["id"])
    return made
