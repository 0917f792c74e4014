"""The mail door: an app sends with its own key only, and reaches its own audience only."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sessions_app.models import Session
from tests.gateway.conftest import RESEND_PLATFORM_KEY, Upstream, in_db

MAIL = {"from": "Shop <shop@mail.example>", "to": ["ben@example.org"], "subject": "Hi", "text": "Hello"}


@pytest.fixture
def door(site: str, upstream: Upstream, settings: Any) -> str:
    settings.RESEND_API_URL = upstream.url
    upstream.answer = lambda request: answer({"id": "mail-1"})
    return f"{site}/gateway/mail"


async def answer(body: Any, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers={"ratelimit-remaining": "4", "x-other": "1"})


async def post(http: aiohttp.ClientSession, url: str, key: str, body: Any, **headers: str) -> tuple[int, Any]:
    async with http.post(url, json=body, headers={"Authorization": f"Bearer {key}"} | headers) as response:
        return response.status, await response.json()


async def test_mail_goes_out_with_the_apps_own_key(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any
) -> None:
    status, body = await post(http, f"{door}/emails", mail_key(ada), MAIL, **{"Idempotency-Key": "k1", "Cookie": "c=1"})
    assert (status, body) == (200, {"id": "mail-1"})
    method, path, headers, sent = upstream.seen[0]
    assert (method, path, json.loads(sent)) == ("POST", "/emails", MAIL)
    assert headers["authorization"] == f"Bearer {mail_key(ada)}"
    assert headers["idempotency-key"] == "k1"
    assert "cookie" not in headers


@pytest.mark.parametrize("key", ["", "re_unknown_0123456789", RESEND_PLATFORM_KEY, "re_\0"])
async def test_a_key_that_is_no_sessions_is_refused(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, key: str
) -> None:
    if "\0" in key:
        key = "re_%00"
    status, body = await post(http, f"{door}/emails", key, MAIL)
    assert status in {401, 403}
    assert body["name"] in {"missing_api_key", "invalid_api_key"}
    assert not upstream.seen


async def test_the_key_is_dead_when_the_session_ends(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any
) -> None:
    await in_db(lambda: Session.objects.filter(pk=ada.pk).update(state="closed"))
    assert (await post(http, f"{door}/emails", mail_key(ada), MAIL))[0] == 403
    assert not upstream.seen


@pytest.mark.parametrize("sender", ["x@evil.example", "shop@mail.example@evil.example", "", 5, "shop@sub.mail.example"])
async def test_a_sender_elsewhere_is_refused(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any, sender: Any
) -> None:
    status, body = await post(http, f"{door}/emails/batch", mail_key(ada), [MAIL, MAIL | {"from": sender}])
    assert status == 403
    assert "mail.example" in body["message"]
    assert not upstream.seen


async def test_the_limit_holds_for_sends_at_once_and_counts_only_what_was_taken(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any, settings: Any
) -> None:
    settings.MK0R_MAIL_LIMIT = 3
    upstream.answer = lambda request: answer({"name": "validation_error", "message": "no"}, 422)
    assert (await post(http, f"{door}/emails", mail_key(ada), MAIL))[0] == 422
    upstream.answer = lambda request: answer({"id": "x"})
    statuses = await asyncio.gather(*(post(http, f"{door}/emails", mail_key(ada), MAIL) for _ in range(6)))
    assert sorted(status for status, _ in statuses) == [200] * 3 + [429] * 3
    assert (await post(http, f"{door}/emails", mail_key(ada), MAIL | {"to": ["a@b.c"] * 9}))[0] == 429


class Contacts:
    """A vendor's contacts: one list, members of audiences."""

    def __init__(self) -> None:
        self.members: dict[str, set[str]] = {
            "c-ada": {"aud-ada"},
            "c-both": {"aud-ada", "aud-mallory"},
            "c-m": {"aud-mallory"},
        }

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {RESEND_PLATFORM_KEY}"
        match request.path.strip("/").split("/"):
            case ["contacts", contact, "segments"]:
                known = sorted(self.members.get(contact, ()))
                start = known.index(request.query["after"]) + 1 if "after" in request.query else 0
                page = [{"id": each} for each in known[start : start + 100]]
                more = len(known) > start + 100
                return await answer({"data": page, "has_more": more} if known else {}, 200 if known else 404)
        return await answer({"object": "contact", "id": "c"})


@pytest.fixture
def vendor(door: str, upstream: Upstream) -> Contacts:
    made = Contacts()
    upstream.answer = made.answer
    return made


