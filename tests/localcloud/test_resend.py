"""Resend: audiences under both names, keys that only send, mail that arrives once, and its own refusals."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import sqlite3
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller

from embedded.ports import free_port
from localcloud.resend.mailbox import Mailbox
from localcloud.resend.outbox import Outbox
from localcloud.store import Store
from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.localcloud.conftest import client


def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


def settled(resend: httpx.Client, sent: str) -> dict[str, Any]:
    """The mail once it has left and something has become of it."""
    deadline = time.monotonic() + 30
    while (kept := resend.get(f"/emails/{sent}").json())["last_event"] in ("queued", "sent", "delivered"):
        if kept["last_event"] == "delivered" or time.monotonic() > deadline:
            time.sleep(0.05)  # a complaint follows a delivery at once
            break
        time.sleep(0.02)
    found: dict[str, Any] = resend.get(f"/emails/{sent}").json()
    return found


def mail(**more: Any) -> dict[str, Any]:
    return {"from": "Ada <ada@example.com>", "to": "ben@example.com", "subject": "Hello", "text": "Hi"} | more


def test_audiences_and_segments_are_one_store(resend: httpx.Client) -> None:
    audience = resend.post("/audiences", json={"name": name()})
    assert audience.status_code == 201
    assert audience.json()["object"] == "audience"
    segment = resend.post("/segments", json={"name": name()}).json()["id"]
    assert resend.get(f"/segments/{audience.json()['id']}").json()["object"] == "segment"
    assert resend.get(f"/audiences/{segment}").json()["object"] == "audience"
    assert resend.delete(f"/segments/{audience.json()['id']}").json()["deleted"] is True
    assert resend.delete(f"/audiences/{segment}").status_code == 200


def test_a_token_is_kept_as_a_hash_only(well: CloudUnderTest, resend: httpx.Client) -> None:
    token = resend.post("/api-keys", json={"name": name()}).json()["token"]
    for file in (well.var / "cloud").glob("state.sqlite3*"):
        assert token.encode() not in file.read_bytes()


def test_the_same_idempotency_key_sends_once(well: CloudUnderTest, resend: httpx.Client) -> None:
    to, headers = f"{uuid.uuid4().hex}@example.com", {"Idempotency-Key": uuid.uuid4().hex}
    refused = resend.post("/emails", json=mail(to="nonsense"), headers=headers)
    assert refused.status_code == 422  # what was refused is not remembered
    first = resend.post("/emails", json=mail(to=to), headers=headers)
    again = resend.post("/emails", json=mail(to=to), headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert len(well.operator("GET", f"api/mail?to={to}")) == 1
    for path, body in (("/emails", mail(to=to, subject="Else")), ("/emails/batch", [mail(to=to)])):
        other = resend.post(path, json=body, headers=headers)
        assert (other.status_code, other.json()["name"]) == (409, "invalid_idempotent_request")
    long = resend.post("/emails", json=mail(), headers={"Idempotency-Key": "x" * 257})
    assert (long.status_code, long.json()["name"]) == (400, "invalid_idempotency_key")


def test_a_key_in_flight_is_refused_to_another_request(well: CloudUnderTest, resend: httpx.Client) -> None:
    key, body = uuid.uuid4().hex, json.dumps(mail()).encode()
    head = (
        f"POST /resend/emails HTTP/1.1\r\nHost: 127.0.0.1:{well.port}\r\nAuthorization: Bearer {well.keys['resend']}"
        f"\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", well.port)) as wire:
        wire.sendall(head.encode() + body[:10])  # the rest is still on its way
        deadline = time.monotonic() + 30
        while True:
            other = resend.post("/emails", content=body[:-1], headers={"Idempotency-Key": key})
            if other.status_code == 409 or time.monotonic() > deadline:
                break
        assert other.json()["name"] == "concurrent_idempotent_requests"
        wire.sendall(body[10:])
        answer = b"".join(iter(lambda: wire.recv(65536), b""))
    sent = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert resend.post("/emails", content=body, headers={"Idempotency-Key": key}).json() == sent


def test_a_batch_is_all_or_nothing_unless_asked_otherwise(well: CloudUnderTest, resend: httpx.Client) -> None:
    to = f"{uuid.uuid4().hex}@example.com"
    batch = [mail(to=to), mail(to="nonsense"), mail(to=to)]
    assert resend.post("/emails/batch", json=batch).status_code == 422
    assert well.operator("GET", f"api/mail?to={to}") == []
    answer = resend.post("/emails/batch", json=batch, headers={"x-batch-validation": "permissive"}).json()
    assert len(answer["data"]) == 2
    assert [error["index"] for error in answer["errors"]] == [1]
    assert resend.post("/emails/batch", json=[]).status_code == 422
    assert resend.post("/emails/batch", json=[mail()] * 101).status_code == 422


def test_a_mail_is_delivered_and_can_be_read_back(well: CloudUnderTest, resend: httpx.Client) -> None:
    content = base64.b64encode(b"hello").decode()
    sent = resend.post(
        "/emails",
        json=mail(html="<b>Hi</b>", cc=["sam@example.com"], attachments=[{"filename": "a.txt", "content": content}]),
    ).json()["id"]
    kept = settled(resend, sent)
    assert kept["last_event"] == "delivered"
    assert (kept["to"], kept["cc"], kept["html"]) == (["ben@example.com"], ["sam@example.com"], "<b>Hi</b>")
    whole = well.operator("GET", f"api/mail/{sent}")
    assert whole["attachments"] == [{"filename": "a.txt", "content": content, "content_type": ""}]


@pytest.mark.parametrize(
    ("to", "event"),
    [
        ("delivered@resend.dev", "delivered"),
        ("bounced@resend.dev", "bounced"),
        ("Ben <Bounced+signup@resend.dev>", "bounced"),
        ("complained@resend.dev", "complained"),
        ("suppressed@resend.dev", "suppressed"),
        ("ben@nowhere.invalid", "bounced"),
        (["ben@example.com", "bounced@resend.dev"], "bounced"),
    ],
)
def test_what_becomes_of_a_mail_is_its_last_event(resend: httpx.Client, to: Any, event: str) -> None:
    sent = resend.post("/emails", json=mail(to=to)).json()["id"]
    assert settled(resend, sent)["last_event"] == event
    listed = next(one for one in resend.get("/emails").json()["data"] if one["id"] == sent)
    assert listed["last_event"] == event
    assert not {"html", "text"} & set(listed)


def test_sent_mail_is_paged_newest_first_in_both_directions(resend: httpx.Client) -> None:
    made = [resend.post("/emails", json=mail()).json()["id"] for _ in range(4)]
    page = resend.get("/emails", params={"limit": 2}).json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([made[3], made[2]], True)
    page = resend.get("/emails", params={"limit": 2, "after": made[2]}).json()
    assert [one["id"] for one in page["data"]] == [made[1], made[0]]
    page = resend.get("/emails", params={"limit": 1, "before": made[2]}).json()
    assert [one["id"] for one in page["data"]] == [made[3]]
    oldest = resend.get("/emails", params={"limit": 1}).json()
    while oldest["has_more"]:
        oldest = resend.get("/emails", params={"limit": 100, "after": oldest["data"][-1]["id"]}).json()
    past = resend.get("/emails", params={"after": oldest["data"][-1]["id"]}).json()
    assert (past["data"], past["has_more"]) == ([], False)
    for wrong in ({"after": str(uuid.uuid4())}, {"limit": 101}, {"after": made[0], "before": made[1]}):
        assert resend.get("/emails", params=wrong).status_code == 422


def test_a_scheduled_mail_waits_and_can_be_cancelled(resend: httpx.Client) -> None:
    sent = resend.post("/emails", json=mail(scheduled_at="in 5 min")).json()["id"]
    assert resend.get(f"/emails/{sent}").json()["last_event"] == "scheduled"
    assert resend.post(f"/emails/{sent}/cancel").status_code == 200
    assert resend.get(f"/emails/{sent}").json()["last_event"] == "canceled"
    assert resend.post(f"/emails/{sent}/cancel").status_code == 422


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "missing_required_field"),
        (mail(to=[]), "missing_required_field"),
        (mail(subject=""), "missing_required_field"),
        (mail(text=None), "missing_required_field"),
        (mail(to="not an address"), "validation_error"),
        (mail(to=["a@b.co"] * 51), "validation_error"),
        (mail(**{"from": "nobody"}), "invalid_from_address"),
        (mail(**{"from": "a@b.co\r\nBcc: x@y.z"}), "invalid_from_address"),
        (mail(headers={"X": "a\r\nBcc: x@y.z"}), "validation_error"),
        (mail(attachments=[{"content": "%%%"}]), "invalid_attachment"),
        (mail(scheduled_at="whenever"), "validation_error"),
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused(resend: httpx.Client, body: dict[str, Any], error: str) -> None:
    answer = resend.post("/emails", json=body)
    assert answer.status_code == 422
    assert answer.json()["name"] == error
    assert answer.json()["statusCode"] == 422


def test_keys_and_bodies_are_refused_in_resends_words(well: CloudUnderTest, resend: httpx.Client) -> None:
    nobody = httpx.get(f"{well.base_url}/resend/audiences")
    assert (nobody.status_code, nobody.json()["name"]) == (401, "missing_api_key")
    wrong = httpx.get(f"{well.base_url}/resend/audiences", headers={"Authorization": "Bearer re_wrong"})
    assert (wrong.status_code, wrong.json()["message"]) == (400, "API key is invalid")
    wrong = httpx.post(f"{well.base_url}/resend/emails", headers={"Authorization": "Bearer re_wrong"}, json=mail())
    assert (wrong.status_code, wrong.json()["message"]) == (401, "API key is invalid")
    assert resend.get(f"/emails/{uuid.uuid4()}").status_code == 404
    assert resend.get("/emails/nonsense").json()["name"] == "invalid_parameter"
    assert resend.post("/api-keys", json={"name": "x" * 51}).status_code == 422
    taken = [resend.post("/api-keys", json={"name": "taken"}) for _ in range(2)]
    assert [one.status_code for one in taken] == [201, 201]  # names need not be unique at Resend
    assert len({one.json()["id"] for one in taken}) == 2
    assert resend.post("/audiences", content=b"{").status_code == 400
    assert resend.post("/audiences", json={}).json()["name"] == "missing_required_field"
    assert resend.post("/api-keys", json={"name": "x" * 51}).status_code == 422
    assert resend.post("/api-keys", json={"name": "x", "permission": "all"}).json()["name"] == "invalid_access"
    assert resend.post(f"/audiences/{uuid.uuid4()}/contacts", json={"email": "a@b.co"}).status_code == 404


def test_a_list_is_paged_newest_first(resend: httpx.Client) -> None:
    made = [resend.post("/api-keys", json={"name": name()}).json()["id"] for _ in range(3)]
    first = resend.get("/api-keys", params={"limit": 2}).json()
    assert [item["id"] for item in first["data"]] == [made[2], made[1]]
    assert first["has_more"] is True
    second = resend.get("/api-keys", params={"limit": 1, "after": made[1]}).json()
    assert [item["id"] for item in second["data"]] == [made[0]]
    assert resend.get("/api-keys", params={"limit": 0}).status_code == 422


class Inbox:
    """An SMTP server that keeps what it is given, and knows nobody named `nobody`."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        self.mails.append(envelope.content)
        return "250 taken"


