"""Doctor where mk0r is at GitHub as an App: its key, its installation, its permissions."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mk0r.doctor.report import State
from tests.doctor.conftest import check, look
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.github_app import app_values
from tests.fixtures.loopback import recorder

GRANTED = {"administration": "write", "contents": "write", "metadata": "read"}


@pytest.fixture
def vendors(vendor_settings: CloudUnderTest, settings: Any) -> CloudUnderTest:
    for name, value in app_values(vendor_settings).items():
        setattr(settings, name, value)
    return vendor_settings


async def test_an_app_with_all_it_needs_is_well(vendors: CloudUnderTest, settings: Any) -> None:
    part = await look("github")
    assert (part.state, part.where) == (State.WELL, "local"), part.checks
    assert check(part, "key").said == "the App mk0r-local-app"
    assert check(part, "owner").said == f"repositories are made in {settings.GITHUB_OWNER}"
    for name in ("reachable", "permissions", "installation", "limits"):
        assert check(part, name).state is State.WELL


async def test_a_key_that_is_not_the_apps_is_refused_with_the_next_step(vendors: CloudUnderTest, settings: Any) -> None:
    settings.GITHUB_APP_PRIVATE_KEY = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()  # fmt: skip
    key = check(await look("github"), "key")
    assert "refused the key (401: A JSON web token could not be decoded)" in key.said
    assert "GITHUB_APP_PRIVATE_KEY" in key.next
    settings.GITHUB_APP_ID = "999"
    key = check(await look("github"), "key")
    assert "Integration not found" in key.said
    assert "GITHUB_APP_ID" in key.next


async def test_an_installation_that_is_none_or_a_persons_is_told(vendors: CloudUnderTest, settings: Any) -> None:
    settings.GITHUB_OWNER = "acme"
    owner = check(await look("github"), "owner")
    assert (owner.state, "GITHUB_OWNER is acme" in owner.said) == (State.WRONG, True)
    user = vendors.info["github_owner"]
    settings.GITHUB_INSTALLATION_ID = str(vendors.info["github_app"]["installations"][user])
    owner = check(await look("github"), "owner")
    assert (owner.state, "a person" in owner.said) == (State.WRONG, True)
    settings.GITHUB_INSTALLATION_ID = "7"
    key = check(await look("github"), "key")
    assert key.said == "the App has no installation 7"
    assert "GITHUB_INSTALLATION_ID" in key.next


@pytest.mark.parametrize(
    ("name", "told", "state", "words"),
    [
        (
            "permissions",
            {"permissions": {"contents": "read"}},
            State.WRONG,
            "administration: write and contents: write",
        ),
        ("permissions", {"permissions": GRANTED | {"workflows": "write"}}, State.NOTE, "than is needed: workflows"),
        ("permissions", {"permissions": None}, State.WRONG, "missing"),
        ("installation", {"repository_selection": "selected"}, State.WRONG, "chosen repositories only"),
        ("installation", {"suspended_at": "2026-11-01T00:00:00Z"}, State.WRONG, "suspended on 2026-11-01"),
        ("owner", {"account": None}, State.WRONG, "nobody"),
        ("limits", {}, State.WRONG, "0 of 5000"),
    ],
    ids=["less", "more", "none", "selected", "suspended", "nobody", "spent"],
)
async def test_what_the_installation_lacks_is_told(
    vendors: CloudUnderTest, settings: Any, name: str, told: dict[str, Any], state: State, words: str
) -> None:
    whole = {
        "app_slug": "acme-app", "account": {"login": settings.GITHUB_OWNER, "type": "Organization"},
        "permissions": GRANTED, "repository_selection": "all", "suspended_at": None,
    }  # fmt: skip
    left = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0" if name == "limits" else "4999"}

    async def answer(request: web.Request) -> web.Response:
        assert request.path == f"/app/installations/{settings.GITHUB_INSTALLATION_ID}"
        return web.json_response(whole | told, headers=left)

    async with recorder(answer) as (url, _):
        settings.GITHUB_API_URL = url
        found = check(await look("github"), name)
    assert found.state is state
    assert words in found.said
    assert found.next


async def test_a_clock_that_is_wrong_is_the_clocks_trouble(vendors: CloudUnderTest, settings: Any) -> None:
    said = "'Expiration time' claim ('exp') is too far in the future"

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"message": said}, status=401)

    async with recorder(answer) as (url, _):
        settings.GITHUB_API_URL = url
        clock = check(await look("github"), "clock")
    assert said in clock.said
    assert "NTP" in clock.next
