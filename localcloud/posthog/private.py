"""The private API: what a personal key may ask of the project. Events, persons, groups, and queries over them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from localcloud import json_text
from localcloud.cloud import Cloud, Handler
from localcloud.faults import operation
from localcloud.limits import LimitForm, Standing
from localcloud.operator import same
from localcloud.posthog.events import Events
from localcloud.posthog.hogql import HogQLError, compile_query
from localcloud.posthog.hogql.sql import moment_of

BASES = ("/posthog/api/projects/{project}", "/posthog/api/environments/{project}")
KINDS = {401: "authentication_error", 404: "invalid_request", 429: "throttled_error"}
MOST_LISTED = 10_000
GROUP = ("group_type_index", "group_key", "group_properties", "created_at")


class RefusedError(Exception):
    """A request the private API would refuse."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code = status, code

    def answer(self) -> web.Response:
        body = {
            "type": KINDS.get(self.status, "validation_error"),
            "code": self.code,
            "detail": str(self),
            "attr": None,
        }
        return web.json_response(body, status=self.status)


def _throttled(standing: Standing) -> web.Response:
    detail = f"Request was throttled. Expected available in {standing.seconds} seconds."
    return RefusedError(429, "throttled", detail).answer()


LIMIT_FORM = LimitForm(refusal=_throttled, headers=lambda _: {})


def setup(app: web.Application, cloud: Cloud, events: Events, personal: str) -> None:
    """Add the routes. *personal* is the personal key of this installation."""
    private = Private(cloud, events, personal)
    routes: tuple[tuple[str, str, Handler], ...] = (
        ("POST", "/query", private.query),
        ("GET", "/events", private.events),
        ("GET", "/events/{id}", private.event),
        ("GET", "/persons", private.persons),
        ("POST", "/persons/bulk_delete", private.delete_persons),
        ("GET", "/persons/{id}", private.person),
        ("DELETE", "/persons/{id}", private.delete_person),
        ("GET", "/groups", private.groups),
        ("GET", "/groups/find", private.group),
        ("GET", "/groups_types", private.group_types),
    )
    for base in BASES:
        for method, path, handler in routes:
            app.router.add_route(method, f"{base}{path}{{slash:/?}}", private.guarded(handler))


