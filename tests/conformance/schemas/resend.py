"""Resend's contract: replies by the types of npm `resend`, requests by those of PyPI `resend`, which has the wire's
names for their members.

The npm client has forgotten `/audiences`, which the PyPI client still describes. Where the two contradict each other,
or neither has a type, the schema is in our own words, after the vendor's API reference.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, NotRequired

import resend
from resend.audiences._audience import Audience
from resend.webhooks._webhook import WebhookEvent
from typing_extensions import TypedDict

from tests.conformance.schemas.contract import JSON, Contract, Operation, Routes
from tests.conformance.schemas.models import closed
from tests.conformance.schemas.published import book
from tests.conformance.schemas.schema import Book, Schema


class _Own(TypedDict):
    """In our own words."""


class AudienceCreated(_Own):
    object: Literal["audience"]
    id: str
    name: str


class AudienceShown(Audience):
    object: Literal["audience"]


class AudienceList(_Own):
    object: Literal["list"]
    data: list[Audience]


class AudienceRemoved(_Own):
    object: Literal["audience"]
    id: str
    deleted: Literal[True]


class SegmentCreated(_Own):
    """The API reference lists no name, both clients do."""

    object: Literal["segment"]
    id: str
    name: str


class BatchFailure(_Own):
    index: int
    message: str


class BatchItem(_Own):
    id: str


class BatchSent(_Own):
    data: list[BatchItem]


class BatchJudged(BatchSent):
    """With `x-batch-validation: permissive`."""

    errors: list[BatchFailure]


class ContactRemoved(_Own):
    """The API reference names `id`, npm `resend` names `contact`, PyPI `resend` both."""

    object: Literal["contact"]
    id: str
    contact: str
    deleted: Literal[True]


class ContactJoined(_Own):
    """Both clients read `id`, the API reference names the three others."""

    id: str
    object: Literal["contact_segment"]
    contact_id: str
    segment_id: str


class ContactLeft(ContactJoined):
    deleted: Literal[True]


class EmailTime(_Own):
    """PyPI `resend` sends the mail's id along, which stands in the path."""

    id: NotRequired[str]
    scheduled_at: str


class WebhookChange(_Own, total=False):
    """PyPI `resend` sends the webhook's id along, which stands in the path."""

    webhook_id: str
    endpoint: str
    events: list[WebhookEvent]
    status: Literal["enabled", "disabled"]


# Of PyPI `resend` and in our own words.
TYPES: dict[str, Any] = {
    "AudienceCreated": AudienceCreated,
    "AudienceList": AudienceList,
    "AudienceRemoved": AudienceRemoved,
    "AudienceShown": AudienceShown,
    "BatchSent": BatchSent | BatchJudged,
    "ContactJoined": ContactJoined,
    "ContactLeft": ContactLeft,
    "ContactRemoved": ContactRemoved,
    "SegmentCreated": SegmentCreated,
    "api key": resend.ApiKeys.CreateParams,
    "api key's name": resend.Segments.UpdateParams,
    "audience": resend.Audiences.CreateParams,
    "batch": list[resend.Emails.SendParams],
    "contact": resend.Contacts.CreateParams,
    "contact's change": resend.Contacts.UpdateParams,
    "email": resend.Emails.SendParams,
    "email's time": EmailTime,
    "segment": resend.Segments.CreateParams,
    "segment's name": resend.Segments.UpdateParams,
    "webhook": resend.Webhooks.CreateParams,
    "webhook's change": WebhookChange,
}
# Method, path, request, status, reply: a name of TYPES, or of `Resend` in `npm/schemas.ts`.
CONTACTS = (
    ("POST", "", "contact", 201, "CreateContact"),
    ("GET", "", None, 200, "ListContacts"),
    ("GET", "/{contact}", None, 200, "GetContact"),
    ("PATCH", "/{contact}", "contact's change", 200, "UpdateContact"),
    ("DELETE", "/{contact}", None, 200, "ContactRemoved"),
)
OPERATIONS = (
    ("POST", "/emails", "email", 200, "CreateEmail"),
    ("POST", "/emails/batch", "batch", 200, "BatchSent"),
    ("GET", "/emails", None, 200, "ListEmails"),
    ("GET", "/emails/{id}", None, 200, "GetEmail"),
    ("PATCH", "/emails/{id}", "email's time", 200, "UpdateEmail"),
    ("POST", "/emails/{id}/cancel", None, 200, "CancelEmail"),
    ("POST", "/api-keys", "api key", 201, "CreateApiKey"),
    ("GET", "/api-keys", None, 200, "ListApiKeys"),
    ("PATCH", "/api-keys/{id}", "api key's name", 200, "UpdateApiKey"),
    ("DELETE", "/api-keys/{id}", None, 200, "RemoveApiKey"),
    ("POST", "/audiences", "audience", 201, "AudienceCreated"),
    ("GET", "/audiences", None, 200, "AudienceList"),
    ("GET", "/audiences/{id}", None, 200, "AudienceShown"),
    ("DELETE", "/audiences/{id}", None, 200, "AudienceRemoved"),
    ("POST", "/segments", "segment", 201, "SegmentCreated"),
    ("GET", "/segments", None, 200, "ListSegments"),
    ("GET", "/segments/{id}", None, 200, "GetSegment"),
    ("PATCH", "/segments/{id}", "segment's name", 200, "UpdateSegment"),
    ("DELETE", "/segments/{id}", None, 200, "RemoveSegment"),
    ("POST", "/webhooks", "webhook", 201, "CreateWebhook"),
    ("GET", "/webhooks", None, 200, "ListWebhooks"),
    ("GET", "/webhooks/{id}", None, 200, "GetWebhook"),
    ("PATCH", "/webhooks/{id}", "webhook's change", 200, "UpdateWebhook"),
    ("DELETE", "/webhooks/{id}", None, 200, "RemoveWebhook"),
    ("POST", "/webhooks/{id}/signing-secret/rotate", None, 200, "RotateWebhookSigningSecret"),
    ("GET", "/webhooks/{id}/events", None, 200, "ListWebhookEvents"),
    ("GET", "/webhooks/{id}/events/{event}", None, 200, "GetWebhookEvent"),
    ("GET", "/webhooks/{id}/events/{event}/attempts", None, 200, "ListWebhookEventAttempts"),
    ("POST", "/webhooks/{id}/events/{event}/replay", None, 200, "ReplayWebhookEvent"),
    ("GET", "/contacts/{contact}/segments", None, 200, "ListContactSegments"),
    ("POST", "/contacts/{contact}/segments/{segment}", None, 200, "ContactJoined"),
    ("DELETE", "/contacts/{contact}/segments/{segment}", None, 200, "ContactLeft"),
    *(
        (method, f"{base}/contacts{path}", request, status, reply)
        for base in ("", "/audiences/{audience}", "/segments/{audience}")
        for method, path, request, status, reply in CONTACTS
    ),
)


def contract() -> Contract:
    """Every operation of `OPERATIONS`; an error of Resend's form may come from any."""
    error = {JSON: _schema("Error")}
    routes: Routes[Operation] = Routes()
    for method, path, request, status, reply in OPERATIONS:
        replies = {str(status): {JSON: _schema(reply)}, "4XX": error, "5XX": error}
        asked = _schema(request) if request else None
        routes.add(method, path, Operation(f"{method} {path}", asked, asked is not None, replies))
    return Contract(routes, error)


def _schema(name: str) -> Schema:
    return _own().at(name) if name in TYPES else book("Resend").at("properties", name)


@cache
def _own() -> Book:
    return closed("resend-own", TYPES)