async def ask(http: aiohttp.ClientSession, method: str, url: str, key: str, body: Any = None) -> int:
    async with http.request(method, url, json=body, headers={"Authorization": f"Bearer {key}"}) as response:
        await response.json()
        return response.status


@pytest.mark.parametrize(
    ("method", "path", "body", "sent"),
    [
        ("GET", "contacts?limit=5&segment_id=aud-mallory", None, ("GET", "/segments/aud-ada/contacts?limit=5")),
        ("GET", "audiences/aud-ada/contacts", None, ("GET", "/segments/aud-ada/contacts")),
        ("POST", "contacts", {"email": "b@x.org", "segments": ["aud-mallory"], "topics": []}, ("POST", "/contacts")),
        (
            "POST",
            "audiences/aud-ada/contacts",
            {"email": "b@x.org", "audience_id": "aud-mallory"},
            ("POST", "/contacts"),
        ),
        ("GET", "contacts/c-ada", None, ("GET", "/contacts/c-ada")),
        ("PATCH", "segments/aud-ada/contacts/c-ada", {"unsubscribed": True}, ("PATCH", "/contacts/c-ada")),
        ("DELETE", "contacts/c-ada", None, ("DELETE", "/contacts/c-ada")),
        ("DELETE", "contacts/c-both", None, ("DELETE", "/contacts/c-both/segments/aud-ada")),
    ],
)
async def test_contacts_are_those_of_the_own_audience_whatever_the_path_says(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any, vendor: Contacts,
    method: str, path: str, body: Any, sent: tuple[str, str],
) -> None:  # fmt: skip
    assert await ask(http, method, f"{door}/{path}", mail_key(ada), body) == 200
    seen_method, seen_path, _, seen_body = upstream.seen[-1]
    assert (seen_method, seen_path) == sent
    if method == "POST":
        assert json.loads(seen_body) == {"email": "b@x.org", "segments": ["aud-ada"]}


async def test_a_contact_of_very_many_audiences_is_known_in_each(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any, vendor: Contacts
) -> None:
    vendor.members["c-all"] = {f"a-{number}" for number in range(250)} | {"aud-ada"}
    assert await ask(http, "GET", f"{door}/contacts/c-all", mail_key(ada)) == 200
    assert await ask(http, "PATCH", f"{door}/contacts/c-all", mail_key(ada), {"unsubscribed": True}) == 403
    assert await ask(http, "DELETE", f"{door}/contacts/c-all", mail_key(ada)) == 200
    assert upstream.seen[-1][:2] == ("DELETE", "/contacts/c-all/segments/aud-ada")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "audiences/aud-ada/contacts", 404),
        ("POST", "segments/aud-ada/contacts", 404),
        ("GET", "contacts/c-ada", 404),
        ("PATCH", "contacts/c-ada", 404),
        ("DELETE", "contacts/c-ada", 404),
        ("PATCH", "contacts/c-both", 403),
        ("POST", "contacts/c-ada/segments/aud-mallory", 404),
        ("GET", "contacts/..%2F..%2Fapi-keys", 401),
        ("GET", "api-keys", 401),
        ("DELETE", "audiences/aud-mallory", 401),
        ("GET", "emails/1", 401),
        ("PUT", "contacts", 405),
    ],
)
async def test_a_stranger_reaches_nothing_of_adas(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mallory: Session, mail_key: Any,
    vendor: Contacts, method: str, path: str, status: int,
) -> None:  # fmt: skip
    assert await ask(http, method, f"{door}/{path}", mail_key(mallory), {} if method != "GET" else None) == status
    assert all(seen[0] == "GET" and seen[1].endswith("/segments?limit=100") for seen in upstream.seen)


@pytest.mark.parametrize("fault", ["garbage", "silent", "huge"])
async def test_a_hostile_vendor_ends_in_the_vendors_error_form(
    door: str, http: aiohttp.ClientSession, upstream: Upstream, ada: Session, mail_key: Any, fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def bad(request: web.Request) -> web.Response:
        if fault == "silent":
            await asyncio.sleep(120)
        return web.Response(text="<h1>" if fault == "garbage" else "x" * 3_000_000)

    monkeypatch.setattr("gateway.mail_door.DEADLINE", 0.5)
    upstream.answer = bad
    status, body = await post(http, f"{door}/emails", mail_key(ada), MAIL)
    assert status in {502, 504}
    assert body["statusCode"] == status
