"""Reading what PostHog's clients send: three encodings of three shapes.

Encodings: JSON, gzip (recognized by its first bytes, since browsers send it as `text/plain` without saying so), and a
form field `data` with base64. Shapes: one event, a list of events, and an envelope `{api_key, batch, sent_at}`. The key
may stand in the envelope, in each event as `api_key` or `token`, or in its properties.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
import uuid
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from localcloud import json_text

KEY = re.compile(r"[A-Za-z0-9_-]{4,200}")
MOST_BYTES = 20 * 1024 * 1024
MOST_EVENTS = 10_000
LONGEST_NAME = 200


class BadPayloadError(ValueError):
    """A payload the capture service refuses, with the status it uses; the message is its plain-text body."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is stored. `timestamp` is ISO 8601 in UTC."""

    uuid: str
    event: str
    distinct_id: str
    timestamp: str
    properties: dict[str, Any]

    @property
    def groups(self) -> dict[str, str]:
        """Group types and keys the event belongs to."""
        named = self.properties.get("$groups")
        found = {str(kind): str(key) for kind, key in named.items()} if isinstance(named, dict) else {}
        if self.event == "$groupidentify":
            kind, key = self.properties.get("$group_type"), self.properties.get("$group_key")
            if isinstance(kind, str) and isinstance(key, str | int):
                found[kind] = str(key)
        return found


def decode(body: bytes, content_type: str, query: dict[str, str]) -> Any:
    """The JSON a request carries, whichever way it is packed. Raises `BadPayloadError`."""
    if not body and "data" in query:
        body = query["data"].encode()
        return _json(_unpack(body))
    if content_type == "application/x-www-form-urlencoded" or body.startswith(b"data="):
        fields = parse_qs(body.decode("latin-1"), max_num_fields=20)
        if "data" not in fields:
            raise BadPayloadError("failed to decode request: no data in the form")
        body = fields["data"][0].encode("latin-1")
    return _json(_unpack(body))


def _unpack(body: bytes) -> bytes:
    """Undo base64 and gzip in whichever order they were applied."""
    for _ in range(3):
        if body.startswith(b"\x1f\x8b"):
            body = _gunzip(body)
        elif body.lstrip()[:1] in (b"{", b"["):
            break
        else:
            try:
                body = base64.b64decode(re.sub(rb"\s", b"+", body), validate=True)
            except binascii.Error as error:
                raise BadPayloadError("failed to decode request: invalid base64 value") from error
    return body


def _gunzip(body: bytes) -> bytes:
    unpacking = zlib.decompressobj(31)
    try:
        unpacked = unpacking.decompress(body, MOST_BYTES)
    except zlib.error as error:
        raise BadPayloadError("failed to decode request: invalid GZIP data") from error
    if unpacking.unconsumed_tail:
        raise BadPayloadError("event is too big: unpacked it is more than 20 MB", 413)
    return unpacked


def _json(body: bytes) -> Any:
    if not body:
        raise BadPayloadError("failed to decode request: request has an empty payload")
    try:
        return json_text.read(body)
    except ValueError as error:
        raise BadPayloadError("failed to parse request: invalid JSON") from error


def read(payload: Any) -> tuple[str, list[Event]]:
    """The project key and the events of a payload. Raises `BadPayloadError`."""
    envelope: dict[str, Any] = {}
    if isinstance(payload, dict) and isinstance(payload.get("batch"), list):
        envelope, found = payload, payload["batch"]
    else:
        found = payload if isinstance(payload, list) else [payload]
    if not found:
        raise BadPayloadError("empty batch of events")
    if len(found) > MOST_EVENTS or not all(isinstance(item, dict) for item in found):
        raise BadPayloadError("failed to parse request: events must be objects")
    given = [key for item in [*found, envelope] if (key := _key(item))]
    if not given:
        raise BadPayloadError("event submitted without an api_key", 401)
    for key in given:
        check_key(key)
    if len(set(given)) > 1:
        raise BadPayloadError("all events in a batch must have the same api_key", 401)
    key = given[0]
    sent_at = _moment(envelope.get("sent_at"))
    return key, [_event(item, sent_at) for item in found]


def check_key(key: Any) -> None:
    """Refuse what cannot be a project key. Raises `BadPayloadError`."""
    if not isinstance(key, str) or not KEY.fullmatch(key) or key.startswith("phx_"):
        raise BadPayloadError("event submitted with an invalid api_key", 401)


def _key(item: dict[str, Any]) -> Any:
    properties = item.get("properties")
    inner = properties.get("token") if isinstance(properties, dict) else None
    return item.get("api_key") or item.get("token") or inner


def _event(item: dict[str, Any], sent_at: datetime | None) -> Event:
    name = item.get("event")
    if not isinstance(name, str) or not name:
        raise BadPayloadError("event submitted without an event name")
    properties = item.get("properties")
    properties = dict(properties) if isinstance(properties, dict) else {}
    distinct_id = item.get("distinct_id", item.get("$distinct_id", properties.pop("distinct_id", None)))
    if isinstance(distinct_id, str) and distinct_id:
        distinct_id = distinct_id[:LONGEST_NAME]
    elif isinstance(distinct_id, int | float):
        distinct_id = json.dumps(distinct_id)
    else:
        raise BadPayloadError("event submitted without a distinct_id")
    for member in ("$set", "$set_once"):
        if member in item and member not in properties:
            properties[member] = item[member]
    properties.pop("token", None)
    return Event(
        uuid=_uuid(item.get("uuid")),
        event=name[:LONGEST_NAME],
        distinct_id=distinct_id,
        timestamp=_when(item, sent_at),
        properties=properties,
    )


def _uuid(given: Any) -> str:
    try:
        return str(uuid.UUID(given))
    except (ValueError, TypeError, AttributeError):
        return str(uuid.uuid4())


def _when(item: dict[str, Any], sent_at: datetime | None) -> str:
    """When the event happened by our clock: a client's clock is corrected by when it says it sent the event."""
    moment, happened = datetime.now(UTC), _moment(item.get("timestamp"))
    if happened is not None and sent_at is not None:
        with contextlib.suppress(OverflowError):  # clocks that are whole ages apart are not worth correcting
            happened = moment - (sent_at - happened)
    elif happened is None and isinstance(item.get("offset"), int | float):
        happened = moment - timedelta(milliseconds=min(max(item["offset"], 0), 86_400_000))
    found = happened or moment
    return found.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(given: Any) -> datetime | None:
    if not isinstance(given, str):
        return None
    try:
        moment = datetime.fromisoformat(given)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
