"""On one machine pages live under one name, since a preview without a name of its own shares cookies with 127.0.0.1."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import AsyncClient, Client

NAVIGATES = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.fixture(autouse=True)
def _laptop(settings: Any) -> None:
    settings.PUBLIC_URL, settings.IS_PUBLIC = "http://localhost:8000", False


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::1]:8000"])
def test_a_browser_that_opens_a_page_by_address_is_sent_to_the_name(host: str, client: Client) -> None:
    for path in ("/", "/s/abcdefghijkl", "/admin/login/?next=/admin/", "//evil.example/", "/%0d%0aSet-Cookie:x"):
        response = client.get(path, headers=NAVIGATES | {"host": host})
        assert response.status_code == 302
        assert response["Location"].startswith("http://localhost:8000/")
        assert "\r" not in response["Location"]
        assert not response.cookies


async def test_programs_and_frames_are_answered_where_they_ask(async_client: AsyncClient) -> None:
    for path, headers in (
        ("/gateway/model/v1/models", {}),
        ("/gateway/mail/emails", NAVIGATES),
        ("/api/openapi.json", {}),
    ):
        response = await async_client.get(path, headers=headers | {"host": "127.0.0.1:8000"})
        assert response.status_code != 302


@pytest.mark.django_db
def test_a_public_site_and_the_name_itself_are_left_alone(client: Client, settings: Any) -> None:
    assert client.get("/", headers=NAVIGATES | {"host": "localhost:8000"}).status_code == 200
    settings.PUBLIC_URL, settings.IS_PUBLIC = "https://mk0r.example", True
    assert client.get("/", headers=NAVIGATES | {"host": "127.0.0.1:8000"}).status_code == 200
