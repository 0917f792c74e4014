"""The tables a query may read, and what their columns are in the store."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from localcloud.posthog.hogql.sql import BOOL, PROPERTY, STRING, TIME, UINT, UUID, Sql

# All SQL here is made of these texts and of parameters.
PERSON = "(SELECT d.person FROM posthog_distinct_ids d WHERE d.distinct_id = e.distinct_id)"
OF_PERSON = f"FROM posthog_persons WHERE id = {PERSON}"
GROUP = re.compile(r"(\$?)group_([0-4])")


@dataclass(frozen=True, slots=True)
class Table:
    """`source` stands after FROM. `objects` are columns of JSON that a path may go into."""

    source: str
    columns: Mapping[str, Sql]
    objects: Mapping[str, str]
    star: tuple[str, ...]


TABLES = {
    "events": Table(
        "posthog_events e",
        {
            "uuid": Sql("e.uuid", UUID),
            "event": Sql("e.event", STRING),
            "properties": Sql("e.properties", STRING),
            "timestamp": Sql("e.timestamp", TIME),
            "distinct_id": Sql("e.distinct_id", STRING),
            "created_at": Sql("e.received_at", TIME),
            "person_id": Sql(PERSON, UUID),
            "person.id": Sql(PERSON, UUID),
            "person.created_at": Sql(f"(SELECT created_at {OF_PERSON})", TIME),
            "person.is_identified": Sql(f"(SELECT is_identified {OF_PERSON})", BOOL),
        },
        {
            "properties": "e.properties",
            "person.properties": f"(SELECT properties {OF_PERSON})",
        },
        ("uuid", "event", "properties", "timestamp", "distinct_id", "created_at", "person_id"),
    ),
    "persons": Table(
        "(SELECT * FROM posthog_persons WHERE profile) p",
        {
            "id": Sql("p.id", UUID),
            "created_at": Sql("p.created_at", TIME),
            "properties": Sql("p.properties", STRING),
            "is_identified": Sql("p.is_identified", BOOL),
        },
        {"properties": "p.properties"},
        ("id", "created_at", "properties", "is_identified"),
    ),
    "groups": Table(
        "posthog_groups g",
        {
            "index": Sql("g.place", UINT),
            "key": Sql("g.key", STRING),
            "created_at": Sql("g.created_at", TIME),
            "properties": Sql("g.properties", STRING),
        },
        {"properties": "g.properties"},
        ("index", "key", "created_at", "properties"),
    ),
}


def column(table: Table, path: tuple[str, ...], bind: Callable[[str], str]) -> Sql | None:
    """What a path of names means in a table, or None. *bind* makes a parameter of a value."""
    if found := table.columns.get(".".join(path)):
        return found
    for name, source in table.objects.items():
        steps = tuple(name.split("."))
        if path[: len(steps)] == steps and len(path) > len(steps):
            return _inside(source, path[len(steps) :], bind)
    if "properties" in table.objects and path[0] in ("$session_id", "$window_id") and len(path) == 1:
        return _inside(table.objects["properties"], path, bind)
    return _group(path, bind) if table is TABLES["events"] else None


def group_place(path: tuple[str, ...]) -> str | None:
    """The index of the group type whose key *path* names: `$group_0` or `group_0.key`; None when it names no key."""
    found = GROUP.fullmatch(path[0])
    if found is None or path[1:] != (() if found[1] else ("key",)):
        return None
    return found[2]


def group_members(place: str, key: str) -> str:
    """The events of a group, as a condition that an index answers."""
    return f"e.number IN (SELECT event FROM posthog_event_groups WHERE place = {place} AND key = {key})"  # noqa: S608 -- one digit and a parameter


def _group(path: tuple[str, ...], bind: Callable[[str], str]) -> Sql | None:
    found = GROUP.fullmatch(path[0])
    if found is None:
        return None
    key = f"(SELECT key FROM posthog_event_groups WHERE event = e.number AND place = {found[2]})"  # noqa: S608 -- one digit
    if group_place(path) is not None:
        return Sql(f"coalesce({key}, '')", STRING)
    if not found[1] and path[1:2] == ("properties",) and len(path) > 2:
        source = f"(SELECT properties FROM posthog_groups WHERE place = {found[2]} AND key = {key})"  # noqa: S608 -- one digit
        return _inside(source, path[2:], bind)
    return None


def _inside(source: str, path: tuple[str, ...], bind: Callable[[str], str]) -> Sql | None:
    if any('"' in step for step in path):
        return None
    place = bind("$" + "".join(f'."{step}"' for step in path))
    return Sql(
        f"(CASE json_type({source}, {place}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'"
        f" ELSE json_extract({source}, {place}) END)",
        PROPERTY,
    )
