"""Webhooks of Resend: signed as Svix signs, tried again until taken, and sent to nobody who did not ask."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from localcloud.config import read
from localcloud.resend import endpoints, signing
from localcloud.resend.deliveries import Deliveries
from localcloud.store import Store
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.endpoint import Endpoint, Received, listening


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with listening() as running:
        yield running


def mail(to: str) -> dict[str, Any]:
    return {"from": "Ada <ada@example.com>", "to": to, "subject": "Hello", "text": "Hi", "tags": [tag("kind", "test")]}


def tag(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def types(received: list[Received]) -> list[str]:
    return [json.loads(one.body)["type"] for one in received]


def hook(resend: httpx.Client, endpoint: Endpoint, *events: str) -> dict[str, Any]:
    answer = resend.post("/webhooks", json={"endpoint": endpoint.url, "events": events})
    assert answer.status_code == 201
    made: dict[str, Any] = answer.json()
    return made


def test_a_mail_is_told_of_step_by_step_and_signed(resend: httpx.Client, endpoint: Endpoint) -> None:
    made = hook(resend, endpoint, "email.sent", "email.delivered", "email.bounced")
    sent = resend.post("/emails", json=mail("ben@example.com")).json()["id"]
    first, second = endpoint.wait(lambda got: len(got) == 2)
    assert types([first, second]) == ["email.sent", "email.delivered"]
    told = json.loads(second.body)["data"]
    assert (told["email_id"], told["to"], told["tags"]) == (sent, ["ben@example.com"], {"kind": "test"})
    key = base64.b64decode(made["signing_secret"].removeprefix("whsec_"))
    content = f"{first.headers['svix-id']}.{first.headers['svix-timestamp']}.{first.body}"
    digest = base64.b64encode(hmac.digest(key, content.encode(), hashlib.sha256)).decode()
    assert first.headers["svix-signature"] == f"v1,{digest}"
    assert first.headers["svix-id"] != second.headers["svix-id"]
    assert resend.delete(f"/webhooks/{made['id']}").json()["deleted"] is True


def test_only_what_was_asked_for_is_told_and_nothing_once_it_is_gone(resend: httpx.Client, endpoint: Endpoint) -> None:
    made = hook(resend, endpoint, "email.bounced")
    for to in ("ben@example.com", "Gone <bounced+1@resend.dev>", "complained@resend.dev"):
        resend.post("/emails", json=mail(to))
    (told,) = endpoint.wait(lambda got: len(got) == 1)
    bounce = json.loads(told.body)["data"]["bounce"]
    assert (bounce["type"], bounce["subType"]) == ("Permanent", "General")
    assert "bounced+1@resend.dev" in bounce["diagnosticCode"][0]
    resend.patch(f"/webhooks/{made['id']}", json={"status": "disabled"})
    resend.post("/emails", json=mail("bounced@resend.dev"))
    resend.patch(f"/webhooks/{made['id']}", json={"status": "enabled", "events": ["contact.deleted"]})
    contact = resend.post("/contacts", json={"email": f"{uuid.uuid4().hex}@example.com"}).json()["id"]
    resend.delete(f"/contacts/{contact}")
    endpoint.wait(lambda got: len(got) == 2)
    assert types(endpoint.received) == ["email.bounced", "contact.deleted"]
    resend.delete(f"/webhooks/{made['id']}")
    assert resend.get(f"/webhooks/{made['id']}").status_code == 404


def test_what_was_told_can_be_read_and_told_again(resend: httpx.Client, endpoint: Endpoint) -> None:
    endpoint.statuses = [302, 200]
    made = hook(resend, endpoint, "email.complained")
    resend.post("/emails", json=mail("complained@resend.dev"))
    endpoint.wait(lambda got: len(got) == 1)
    path = f"/webhooks/{made['id']}/events"
    event = resend.get(path).json()["data"][0]
    endpoint.wait(lambda _: resend.get(f"{path}/{event['id']}").json()["status"] == "attempting")
    whole = resend.get(f"{path}/{event['id']}").json()
    assert (whole["object"], whole["payload"]["type"]) == ("webhook_event", "email.complained")
    assert whole["next_attempt_at"] > whole["created_at"]
    assert [one["http_status_code"] for one in resend.get(f"{path}/{event['id']}/attempts").json()["data"]] == [302]
    assert [one.path for one in endpoint.received] == ["/hook"]
    assert resend.post(f"{path}/{event['id']}/replay").json() == {"object": "webhook_event", "id": event["id"]}
    endpoint.wait(lambda _: resend.get(f"{path}/{event['id']}").json()["status"] == "success")
    assert [one["http_status_code"] for one in resend.get(f"{path}/{event['id']}/attempts").json()["data"]] == [
        200,
        302,
    ]
    assert resend.get(f"{path}/msg_nothing").status_code == 404
    resend.delete(f"/webhooks/{made['id']}")


def test_a_replaced_secret_signs_beside_the_new_one_for_a_day(resend: httpx.Client, endpoint: Endpoint) -> None:
    made = hook(resend, endpoint, "email.sent")
    fresh = resend.post(f"/webhooks/{made['id']}/signing-secret/rotate").json()["signing_secret"]
    assert fresh != made["signing_secret"]
    resend.post("/emails", json=mail("ben@example.com"))
    (told,) = endpoint.wait(lambda got: len(got) == 1)
    at, identity = int(told.headers["svix-timestamp"]), told.headers["svix-id"]
    assert told.headers == told.headers | signing.headers([fresh, made["signing_secret"]], identity, at, told.body)
    resend.delete(f"/webhooks/{made['id']}")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"events": ["email.sent"]}, "missing_required_field"),
        ({"endpoint": "http://127.0.0.1/"}, "missing_required_field"),
        ({"endpoint": "http://127.0.0.1/", "events": []}, "validation_error"),
        ({"endpoint": "http://127.0.0.1/", "events": ["email.eaten"]}, "validation_error"),
        ({"endpoint": "ftp://127.0.0.1/", "events": ["email.sent"]}, "validation_error"),
        ({"endpoint": "http://a:b@127.0.0.1/", "events": ["email.sent"]}, "validation_error"),
        ({"endpoint": "http://127.0.0.1:x/", "events": ["email.sent"]}, "validation_error"),
        ({"endpoint": "http://169.254.169.254/latest", "events": ["email.sent"]}, "validation_error"),
        ({"endpoint": "https://hooks.example.com/", "events": ["email.sent"]}, "validation_error"),
        ({"endpoint": "http://localhost.example.com/", "events": ["email.sent"]}, "validation_error"),
    ],
)
def test_a_webhook_that_makes_no_sense_is_refused(resend: httpx.Client, body: dict[str, Any], error: str) -> None:
    answer = resend.post("/webhooks", json=body)
    assert (answer.status_code, answer.json()["name"]) == (422, error)


def test_a_host_elsewhere_has_to_be_named_first() -> None:
    named = read({"MK0R_WEBHOOK_HOSTS": "hooks.example.com, Other.example.com"}).webhook_hosts
    for host in ("hooks.example.com", "other.example.com", "app.localhost", "127.0.0.1", "[::1]"):
        endpoints.check(f"https://{host}/", named)
    for host in ("example.com", "sub.hooks.example.com", "10.0.0.1"):
        with pytest.raises(endpoints.EndpointError, match="MK0R_WEBHOOK_HOSTS"):
            endpoints.check(f"https://{host}/", named)


def test_a_sending_key_has_nothing_to_do_with_webhooks(well: CloudUnderTest, resend: httpx.Client) -> None:
    key = resend.post("/api-keys", json={"name": "webhooks", "permission": "sending_access"}).json()["token"]
    answer = httpx.get(f"{well.base_url}/resend/webhooks", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["name"]) == (401, "restricted_api_key")


# The queue alone, with waits that a test can wait for


@contextlib.asynccontextmanager
async def delivering(path: Path, waits: list[float]) -> AsyncIterator[tuple[Store, Deliveries]]:
    store = Store(path / "state.sqlite3")
    deliveries = Deliveries(store, (), waits)
    task = asyncio.create_task(deliveries.run())
    try:
        yield store, deliveries
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.close()


def asked(store: Store, identity: str, url: str) -> None:
    data = {"endpoint": url, "events": ["email.sent"], "status": "enabled", "secret": signing.new_secret()}
    store.add("resend", "webhook", identity, url, data)


async def state(deliveries: Deliveries, webhook: str, wanted: str) -> None:
    async with asyncio.timeout(30):
        while deliveries.events(webhook)[0]["status"] != wanted:
            await asyncio.sleep(0.02)


async def test_a_refused_event_is_tried_again_unchanged_until_it_is_taken(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.statuses = [500, 410, 200]
    async with delivering(tmp_path, [0.05, 0.05, 30]) as (store, deliveries):
        asked(store, "w", endpoint.url)
        deliveries.announce("email.sent", {"n": 1})
        await state(deliveries, "w", "success")
        assert len(endpoint.received) == 3
        assert len({(one.headers["svix-id"], one.body) for one in endpoint.received}) == 1
        assert deliveries.events("w")[0]["next_at"] is None


async def test_after_the_last_wait_it_has_failed(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.statuses = [503]
    async with delivering(tmp_path, [0.02, 0.02]) as (store, deliveries):
        asked(store, "w", endpoint.url)
        deliveries.announce("email.sent", {})
        await state(deliveries, "w", "failed")
        assert [row["http_status_code"] for row in deliveries.attempts(1)] == [503, 503, 503]


async def test_a_dead_endpoint_holds_nobody_up_and_its_events_outlive_a_restart(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    async with delivering(tmp_path, [0.3]) as (store, deliveries):
        asked(store, "dead", "http://127.0.0.1:9/")
        asked(store, "well", endpoint.url.replace("127.0.0.1", "5173-app.localhost"))
        deliveries.announce("email.sent", {})
        await state(deliveries, "well", "success")
        assert endpoint.received[0].headers["host"].startswith("5173-app.localhost:")
        await state(deliveries, "dead", "attempting")
        assert deliveries.attempts(1)[0]["http_status_code"] == 0
        store.update("resend", "webhook", "dead", endpoint=endpoint.url)
    async with delivering(tmp_path, [0.3]) as (_, deliveries):
        await state(deliveries, "dead", "success")
    assert len(endpoint.received) == 2
    assert len({one.headers["svix-id"] for one in endpoint.received}) == 1


async def test_a_webhook_disabled_meanwhile_is_called_no_more(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.statuses = [500]
    async with delivering(tmp_path, [0.2]) as (store, deliveries):
        asked(store, "w", endpoint.url)
        deliveries.announce("email.sent", {})
        await state(deliveries, "w", "attempting")
        store.update("resend", "webhook", "w", status="disabled")
        await state(deliveries, "w", "failed")
        assert len(endpoint.received) == 1


async def test_an_answer_to_a_webhook_deleted_meanwhile_is_nobody_elses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    arrived, may_answer = ({name: asyncio.Event() for name in ("old", "new")} for _ in range(2))
    statuses = {"old": [204], "new": [503, 204]}

    async def answer(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        arrived[name].set()
        await may_answer[name].wait()
        return web.Response(status=statuses[name].pop(0))

    app = web.Application()
    app.router.add_post("/{name}", answer)
    async with TestServer(app) as server, delivering(tmp_path, [0.02]) as (store, deliveries):
        for name in ("old", "new"):
            asked(store, name, str(server.make_url(f"/{name}")))
            deliveries.announce("email.sent", {})
            await arrived[name].wait()
            if name == "old":
                store.delete("resend", "webhook", name)
                deliveries.forget(name)
        may_answer["old"].set()
        async with asyncio.timeout(10):
            while "webhook old" not in caplog.text:
                await asyncio.sleep(0.02)
        may_answer["new"].set()
        await state(deliveries, "new", "success")
        attempts = deliveries.attempts(deliveries.events("new")[0]["number"])
        assert [one["http_status_code"] for one in attempts] == [204, 503]
