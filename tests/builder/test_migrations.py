"""The SQL of built apps on a real database, also on one that keeps what another version left there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from embedded.postgres import Cluster
from localcloud.anthropic import sqlcode
from localcloud.anthropic.grammar.followup import read_followup
from localcloud.anthropic.grammar.sentence import read_sentence
from localcloud.anthropic.planner import change_sql
from localcloud.anthropic.spec import AppSpec

Database = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as connection:
        connection.execute("drop table if exists zorbs")
        yield connection


def spec_of(sentence: str) -> AppSpec:
    spec = read_sentence(sentence).spec
    assert spec is not None
    return spec


def columns(database: Database) -> dict[str, str]:
    query = "select column_name, data_type from information_schema.columns where table_name = 'zorbs'"
    return dict(database.execute(query).fetchall())


def test_every_type_gets_its_column_and_running_twice_harms_nothing(database: Database) -> None:
    spec = spec_of(
        "A list of zorbs with name, notes, heft (number), price, seen on (date), at (time), tame (yes/no), "
        "size (small, large), e-mail, phone, website"
    )
    for _ in range(2):
        database.execute(sqlcode.migration(spec))
    assert columns(database) == {
        "id": "integer", "name": "text", "notes": "text", "heft": "numeric", "price": "numeric", "seen_on": "date",
        "at": "time without time zone", "tame": "boolean", "size": "text", "email": "text", "phone": "text",
        "website": "text", "created_at": "timestamp with time zone",
    }  # fmt: skip


def test_a_choice_is_limited_to_its_options_whatever_they_contain(database: Database) -> None:
    database.execute(sqlcode.migration(spec_of("A list of zorbs with name; size (“it's”, “a; drop table zorbs”)")))
    database.execute("insert into zorbs (name, size) values ('x', 'it''s'), ('y', 'a; drop table zorbs'), ('z', null)")
    with pytest.raises(psycopg.errors.CheckViolation):
        database.execute("insert into zorbs (name, size) values ('x', 'other')")


def test_an_app_built_after_going_back_finds_columns_of_its_own_types(database: Database) -> None:
    database.execute(sqlcode.migration(spec_of("A list of zorbs with name, rating (number), status (a, b or c)")))
    database.execute("insert into zorbs (name, rating, status) values ('old', 5, 'a')")
    database.execute(sqlcode.migration(spec_of("A list of zorbs with name, rating (good or bad), status (text)")))
    database.execute("insert into zorbs (name, rating, status) values ('new', 'good', 'anything')")
    assert database.execute("select name from zorbs order by id").fetchall() == [("old",), ("new",)]
    kept = [name for name, kind in columns(database).items() if name.startswith("rating_") and kind == "numeric"]
    assert len(kept) == 1


def test_a_field_that_changes_its_type_brings_what_fits_along(database: Database) -> None:
    before = spec_of("A list of zorbs with name, grade")
    database.execute(sqlcode.migration(before))
    database.execute("insert into zorbs (name, grade) values ('a', '4.5'), ('b', 'great'), ('c', null)")
    change = read_followup("make grade a number", before)
    database.execute(change_sql(change, before))
    name = change.converted[0][1].name
    assert database.execute(f"select name, {name}::text, grade from zorbs order by id").fetchall() == [
        ("a", "4.5", "4.5"), ("b", None, "great"), ("c", None, None),
    ]  # fmt: skip


def test_wider_options_let_new_values_in(database: Database) -> None:
    before = spec_of("A list of zorbs with name, status (new, used or old)")
    database.execute(sqlcode.migration(before))
    change = read_followup("add 'lost' to the status options", before)
    database.execute(change_sql(change, before))
    database.execute("insert into zorbs (name, status) values ('x', 'lost')")
