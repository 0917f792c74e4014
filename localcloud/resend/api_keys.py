"""API keys: a token shown once and kept as a hash, with full access or for sending only."""

from __future__ import annotations

import hashlib
import uuid

from aiohttp import web

from localcloud.cloud import Cloud
from localcloud.faults import operation
from localcloud.keys import token
from localcloud.operator import same
from localcloud.resend import bodies
from localcloud.store import Object, now

PERMISSIONS = ("full_access", "sending_access")
LONGEST_NAME = 50


class ApiKeys:
    """Handlers of `/api-keys`, and who a request's key makes the caller."""

    def __init__(self, cloud: Cloud) -> None:
        self._store = cloud.store
        self._account = cloud.keys.resend

    def check(self, request: web.Request, *, sending: bool) -> str:
        """Who calls: a key's id, or `account`. Raises `RefusedError` where Resend would refuse the key."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        given = given.strip()
        if scheme.lower() != "bearer" or not given:
            raise bodies.RefusedError(401, "missing_api_key", "Missing API Key")
        if same(given, self._account):
            return "account"
        found = self._owner(given)
        if found is None:
            raise bodies.RefusedError(401 if sending else 400, "validation_error", "API key is invalid")
        if found.data["permission"] == "sending_access" and not sending:
            raise bodies.RefusedError(401, "restricted_api_key", "This API key is restricted to only send emails")
        self._store.update("resend", "api_key", found.id, last_used_at=now())
        return found.id

    def _owner(self, given: str) -> Object | None:
        digest = _digest(given)
        rows = self._store.query(
            "SELECT id FROM objects WHERE vendor = 'resend' AND kind = 'api_key' AND deleted_at IS NULL"
            " AND json_extract(data, '$.digest') = ?",
            (digest,),
        )
        return self._store.get("resend", "api_key", rows[0]["id"]) if rows else None

    def _one(self, request: web.Request) -> Object:
        found = self._store.get("resend", "api_key", request.match_info["id"])
        if found is None:
            raise bodies.not_found("API key")
        return found

    @operation("resend", "create_api_key")
    async def create(self, request: web.Request) -> web.Response:
        wished = await bodies.read_object(request)
        name = bodies.text(wished, "name", longest=LONGEST_NAME)
        permission = wished.get("permission") or "full_access"
        if permission not in PERMISSIONS:
            raise bodies.RefusedError(422, "invalid_access", f"Access must be one of: {', '.join(PERMISSIONS)}")
        domain = wished.get("domain_id")
        if not isinstance(domain, str | None):
            raise bodies.invalid("The `domain_id` field must be a string.")
        secret = f"re_{token(8)}_{token(24)}"
        data = {"digest": _digest(secret), "permission": permission, "last_used_at": None}
        if permission == "sending_access":
            data["domain_id"] = domain
        made = self._store.add("resend", "api_key", str(uuid.uuid4()), name, data)
        return web.json_response({"id": made.id, "token": secret}, status=201)

    @operation("resend", "list_api_keys")
    async def all(self, request: web.Request) -> web.Response:
        every = self._store.all("resend", "api_key")[::-1]
        found, more = bodies.page(request.query, every, lambda item: item.id)
        return bodies.listed(
            [
                {
                    "id": item.id,
                    "name": item.name,
                    "created_at": bodies.moment(item.created_at),
                    "last_used_at": bodies.moment(item.data["last_used_at"]) if item.data["last_used_at"] else None,
                }
                for item in found
            ],
            more,
        )

    @operation("resend", "update_api_key")
    async def update(self, request: web.Request) -> web.Response:
        found = self._one(request)
        wished = await bodies.read_object(request)
        self._store.rename("resend", "api_key", found.id, bodies.text(wished, "name", longest=LONGEST_NAME))
        return web.json_response({"object": "api_key", "id": found.id})

    @operation("resend", "delete_api_key")
    async def delete(self, request: web.Request) -> web.Response:
        found = self._one(request)
        self._store.delete("resend", "api_key", found.id)
        return web.json_response({"object": "api_key", "id": found.id, "deleted": True})


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
