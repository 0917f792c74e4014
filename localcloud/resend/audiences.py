"""Audiences and segments: one store under two names, with ids that work in both families."""

from __future__ import annotations

import uuid

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.faults import operation
from localcloud.resend import bodies
from localcloud.resend.contacts import Contacts
from localcloud.store import Object


class Audiences:
    """Handlers of `/audiences` and `/segments`."""

    def __init__(self, cloud: Cloud, contacts: Contacts) -> None:
        self._store = cloud.store
        self._contacts = contacts

    async def _make(self, request: web.Request) -> Object:
        name = bodies.text(await bodies.read_object(request), "name")
        return self._store.add("resend", "audience", str(uuid.uuid4()), name)

    def _one(self, request: web.Request, what: str) -> Object:
        found = self._store.get("resend", "audience", request.match_info["id"])
        if found is None:
            raise bodies.not_found(what)
        return found

    def _remove(self, request: web.Request, what: str) -> Object:
        found = self._one(request, what)
        with self._store.transaction():
            self._store.delete("resend", "audience", found.id)
            self._contacts.forget_segment(found.id)
        return found

    @staticmethod
    def _row(found: Object) -> dict[str, str]:
        return {"id": found.id, "name": found.name, "created_at": bodies.moment(found.created_at)}

    @operation("resend", "create_audience")
    async def create_audience(self, request: web.Request) -> web.Response:
        made = await self._make(request)
        return web.json_response({"object": "audience", "id": made.id, "name": made.name}, status=201)

    @operation("resend", "list_audiences")
    async def list_audiences(self, _request: web.Request) -> web.Response:
        rows = [self._row(found) for found in reversed(self._store.all("resend", "audience"))]
        return web.json_response({"object": "list", "data": rows})

    @operation("resend", "get_audience")
    async def get_audience(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "audience"} | self._row(self._one(request, "Audience")))

    @operation("resend", "delete_audience")
    async def delete_audience(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "audience", "id": self._remove(request, "Audience").id, "deleted": True})

    @operation("resend", "create_segment")
    async def create_segment(self, request: web.Request) -> web.Response:
        made = await self._make(request)
        return web.json_response({"object": "segment", "id": made.id, "name": made.name}, status=201)

    @operation("resend", "list_segments")
    async def list_segments(self, request: web.Request) -> web.Response:
        every = self._store.all("resend", "audience")[::-1]
        found, more = bodies.page(request.query, every, lambda item: item.id)
        return bodies.listed([self._row(item) for item in found], more)

    @operation("resend", "get_segment")
    async def get_segment(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "segment"} | self._row(self._one(request, "Segment")))

    @operation("resend", "update_segment")
    async def update_segment(self, request: web.Request) -> web.Response:
        found = self._one(request, "Segment")
        self._store.rename("resend", "audience", found.id, bodies.text(await bodies.read_object(request), "name"))
        return web.json_response({"object": "segment", "id": found.id})

    @operation("resend", "delete_segment")
    async def delete_segment(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "segment", "id": self._remove(request, "Segment").id, "deleted": True})
