"""The REST API: authority, CSRF, refusals in one shape, and every row of the public surface."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.test import AsyncClient

from mk0r import health
from sessions_app import services, slugs, tokens
from sessions_app.models import Session

pytestmark = pytest.mark.django_db(transaction=True)

CALLS = [
    ("get", ""),
    ("get", "/env"),
    ("get", "/events"),
    ("get", "/versions"),
    ("get", "/receipt"),
    ("get", "/clone"),
    ("post", "/turns"),
    ("post", "/turns/current/cancel"),
    ("post", "/versions/1/restore"),
    ("post", "/undo"),
    ("post", "/redo"),
    ("post", "/resources/neon/retry"),
    ("delete", ""),
]


def _keyed(session: Session) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.session_key(session)}"}


async def _post(client: AsyncClient, path: str, body: Any = None, **extra: Any) -> Any:
    return await client.post(path, body or {}, content_type="application/json", **extra)


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_session_looks_the_same_to_a_stranger_as_one_that_does_not_exist(
    ben: Any, session: Session, method: str, path: str
) -> None:
    bodies = set()
    for client in (ben.client(), AsyncClient()):
        for slug in (session.slug, "aaaaaaaaaaaa", "not-a-slug", "%00"):
            url = f"/api/sessions/{slug}{path}"
            response = await getattr(client, method)(url, **_body(method, path))
            assert response.status_code == 404
            bodies.add(response.content)
    other = await database_sync_to_async(services.session_begin)(ben.visitor)
    response = await getattr(AsyncClient(), method)(
        f"/api/sessions/{session.slug}{path}", headers=_keyed(other), **_body(method, path)
    )
    assert response.status_code == 404
    assert len(bodies | {response.content}) == 1


def _body(method: str, path: str) -> dict[str, Any]:
    return {"data": {"prompt": "x"}, "content_type": "application/json"} if path == "/turns" else {}


async def test_a_cookie_without_csrf_token_changes_nothing_and_a_key_needs_none(ada: Any, session: Session) -> None:
    url = f"/api/sessions/{session.slug}/turns"
    client = ada.client(csrf=True)
    response = await _post(client, url, {"prompt": "a guest book"})
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    assert not await session.turns.aexists()
    client.cookies["csrftoken"] = "t" * 32
    response = await _post(client, url, {"prompt": "a guest book"}, headers={"X-CSRFToken": "t" * 32})
    assert (response.status_code, response.json()) == (202, {"turn": 1})
    keyed = AsyncClient(enforce_csrf_checks=True)
    assert (await _post(keyed, f"{url}/current/cancel", headers=_keyed(session))).status_code == 202
    assert (await ada.client(csrf=True).get(f"/api/sessions/{session.slug}")).status_code == 200


async def test_turns_are_refused_with_a_code_a_sentence_and_what_helps(
    ada: Any, session: Session, settings: Any
) -> None:
    client, url = ada.client(), f"/api/sessions/{session.slug}/turns"
    settings.MK0R_TURN_LIMIT = 1
    refused = await _post(client, url, {"prompt": " "})
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_frame")
    assert (await _post(client, url, {"prompt": "one"})).status_code == 202
    busy = await _post(client, url, {"prompt": "two"})
    assert (busy.status_code, busy.json()["code"]) == (409, "busy")
    assert (await _post(client, f"{url}/current/cancel")).json() == {"turn": 1}
    assert (await _post(client, f"{url}/current/cancel")).status_code == 404
    limited = await _post(client, url, {"prompt": "two"})
    assert (limited.status_code, limited.json()["limit"]) == (429, "turns")
    assert limited.json()["until"]


@pytest.mark.parametrize("body", ["", "{", "[]", '{"prompt": 5}', '{"prompt": "x", "more": 1}', "\ud800"])
async def test_a_body_that_cannot_be_read_is_told_so_in_the_same_shape(ada: Any, session: Session, body: str) -> None:
    response = await ada.client().post(
        f"/api/sessions/{session.slug}/turns", body.encode("utf-8", "surrogatepass"), content_type="application/json"
    )
    assert response.status_code in {400, 422}
    assert response.json()["code"] == "bad_request"
    assert response.json()["message"]


async def test_a_body_over_the_cap_is_413(ada: Any, session: Session) -> None:
    response = await _post(ada.client(), f"/api/sessions/{session.slug}/turns", {"prompt": "x" * 1_100_000})
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


async def test_events_resume_after_a_number(ada: Any, session: Session) -> None:
    client, url = ada.client(), f"/api/sessions/{session.slug}/events"
    await database_sync_to_async(services.turn_submit)(session, "hello")
    log = (await client.get(url)).json()
    assert [event["seq"] for event in log] == [1, 2]
    assert set(log[0]) == {"seq", "type", "at", "data"}
    assert (await client.get(f"{url}?after=1")).json() == log[1:]
    assert (await client.get(f"{url}?after=-1")).status_code == 422


async def test_env_is_plain_text_that_nobody_may_keep(ada: Any, session: Session) -> None:
    response = await ada.client().get(f"/api/sessions/{session.slug}/env")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    assert response.text.startswith("NEON_ROLE_PASSWORD=")


async def test_state_names_secrets_and_never_shows_them(ada: Any, session: Session) -> None:
    client = ada.client()
    await _post(client, f"/api/sessions/{session.slug}/resources/neon/retry")
    state = (await client.get(f"/api/sessions/{session.slug}")).json()
    whole = await database_sync_to_async(services.session_state)(session)
    assert state == whole  # nothing is lost on the way through the schema
    assert tokens.gateway_token(session) not in str(state)
    secret = (await client.get(f"/api/sessions/{session.slug}/clone")).json()
    assert secret["password"] == tokens.gateway_token(session)


async def test_undo_redo_and_restore_are_accepted_with_the_version_they_repeat(
    ada: Any, session: Session, versions: Callable[..., Any]
) -> None:
    for tree in "ab":
        await database_sync_to_async(versions)(session, tree)
    client, url = ada.client(), f"/api/sessions/{session.slug}"
    assert (await client.get(f"{url}/versions")).json()["can_undo"] is True
    response = await _post(client, f"{url}/undo")
    assert (response.status_code, response.json()) == (202, {"restores": 1})
    assert (await _post(client, f"{url}/versions/2/restore")).status_code == 409
    assert (await _post(client, f"{url}/redo")).status_code == 404


async def test_delete_ends_the_session_and_the_receipt_proves_it(ada: Any, session: Session) -> None:
    client, url = ada.client(), f"/api/sessions/{session.slug}"
    assert (await client.get(f"{url}/receipt")).status_code == 409
    assert (await client.delete(url)).status_code == 202
    for _ in range(1200):
        receipt = (await client.get(f"{url}/receipt")).json()
        if receipt["state"] == "closed":
            break
        await asyncio.sleep(0.05)
    assert [line["state"] for line in receipt["resources"]] == ["gone"] * 5
    assert (await client.delete(url)).status_code == 202
    assert (await client.get(f"{url}/env")).json()["code"] == "closed"
    assert (await _post(client, f"{url}/turns", {"prompt": "x"})).json()["code"] == "closed"


async def test_an_unknown_provider_cannot_be_retried(ada: Any, session: Session) -> None:
    response = await _post(ada.client(), f"/api/sessions/{session.slug}/resources/stripe/retry")
    assert response.status_code == 422


async def test_health_tells_each_dependency_and_is_503_without_a_worker(settings: Any) -> None:
    health._seen.clear()
    settings.NEON_API_URL = "http://127.0.0.1:9"
    response = await AsyncClient().get("/api/health")
    body = response.json()
    assert body["checks"]["database"]["ok"]
    assert body["checks"]["channel_layer"]["ok"]
    assert not body["checks"]["worker"]["ok"]
    assert (response.status_code, body["status"]) == (503, "down")
    assert body["vendors"]["neon"]["ok"] is False
    assert set(body["vendors"]) == {"neon", "resend", "github", "posthog", "e2b", "anthropic"}


async def test_openapi_lists_every_call_and_the_docs_load_nothing_from_elsewhere() -> None:
    client = AsyncClient()
    paths = (await client.get("/api/openapi.json")).json()["paths"]
    for method, path in CALLS:
        wanted = "/api/sessions/{slug}" + path.replace("/1/", "/{number}/").replace("neon", "{provider}")
        assert method in paths[wanted]
    assert "get" in paths["/api/health"]
    docs = await client.get("/api/docs")
    assert docs.status_code == 200
    assert "cdn" not in docs.text
    assert "//" not in docs.text.replace("https://", "//").split("<body")[0].replace("<!DOCTYPE", "")
    assert "'unsafe-inline'" in docs["Content-Security-Policy"]
    assert "unsafe-inline" not in (await client.get("/api/health"))["Content-Security-Policy"]


def test_a_slug_proves_whose_it_is(session: Session, settings: Any) -> None:
    assert slugs.verify(session.slug)
    assert slugs.verify_name(f"mk0r-{session.slug}")
    for other in ("", "mk0r", session.slug[:-1], session.slug.upper(), f"{session.slug}\n", "a" * 12, "é" * 12):
        assert not slugs.verify(other)
        assert not slugs.verify_name(f"mk0r-{other}")
    assert not slugs.verify_name(session.slug)
    settings.SECRET_KEY = "another installation"
    assert not slugs.verify(session.slug)
