"""Resend: audiences under both names, keys that only send, mail that arrives once, and its own refusals."""

from __future__ import annotations

import base64
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
import resend as sdk
from aiosmtpd.controller import Controller
from resend.exceptions import ResendError

from embedded.ports import free_port
from tests.fixtures.cloud import CloudUnderTest, run_cloud


def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


def mail(**more: Any) -> dict[str, Any]:
    return {"from": "Ada <ada@example.com>", "to": "ben@example.com", "subject": "Hello", "text": "Hi"} | more


@pytest.fixture
def vendor(well: CloudUnderTest, monkeypatch: pytest.MonkeyPatch) -> CloudUnderTest:
    """The vendor's own client, pointed here."""
    monkeypatch.setattr(sdk, "api_url", f"{well.base_url}/resend")
    monkeypatch.setattr(sdk, "api_key", well.keys["resend"])
    return well


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_vendors_client_works_with_audiences_and_contacts(vendor: CloudUnderTest) -> None:
    audience = sdk.Audiences.create({"name": name()})["id"]
    assert sdk.Audiences.get(audience)["id"] == audience
    made = sdk.Contacts.create({"audience_id": audience, "email": "ada@example.com", "first_name": "Ada"})
    listed = sdk.Contacts.list(audience)["data"]
    assert [(contact["email"], contact["first_name"]) for contact in listed] == [("ada@example.com", "Ada")]
    sdk.Contacts.update({"audience_id": audience, "email": "ada@example.com", "unsubscribed": True})
    assert sdk.Contacts.get(audience_id=audience, id=made["id"])["unsubscribed"] is True
    sdk.Contacts.remove(audience, email="ada@example.com")
    assert sdk.Contacts.list(audience)["data"] == []
    assert sdk.Audiences.remove(audience)["deleted"] is True
    with pytest.raises(ResendError, match="not found"):
        sdk.Audiences.remove(audience)


def test_a_sending_key_sends_and_does_nothing_else(vendor: CloudUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    key = sdk.ApiKeys.create({"name": name(), "permission": "sending_access"})
    monkeypatch.setattr(sdk, "api_key", key["token"])
    assert sdk.Emails.send(mail())["id"]
    with pytest.raises(ResendError) as refused:
        sdk.ApiKeys.list()
    assert refused.value.error_type == "restricted_api_key"
    monkeypatch.setattr(sdk, "api_key", vendor.keys["resend"])
    listed = next(item for item in sdk.ApiKeys.list()["data"] if item["id"] == key["id"])
    assert listed["last_used_at"]
    assert "permission" not in listed
    assert "token" not in listed
    sdk.ApiKeys.remove(key["id"])
    monkeypatch.setattr(sdk, "api_key", key["token"])
    with pytest.raises(ResendError, match="API key is invalid"):
        sdk.Emails.send(mail())


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
    first = resend.post("/emails", json=mail(to=to), headers=headers)
    again = resend.post("/emails", json=mail(to=to), headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert len(well.operator("GET", f"api/mail?to={to}")) == 1
    other = resend.post("/emails", json=mail(to=to, subject="Else"), headers=headers)
    assert (other.status_code, other.json()["name"]) == (409, "invalid_idempotent_request")
    long = resend.post("/emails", json=mail(), headers={"Idempotency-Key": "x" * 257})
    assert (long.status_code, long.json()["name"]) == (400, "invalid_idempotency_key")


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
    deadline = time.monotonic() + 5
    while (kept := resend.get(f"/emails/{sent}").json())["last_event"] == "queued" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert kept["last_event"] == "delivered"
    assert (kept["to"], kept["cc"], kept["html"]) == (["ben@example.com"], ["sam@example.com"], "<b>Hi</b>")
    whole = well.operator("GET", f"api/mail/{sent}")
    assert whole["attachments"] == [{"filename": "a.txt", "content": content, "content_type": ""}]
    bounced = resend.post("/emails", json=mail(to="bounced@resend.dev")).json()["id"]
    time.sleep(0.2)
    assert resend.get(f"/emails/{bounced}").json()["last_event"] == "bounced"


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
    assert (wrong.status_code, wrong.json()["message"]) == (401, "API key is invalid")
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
    """An SMTP server that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        self.mails.append(envelope.content)
        return "250 taken"


@pytest.mark.slow
def test_mail_is_handed_on_to_the_smtp_server(tmp_path: Path) -> None:
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        with run_cloud(tmp_path, environment={"EMAIL_URL": f"smtp://127.0.0.1:{controller.port}"}) as cloud:
            headers = {"Authorization": f"Bearer {cloud.keys['resend']}"}
            body = mail(subject="Grüße", html="<b>Hi</b>")
            sent = httpx.post(f"{cloud.base_url}/resend/emails", json=body, headers=headers).json()["id"]
            deadline = time.monotonic() + 10
            while cloud.operator("GET", f"api/mail/{sent}")["last_event"] == "queued" and time.monotonic() < deadline:
                time.sleep(0.05)
            assert cloud.operator("GET", f"api/mail/{sent}")["last_event"] == "delivered"
            controller.stop()
            again = httpx.post(f"{cloud.base_url}/resend/emails", json=body, headers=headers).json()["id"]
            while cloud.operator("GET", f"api/mail/{again}")["last_event"] == "queued" and time.monotonic() < deadline:
                time.sleep(0.05)
            failed = cloud.operator("GET", f"api/mail/{again}")
            assert failed["last_event"] == "failed"
            assert "EMAIL_URL" in failed["trouble"]
    finally:
        if controller.server is not None:
            controller.stop()
    assert len(inbox.mails) == 1
    assert b"<b>Hi</b>" in inbox.mails[0]


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
