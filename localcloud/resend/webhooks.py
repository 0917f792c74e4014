"""Webhooks: who wants to be told of what, and what each was told. Deliveries are made by `deliveries`."""

from __future__ import annotations

import json
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.faults import operation
from localcloud.resend import bodies, endpoints, signing
from localcloud.resend.deliveries import Deliveries
from localcloud.store import Object, stamp

# Every type a webhook may ask for. Mails and contacts are told of here; the others never happen.
HAPPENINGS = (
    ("email", "sent scheduled delivered delivery_delayed complained bounced failed suppressed opened clicked received"),
    ("contact", "created updated deleted topics.updated"),
    ("domain", "created updated deleted"),
    ("suppression", "added removed"),
    ("topic", "created updated deleted"),
)
EVENTS = frozenset(f"{about}.{what}" for about, happenings in HAPPENINGS for what in happenings.split())
STATUSES = ("enabled", "disabled")
OLD_SECRET = timedelta(hours=24)


class Webhooks:
    """Handlers of `/webhooks`."""

    def __init__(self, cloud: Cloud, deliveries: Deliveries) -> None:
        self._store, self._deliveries = cloud.store, deliveries
        self._allowed = cloud.config.webhook_hosts

    def _one(self, request: web.Request) -> Object:
        found = self._store.get("resend", "webhook", request.match_info["id"])
        if found is None:
            raise bodies.not_found("Webhook")
        return found

    def _event(self, request: web.Request) -> sqlite3.Row:
        found = self._deliveries.event(self._one(request).id, request.match_info["event"])
        if found is None:
            raise bodies.not_found("Webhook event")
        return found

    def _endpoint(self, wished: dict[str, Any]) -> str:
        given = bodies.text(wished, "endpoint", longest=endpoints.LONGEST)
        try:
            endpoints.check(given, self._allowed)
        except endpoints.EndpointError as error:
            raise bodies.invalid(str(error)) from error
        return given

    # The webhooks themselves

    @operation("resend", "create_webhook")
    async def create(self, request: web.Request) -> web.Response:
        wished = await bodies.read_object(request)
        endpoint, events = self._endpoint(wished), _events(wished)
        data = {"endpoint": endpoint, "events": events, "status": "enabled", "secret": signing.new_secret()}
        made = self._store.add("resend", "webhook", str(uuid.uuid4()), endpoint, data)
        answer = {"object": "webhook", "id": made.id, "signing_secret": data["secret"]}
        return web.json_response(answer, status=201)

    @operation("resend", "list_webhooks")
    async def all(self, request: web.Request) -> web.Response:
        every = self._store.all("resend", "webhook")[::-1]
        found, more = bodies.page(request.query, every, lambda item: item.id)
        return bodies.listed([_row(item) for item in found], more)

    @operation("resend", "get_webhook")
    async def get(self, request: web.Request) -> web.Response:
        found = self._one(request)
        return web.json_response({"object": "webhook"} | _row(found) | {"signing_secret": found.data["secret"]})

    @operation("resend", "update_webhook")
    async def update(self, request: web.Request) -> web.Response:
        found, wished = self._one(request), await bodies.read_object(request)
        changes: dict[str, Any] = {}
        if "endpoint" in wished:
            changes["endpoint"] = self._endpoint(wished)
        if "events" in wished:
            changes["events"] = _events(wished)
        if "status" in wished:
            if wished["status"] not in STATUSES:
                raise bodies.invalid(f"The `status` field must be one of: {', '.join(STATUSES)}.")
            changes["status"] = wished["status"]
        with self._store.transaction():
            self._store.update("resend", "webhook", found.id, **changes)
            self._store.rename("resend", "webhook", found.id, changes.get("endpoint", found.name))
        return web.json_response({"object": "webhook", "id": found.id})

    @operation("resend", "delete_webhook")
    async def delete(self, request: web.Request) -> web.Response:
        found = self._one(request)
        with self._store.transaction():
            self._store.delete("resend", "webhook", found.id)
            self._deliveries.forget(found.id)
        return web.json_response({"object": "webhook", "id": found.id, "deleted": True})

    @operation("resend", "rotate_webhook_secret")
    async def rotate(self, request: web.Request) -> web.Response:
        """A new secret; for a day deliveries are signed with the old one as well."""
        found = self._one(request)
        changed = self._store.update(
            "resend",
            "webhook",
            found.id,
            secret=signing.new_secret(),
            previous_secret=found.data["secret"],
            previous_until=stamp(datetime.now(UTC) + OLD_SECRET),
        )
        return web.json_response({"object": "webhook", "id": found.id, "signing_secret": changed.data["secret"]})

    # What it was told

    @operation("resend", "list_webhook_events")
    async def events(self, request: web.Request) -> web.Response:
        every = self._deliveries.events(self._one(request).id)
        found, more = bodies.page(request.query, every, lambda row: str(row["id"]))
        return bodies.listed([_told(row) for row in found], more)

    @operation("resend", "get_webhook_event")
    async def event(self, request: web.Request) -> web.Response:
        row = self._event(request)
        more = {"next_attempt_at": row["next_at"], "payload": json.loads(row["payload"])}
        return web.json_response({"object": "webhook_event"} | _told(row) | more)

    @operation("resend", "list_webhook_event_attempts")
    async def attempts(self, request: web.Request) -> web.Response:
        every = self._deliveries.attempts(self._event(request)["number"])
        found, more = bodies.page(request.query, every, lambda row: str(row["id"]))
        kept = ("id", "http_status_code", "response", "sent_at")
        return bodies.listed([{name: row[name] for name in kept} for row in found], more)

    @operation("resend", "replay_webhook_event")
    async def replay(self, request: web.Request) -> web.Response:
        row = self._event(request)
        self._deliveries.replay(row["number"])
        return web.json_response({"object": "webhook_event", "id": row["id"]})


def _events(wished: dict[str, Any]) -> list[str]:
    given = wished.get("events")
    if given is None:
        raise bodies.missing("events")
    if not isinstance(given, list) or not given:
        raise bodies.invalid("The `events` field must be a list of at least one event type.")
    for item in given:
        if item not in EVENTS:
            raise bodies.invalid(f"The `events` field holds an unknown event type: {item}.")
    return sorted(set(given), key=given.index)


def _row(found: Object) -> dict[str, Any]:
    shown = {"id": found.id, "created_at": bodies.moment(found.created_at)}
    return shown | {member: found.data[member] for member in ("status", "endpoint", "events")}


def _told(row: sqlite3.Row) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "type", "created_at", "status")}