class Private:
    """The handlers; each names its operation for faults."""

    def __init__(self, cloud: Cloud, events: Events, personal: str) -> None:
        self._events, self._persons = events, events.persons
        self._keys = (personal, cloud.keys.operator)
        self._base = cloud.base_url

    def guarded(self, handler: Handler) -> Handler:
        """Let only the personal key and the operator in."""

        async def check(request: web.Request) -> web.StreamResponse:
            try:
                self._check(request)
                return await handler(request)
            except RefusedError as refused:
                return refused.answer()

        check.operation = handler.operation  # type: ignore[attr-defined]
        return check

    def _check(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise RefusedError(401, "not_authenticated", "Authentication credentials were not provided.")
        if not any(same(key.strip(), known) for known in self._keys):
            raise RefusedError(401, "authentication_failed", "Personal API key found in request is invalid.")

    # Queries

    @operation("posthog", "query")
    async def query(self, request: web.Request) -> web.Response:
        text, values = _asked(await request.read())
        try:
            compiled = compile_query(text, values)
            found = self._events.select(compiled.statement, compiled.values)
        except HogQLError as error:
            raise RefusedError(400, "invalid_input", str(error)) from error
        except sqlite3.OperationalError as error:
            raise RefusedError(400, "invalid_input", f"localcloud could not run this query: {error}") from error
        return web.json_response(
            {
                "results": compiled.rows(found),
                "columns": compiled.columns,
                "types": [[name, kind] for name, kind in zip(compiled.columns, compiled.types, strict=True)],
                "hogql": text,
                "query": text,
                "hasMore": len(found) > compiled.limit,
                "limit": compiled.limit,
                "offset": compiled.offset,
                "error": None,
                "is_cached": False,
                "timezone": "UTC",
            }
        )

    # Events

    @operation("posthog", "list_events")
    async def events(self, request: web.Request) -> web.Response:
        """Newest first; the next page is what lies before the last of this one."""
        query, limit = request.query, _number(request.query, "limit", 100, MOST_LISTED)
        found = self._events.listed(
            before=_moment(query, "before"),
            after=_moment(query, "after"),
            event=query.get("event"),
            distinct_id=query.get("distinct_id"),
            person=query.get("person_id"),
            limit=limit + 1,
        )
        following = None
        if len(found) > limit:
            following = self._address(request, before=found[limit - 1]["timestamp"])
        return web.json_response({"next": following, "results": [self._event_body(row) for row in found[:limit]]})

    @operation("posthog", "get_event")
    async def event(self, request: web.Request) -> web.Response:
        row = self._events.get(request.match_info["id"])
        if row is None:
            raise RefusedError(404, "not_found", "Not found.")
        return web.json_response(self._event_body(row))

    def _event_body(self, row: Mapping[str, Any]) -> dict[str, Any]:
        person = self._persons.of(row["distinct_id"])
        about = self._person_body(person) if person is not None and person["profile"] else None
        shown = ("is_identified", "distinct_ids", "properties")
        return {
            "id": row["uuid"],
            "distinct_id": row["distinct_id"],
            "properties": row["properties"],
            "event": row["event"],
            "timestamp": row["timestamp"],
            "person": {name: about[name] for name in shown} if about else None,
            "elements": [],
            "elements_chain": "",
        }

    # Persons

    @operation("posthog", "list_persons")
    async def persons(self, request: web.Request) -> web.Response:
        query = request.query
        every = self._persons.listed(distinct_id=query.get("distinct_id"), search=query.get("search") or None)
        return self._page(request, [self._person_body(row) for row in every])

    @operation("posthog", "get_person")
    async def person(self, request: web.Request) -> web.Response:
        return web.json_response(self._person_body(self._known(request.match_info["id"])))

    @operation("posthog", "delete_person")
    async def delete_person(self, request: web.Request) -> web.Response:
        person = self._known(request.match_info["id"])
        self._events.forget([person["id"]], events=request.query.get("delete_events") == "true")
        return web.Response(status=202)

    @operation("posthog", "delete_persons")
    async def delete_persons(self, request: web.Request) -> web.Response:
        try:
            wished = json_text.read(await request.read())
            identities, distinct = list(wished.get("ids") or []), list(wished.get("distinct_ids") or [])
        except (ValueError, AttributeError, TypeError) as error:
            raise RefusedError(400, "invalid_input", "The body must hold ids or distinct_ids.") from error
        if not identities and not distinct:
            raise RefusedError(400, "invalid_input", "You need to specify either distinct_ids or ids")
        found = [self._persons.get(str(one)) for one in identities] + [self._persons.of(str(one)) for one in distinct]
        gone = {str(row["id"]) for row in found if row is not None}
        self._events.forget(sorted(gone), events=wished.get("delete_events") is True)
        return web.json_response({"persons_found": len(gone), "persons_deleted": len(gone)}, status=202)

    def _known(self, identity: str) -> sqlite3.Row:
        found = self._persons.get(identity)
        if found is None:
            raise RefusedError(404, "not_found", "Not found.")
        return found

    def _person_body(self, row: sqlite3.Row) -> dict[str, Any]:
        distinct, properties = self._persons.distinct_ids(row["id"]), json.loads(row["properties"])
        return {
            "id": row["id"],
            "uuid": row["id"],
            "name": properties.get("email") or properties.get("name") or (distinct[0] if distinct else row["id"]),
            "distinct_ids": distinct,
            "properties": properties,
            "created_at": row["created_at"],
            "is_identified": bool(row["is_identified"]),
        }

    # Groups

    @operation("posthog", "list_groups")
    async def groups(self, request: web.Request) -> web.Response:
        found, search = self._groups(request), request.query.get("search", "").lower()
        return self._page(request, [row for row in found if search in row["group_key"].lower()])

    @operation("posthog", "get_group")
    async def group(self, request: web.Request) -> web.Response:
        key = request.query.get("group_key")
        for row in self._groups(request):
            if row["group_key"] == key:
                return web.json_response(row)
        raise RefusedError(404, "not_found", "Not found.")

    @operation("posthog", "list_group_types")
    async def group_types(self, _request: web.Request) -> web.Response:
        nameless = {"name_singular": None, "name_plural": None}
        return web.json_response([kind | nameless for kind in self._events.group_types()])

    def _groups(self, request: web.Request) -> list[dict[str, Any]]:
        found = self._events.groups(_number(request.query, "group_type_index", 0, 4))
        return [{name: group[name] for name in GROUP} for group in found]

    # Pages

    def _page(self, request: web.Request, every: Sequence[dict[str, Any]]) -> web.Response:
        limit = _number(request.query, "limit", 100, MOST_LISTED)
        offset = _number(request.query, "offset", 0, 10**9)
        following = self._address(request, offset=str(offset + limit)) if offset + limit < len(every) else None
        previous = self._address(request, offset=str(max(0, offset - limit))) if offset > 0 else None
        return web.json_response({"next": following, "previous": previous, "results": every[offset : offset + limit]})

    def _address(self, request: web.Request, **changes: str) -> str:
        return f"{self._base}{request.path}?{urlencode(dict(request.query) | changes)}"


def _asked(body: bytes) -> tuple[str, Mapping[str, Any]]:
    """The text and the values of a HogQLQuery. Raises `RefusedError`."""
    try:
        asked = json_text.read(body)["query"]
        kind, text, values = asked["kind"], asked.get("query"), asked.get("values") or {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(400, "parse_error", "The body must hold {query: {kind, query}}.") from error
    if kind != "HogQLQuery":
        raise RefusedError(400, "unsupported_query", "localcloud answers only HogQLQuery.")
    if not isinstance(text, str) or not isinstance(values, dict):
        raise RefusedError(400, "parse_error", "A HogQLQuery needs a query of text, and values by name.")
    return text, values


def _number(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    given = query.get(name, str(default))
    if not given.isascii() or not given.isdigit() or int(given) > most:
        raise RefusedError(400, "invalid_input", f"{name} must be a number from 0 to {most}.")
    return int(given)


def _moment(query: Mapping[str, str], name: str) -> str | None:
    if name not in query:
        return None
    found = moment_of(query[name].replace(" ", "+"))  # a plus that was not escaped
    if found is None:
        raise RefusedError(400, "invalid_input", f"{name} must be a date and time in ISO 8601.")
    return found
