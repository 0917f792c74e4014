"""Resend as its Python client sees it: mail, keys, audiences and contacts, webhooks, each made, used and taken away."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import resend as sdk
from resend.exceptions import RateLimitError, ResendError

from tests.conformance.conftest import Exercised
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.endpoint import listening

pytestmark = pytest.mark.client("resend", "resend (Python)")


def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


def mail(**more: Any) -> Any:
    return {"from": "Ada <ada@example.com>", "to": "ben@example.com", "subject": "Hello", "text": "Hi"} | more


@pytest.fixture
def vendor(well: CloudUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudUnderTest]:
    """The client, pointed here; rate limits are taken away again afterwards."""
    monkeypatch.setattr(sdk, "api_url", f"{well.base_url}/resend")
    monkeypatch.setattr(sdk, "api_key", well.keys["resend"])
    yield well
    well.operator("DELETE", "limits")


def settled(sent: str) -> Any:
    """The mail once something has become of it."""
    deadline = time.monotonic() + 60
    while (kept := sdk.Emails.get(sent))["last_event"] in ("queued", "sent"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return kept


def test_mail_is_sent_listed_and_read_again(vendor: CloudUnderTest, exercised: Exercised) -> None:
    made = [sdk.Emails.send(mail(subject=f"Mail {number}"))["id"] for number in range(3)]
    exercised("emails.send")
    assert settled(made[0])["subject"] == "Mail 0"
    exercised("emails.get")
    first = sdk.Emails.list({"limit": 2})
    assert ([one["id"] for one in first["data"]], first["has_more"]) == ([made[2], made[1]], True)
    second = sdk.Emails.list({"limit": 1, "after": made[1]})
    assert [one["id"] for one in second["data"]] == [made[0]]
    before = sdk.Emails.list({"limit": 1, "before": made[1]})
    assert [one["id"] for one in before["data"]] == [made[2]]
    exercised("emails.list")
    assert settled(sdk.Emails.send(mail(to="bounced@resend.dev"))["id"])["last_event"] == "bounced"
    with pytest.raises(ResendError) as refused:
        sdk.Emails.get(str(uuid.uuid4()))
    assert (refused.value.code, refused.value.error_type) == (404, "not_found")


def test_scheduled_mail_is_moved_and_cancelled(vendor: CloudUnderTest, exercised: Exercised) -> None:
    sent = sdk.Emails.send(mail(scheduled_at="in 1 hour"))["id"]
    assert sdk.Emails.update({"id": sent, "scheduled_at": "2026-12-24T18:00:00.000Z"})["id"] == sent
    exercised("emails.update")
    assert sdk.Emails.cancel(sent)["id"] == sent
    exercised("emails.cancel")
    assert sdk.Emails.get(sent)["last_event"] == "canceled"


def test_a_batch_and_its_idempotency_key(vendor: CloudUnderTest, exercised: Exercised) -> None:
    options: Any = {"idempotency_key": uuid.uuid4().hex}
    first = sdk.Batch.send([mail(), mail()], options)
    assert [one["id"] for one in sdk.Batch.send([mail(), mail()], options)["data"]] == [
        one["id"] for one in first["data"]
    ]
    with pytest.raises(ResendError) as refused:
        sdk.Batch.send([mail()], options)
    assert (refused.value.code, refused.value.error_type) == (409, "invalid_idempotent_request")
    some = sdk.Batch.send([mail(), mail(to="nonsense")], {"batch_validation": "permissive"})
    assert (len(some["data"]), [one["index"] for one in some["errors"]]) == (1, [1])
    exercised("batch.send")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_audience_and_its_contacts(vendor: CloudUnderTest, exercised: Exercised) -> None:
    audience = sdk.Audiences.create({"name": name()})["id"]
    exercised("audiences.create")
    assert sdk.Audiences.get(audience)["id"] == audience
    exercised("audiences.get")
    assert audience in [one["id"] for one in sdk.Audiences.list()["data"]]
    exercised("audiences.list")
    made = sdk.Contacts.create({"audience_id": audience, "email": f"{name()}@example.com", "first_name": "Ada"})
    exercised("contacts.create")
    listed = sdk.Contacts.list(audience)["data"]
    assert [(contact["id"], contact["first_name"]) for contact in listed] == [(made["id"], "Ada")]
    exercised("contacts.list")
    sdk.Contacts.update({"audience_id": audience, "id": made["id"], "unsubscribed": True})
    exercised("contacts.update")
    assert sdk.Contacts.get(audience_id=audience, id=made["id"])["unsubscribed"] is True
    exercised("contacts.get")
    sdk.Contacts.remove(audience, id=made["id"])
    exercised("contacts.remove")
    assert sdk.Contacts.list(audience)["data"] == []
    assert sdk.Audiences.remove(audience)["deleted"] is True
    exercised("audiences.remove")
    with pytest.raises(ResendError, match="not found"):
        sdk.Audiences.remove(audience)


def test_a_sending_key_sends_and_does_nothing_else(
    vendor: CloudUnderTest, monkeypatch: pytest.MonkeyPatch, exercised: Exercised
) -> None:
    made = [sdk.ApiKeys.create({"name": name(), "permission": "sending_access"}) for _ in range(2)]
    key = made[0]
    exercised("api_keys.create")
    monkeypatch.setattr(sdk, "api_key", key["token"])
    assert sdk.Emails.send(mail())["id"]
    for refused_call in (sdk.ApiKeys.list, sdk.Emails.list, sdk.Webhooks.list):
        with pytest.raises(ResendError) as refused:
            refused_call()
        assert (refused.value.code, refused.value.error_type) == (401, "restricted_api_key")
    monkeypatch.setattr(sdk, "api_key", vendor.keys["resend"])
    page = sdk.ApiKeys.list({"limit": 1, "after": made[1]["id"]})
    assert [one["id"] for one in page["data"]] == [key["id"]]
    exercised("api_keys.list")
    assert page["data"][0]["last_used_at"]
    assert not {"permission", "token"} & set(page["data"][0])
    for one in made:
        sdk.ApiKeys.remove(one["id"])
    exercised("api_keys.remove")
    monkeypatch.setattr(sdk, "api_key", key["token"])
    with pytest.raises(ResendError, match="API key is invalid"):
        sdk.Emails.send(mail())


def test_a_webhook_is_told_and_its_signature_verified(vendor: CloudUnderTest, exercised: Exercised) -> None:
    with listening() as endpoint:
        events: Any = ["email.delivered"]
        made = sdk.Webhooks.create({"endpoint": endpoint.url, "events": events})
        exercised("webhooks.create")
        assert made["id"] in [one["id"] for one in sdk.Webhooks.list({"limit": 100})["data"]]
        exercised("webhooks.list")
        assert sdk.Webhooks.get(made["id"])["signing_secret"] == made["signing_secret"]
        exercised("webhooks.get")
        sdk.Webhooks.update({"webhook_id": made["id"], "events": ["email.bounced"], "status": "enabled"})
        exercised("webhooks.update")
        sent = sdk.Emails.send(mail(to="bounced@resend.dev"))["id"]
        (told,) = endpoint.wait(lambda got: len(got) == 1)
        headers: Any = {part: told.headers[f"svix-{part}"] for part in ("id", "timestamp", "signature")}
        check: Any = {"payload": told.body, "headers": headers, "webhook_secret": made["signing_secret"]}
        verified: Any = sdk.Webhooks.verify(check)
        assert (verified["type"], verified["data"]["email_id"]) == ("email.bounced", sent)
        with pytest.raises(ValueError, match="no matching signature"):
            sdk.Webhooks.verify(check | {"payload": told.body.replace("bounced@", "mallory@")})
        exercised("webhooks.verify")
        (event,) = sdk.Webhooks.list_events(made["id"])["data"]
        exercised("webhooks.list_events")
        payload: Any = sdk.Webhooks.get_event(made["id"], event["id"])["payload"]
        assert payload == json.loads(told.body)
        exercised("webhooks.get_event")
        endpoint.wait(lambda _: bool(sdk.Webhooks.list_event_attempts(made["id"], event["id"])["data"]))
        exercised("webhooks.list_event_attempts")
        sdk.Webhooks.replay_event(made["id"], event["id"])
        endpoint.wait(lambda got: len(got) == 2)
        exercised("webhooks.replay_event")
        assert sdk.Webhooks.rotate_signing_secret(made["id"])["signing_secret"] != made["signing_secret"]
        exercised("webhooks.rotate_signing_secret")
        assert sdk.Webhooks.remove(made["id"])["deleted"] is True
        exercised("webhooks.remove")
        with pytest.raises(ResendError, match="not found"):
            sdk.Webhooks.get(made["id"])


def test_a_rate_limit_is_an_error_of_its_own(vendor: CloudUnderTest) -> None:
    vendor.operator("PUT", "limits", {"resend": {"requests": 2, "per_seconds": 30}})
    sdk.Emails.list()
    sdk.Emails.list()
    with pytest.raises(RateLimitError) as refused:
        sdk.Emails.list()
    assert refused.value.error_type == "rate_limit_exceeded"
    assert refused.value.headers["ratelimit-remaining"] == "0"
