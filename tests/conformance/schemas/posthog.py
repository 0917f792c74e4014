"""PostHog's contract: what clients ask at their start by the types of npm `posthog-js` and `@posthog/core`, the rest in
our own words, after the capture service's answers and the reference of the private API. Capture takes bodies in many
forms and codings, which `localcloud/posthog/parsing.py` reads; they are no JSON on the wire and are not judged here.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from tests.conformance.schemas.contract import JSON, Bodies, Contract, Operation, Routes
from tests.conformance.schemas.models import closed
from tests.conformance.schemas.published import book
from tests.conformance.schemas.schema import Book, Schema

CAPTURE = ("/i/v0/e", "/e", "/capture", "/track", "/engage", "/batch", "/s")


class Captured(TypedDict):
    status: Literal["Ok"]


class EventResult(TypedDict, total=False):
    result: Literal["ok", "drop", "retry", "limited"]
    details: str


class EventResults(TypedDict):
    results: dict[str, EventResult]


class HogQL(TypedDict, total=False):
    kind: Literal["HogQLQuery"]
    query: str
    values: dict[str, Any]


class QueryAsked(TypedDict, total=False):
    query: HogQL
    name: str
    refresh: str
    client_query_id: str


class QueryAnswered(TypedDict):
    results: list[list[Any]]
    columns: list[str]
    types: list[list[str]]
    hogql: str
    query: str
    hasMore: bool
    limit: int
    offset: int
    error: str | None
    is_cached: bool
    timezone: str


class Doer(TypedDict):
    """Who did it, as an event tells."""

    is_identified: bool
    distinct_ids: list[str]
    properties: dict[str, Any]


class Event(TypedDict):
    id: str
    distinct_id: str
    properties: dict[str, Any]
    event: str
    timestamp: str
    person: Doer | None
    elements: list[Any]
    elements_chain: str


class Events(TypedDict):
    next: str | None
    results: list[Event]


class Person(TypedDict):
    id: str
    uuid: str
    name: str
    distinct_ids: list[str]
    properties: dict[str, Any]
    created_at: str
    is_identified: bool


class Persons(TypedDict):
    next: str | None
    previous: str | None
    results: list[Person]


class PersonsAsked(TypedDict, total=False):
    ids: list[str]
    distinct_ids: list[str]
    delete_events: bool


class PersonsDeleted(TypedDict):
    persons_found: int
    persons_deleted: int


class Definitions(TypedDict):
    """Feature flags, of which there are none here."""

    flags: list[dict[str, Any]]
    group_type_mapping: dict[str, str]
    cohorts: dict[str, Any]


class Group(TypedDict):
    group_type_index: Annotated[int, Field(ge=0, le=4)]
    group_key: str
    group_properties: dict[str, Any]
    created_at: str


class Groups(TypedDict):
    next: str | None
    previous: str | None
    results: list[Group]


class GroupType(TypedDict):
    group_type: str
    group_type_index: int
    name_singular: str | None
    name_plural: str | None


class Refused(TypedDict):
    type: Literal["authentication_error", "invalid_request", "validation_error", "throttled_error", "server_error"]
    code: str
    detail: str
    attr: str | None


TYPES: dict[str, Any] = {
    "Captured": Captured,
    "Definitions": Definitions,
    "Event": Event,
    "EventResults": EventResults,
    "Events": Events,
    "Group": Group,
    "GroupTypes": list[GroupType],
    "Groups": Groups,
    "Person": Person,
    "Persons": Persons,
    "PersonsAsked": PersonsAsked,
    "PersonsDeleted": PersonsDeleted,
    "QueryAnswered": QueryAnswered,
    "QueryAsked": QueryAsked,
    "Refused": Refused,
}


# What is read below a project, and the reply.
READ = {
    "/events": "Events",
    "/events/{id}": "Event",
    "/persons": "Persons",
    "/persons/{id}": "Person",
    "/groups": "Groups",
    "/groups/find": "Group",
    "/groups_types": "GroupTypes",
}
TEXT: Bodies = {"text/plain": None}
REFUSED = ("400", "401", "403", "404")


def contract() -> Contract:
    """Capture, what clients ask at their start, and the part of the private API that is played here."""
    routes: Routes[Operation] = Routes()

    def add(
        method: str, path: str, reply: Bodies, refused: Bodies, request: Schema | None = None, status: str = "200"
    ) -> None:
        replies = {status: reply, **dict.fromkeys(REFUSED, refused), "413": TEXT}
        if method == "POST" and path in CAPTURE:
            replies["204"] = {}
        for slash in ("", "/"):
            asked = Operation(f"{method} {path}", request, request is not None, replies, free=request is None)
            routes.add(method, path + slash, asked)
            routes.add("OPTIONS", path + slash, Operation(f"OPTIONS {path}", None, False, {"200": {}}))

    published = book("PostHog")
    for path in CAPTURE:
        for method in ("GET", "POST"):
            add(method, path, {JSON: _own().at("Captured")}, TEXT)
    add("POST", "/i/v1/analytics/events", {JSON: _own().at("EventResults")}, TEXT)
    for method in ("GET", "POST"):
        add(method, "/flags", {JSON: published.at("properties", "Flags")}, TEXT)
        add(method, "/decide", {JSON: published.at("properties", "Decided")}, TEXT)
    add("GET", "/array/{key}/config", {JSON: published.at("properties", "RemoteConfig")}, TEXT)
    add("GET", "/array/{key}/config.js", {"application/javascript": None}, TEXT)
    add("GET", "/static/{file}", {"application/javascript": None}, TEXT)
    refused: Bodies = {JSON: _own().at("Refused")}
    for path in ("/flags/definitions", "/api/feature_flag/local_evaluation"):
        add("GET", path, {JSON: _own().at("Definitions")}, refused)
    for project in ("/api/projects/{project}", "/api/environments/{project}"):
        add("POST", f"{project}/query", {JSON: _own().at("QueryAnswered")}, refused, _own().at("QueryAsked"))
        for path, reply in READ.items():
            add("GET", project + path, {JSON: _own().at(reply)}, refused)
        add("DELETE", f"{project}/persons/{{id}}", {}, refused, status="202")
        asked, deleted = _own().at("PersonsAsked"), {JSON: _own().at("PersonsDeleted")}
        add("POST", f"{project}/persons/bulk_delete", deleted, refused, asked, status="202")
    return Contract(routes, {JSON: _own().at("Refused"), **TEXT})


@cache
def _own() -> Book:
    return closed("posthog-own", TYPES)
