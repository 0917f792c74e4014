"""Clients that speak to the running localcloud the way each vendor's own clients do."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.fixtures.cloud import CloudUnderTest


@pytest.fixture
def well(cloud: CloudUnderTest) -> Iterator[CloudUnderTest]:
    """The running localcloud, with no fault in force before or after."""
    cloud.clear_faults()
    yield cloud
    cloud.clear_faults()


def client(cloud: CloudUnderTest, path: str, key: str | None) -> httpx.Client:
    headers = {"User-Agent": "test"} | ({"Authorization": f"Bearer {key}"} if key else {})
    return httpx.Client(base_url=f"{cloud.base_url}{path}", headers=headers, timeout=20)


@pytest.fixture
def neon(well: CloudUnderTest) -> Iterator[httpx.Client]:
    with client(well, "/neon/api/v2", well.keys["neon"]) as http:
        yield http


@pytest.fixture
def resend(well: CloudUnderTest) -> Iterator[httpx.Client]:
    with client(well, "/resend", well.keys["resend"]) as http:
        yield http


@pytest.fixture
def github(well: CloudUnderTest) -> Iterator[httpx.Client]:
    with client(well, "/github", well.keys["github"]) as http:
        yield http


@pytest.fixture
def posthog(well: CloudUnderTest) -> Iterator[httpx.Client]:
    with client(well, "/posthog", None) as http:
        yield http