@pytest.mark.slow
def test_mail_is_handed_on_to_the_smtp_server(tmp_path: Path) -> None:
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        with (
            run_cloud(tmp_path, environment={"EMAIL_URL": f"smtp://127.0.0.1:{controller.port}"}) as cloud,
            client(cloud, "/resend", cloud.keys["resend"]) as resend,
        ):
            body = mail(subject="Grüße", html="<b>Hi</b>")
            assert settled(resend, resend.post("/emails", json=body).json()["id"])["last_event"] == "delivered"
            unknown = resend.post("/emails", json=mail(to="nobody@example.com")).json()["id"]
            assert settled(resend, unknown)["last_event"] == "bounced"
            assert "no such user here" in cloud.operator("GET", f"api/mail/{unknown}")["trouble"]
            controller.stop()
            again = resend.post("/emails", json=body).json()["id"]
            assert settled(resend, again)["last_event"] == "failed"
            assert "EMAIL_URL" in cloud.operator("GET", f"api/mail/{again}")["trouble"]
    finally:
        if controller.server is not None:
            controller.stop()
    assert len(inbox.mails) == 1
    assert b"<b>Hi</b>" in inbox.mails[0]


async def test_mail_of_an_older_installation_is_still_there_and_leaves(tmp_path: Path) -> None:
    """A state file from before mails were `sent` and webhooks existed opens, and what was waiting in it leaves."""
    body = mail(to=["ben@example.com"], cc=[], bcc=[], reply_to=[], html=None, headers={}, tags=[], attachments=[])
    with contextlib.closing(sqlite3.connect(tmp_path / "state.sqlite3")) as state, state:
        state.executescript(
            "CREATE TABLE resend_emails (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sender TEXT NOT NULL,"
            " created_at TEXT NOT NULL, due_at TEXT NOT NULL, last_event TEXT NOT NULL, trouble TEXT,"
            " mail TEXT NOT NULL); CREATE INDEX resend_emails_open ON resend_emails (due_at)"
            " WHERE last_event IN ('queued', 'scheduled');"
        )
        at = "2026-01-01T00:00:00.000000Z"
        state.execute(
            "INSERT INTO resend_emails (id, sender, created_at, due_at, last_event, mail)"
            " VALUES ('old', 'account', ?, ?, 'queued', ?)",
            (at, at, json.dumps(body)),
        )
    told: list[str] = []
    with contextlib.closing(Store(tmp_path / "state.sqlite3")) as store:
        mailbox = Mailbox(store, lambda kind, _data: told.append(kind))
        task = asyncio.create_task(Outbox(mailbox, None).run())
        async with asyncio.timeout(30):
            while mailbox.next_due() is not None:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        kept = mailbox.get("old")
    assert kept is not None
    assert (kept["last_event"], told) == ("delivered", ["email.sent", "email.delivered"])


def test_a_list_of_mails_leaves_out_what_they_say(resend: httpx.Client) -> None:
    mail = {"from": "a@b.co", "to": "c@d.co", "subject": "Listed", "text": "words", "html": "<p>words</p>"}
    sent = resend.post("/emails", json=mail).json()["id"]
    row = next(one for one in resend.get("/emails").json()["data"] if one["id"] == sent)
    whole = resend.get(f"/emails/{sent}").json()
    assert whole["text"] == "words"
    assert set(whole) - set(row) == {"object", "html", "text", "tags"}
    assert {name: whole[name] for name in row if name != "last_event"} == {
        k: v for k, v in row.items() if k != "last_event"
    }
