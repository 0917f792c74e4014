"""The real coding agent, driven by the stand-in, builds an app that stores rows in a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from embedded.postgres import Cluster
from tests.builder.conftest import Server, copy_project, dev_server, type_check
from tests.conformance.agent import Agent
from tests.fixtures.cloud import CloudUnderTest

pytestmark = [pytest.mark.slow, pytest.mark.client("anthropic", "Claude Code (CLI)")]

SENTENCE = (
    "Build a tracker for my quokkas with name, weight in kg (number), born on (date), tame (yes/no), "
    "diet (leaves, grass or bark) and keeper e-mail."
)


@dataclass
class Built:
    """A project, its dev server and its database, and the agent to send at it."""

    project: Path
    server: Server
    dsn: str
    agent: Agent

    def turn(self, prompt: str) -> list[dict[str, Any]]:
        """Run the agent for one turn and return the lines of its stream."""
        return self.agent.turn(prompt)

    def api(self, method: str, path: str, body: object = None) -> httpx.Response:
        return httpx.request(method, f"{self.server.url}/api/{path}", json=body, timeout=20)

    def columns(self, table: str) -> dict[str, str]:
        query = "select column_name, data_type from information_schema.columns where table_name = %s"
        with psycopg.connect(self.dsn) as connection:
            return dict(connection.execute(query, (table,)).fetchall())


@pytest.fixture(scope="module")
def built(
    starter_tree: Path, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, cloud: CloudUnderTest
) -> Iterator[tuple[Built, str]]:
    """The app of `SENTENCE`, built, and the agent's last words."""
    cloud.clear_faults()
    project = copy_project(starter_tree, tmp_path_factory.mktemp("agent") / "app")
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as connection:
        connection.execute("create database quokkas")
    dsn = cluster.dsn("quokkas")
    (project / ".env").write_text(f"DATABASE_URL='{dsn}'\n")
    with dev_server(project) as server:
        app = Built(project, server, dsn, Agent(cloud, project, {"PORT": str(server.port)}))
        yield app, _last_words(app.turn(SENTENCE))


def _last_words(lines: list[dict[str, Any]]) -> str:
    final = lines[-1]
    assert (final["type"], final["is_error"]) == ("result", False), final
    return str(final["result"])


def test_the_table_has_the_columns_of_the_sentence(built: tuple[Built, str]) -> None:
    columns = built[0].columns("quokkas")
    assert columns == {
        "id": "integer", "name": "text", "weight": "numeric", "born_on": "date", "tame": "boolean", "diet": "text",
        "keeper_email": "text", "created_at": "timestamp with time zone",
    }  # fmt: skip


def test_the_last_words_say_what_was_checked_and_who_speaks(built: tuple[Built, str]) -> None:
    said = built[1]
    assert "**Quokkas** is ready" in said
    assert "I checked it" in said
    assert "stand-in model" in said


def test_entries_live_their_whole_life_over_http(built: tuple[Built, str]) -> None:
    app = built[0]
    good = {
        "name": "Ada",
        "weight": 3.5,
        "born_on": "2024-02-29",
        "tame": True,
        "diet": "grass",
        "keeper_email": "ada@example.org",
    }
    created = app.api("POST", "quokkas", good)
    assert created.status_code == 201
    number = created.json()["id"]
    assert {key: created.json()[key] for key in good} == good
    assert app.api("PUT", f"quokkas/{number}", good | {"weight": 4}).json()["weight"] == 4
    assert app.api("PATCH", f"quokkas/{number}", {"tame": False}).json()["tame"] is False
    assert [row["id"] for row in app.api("GET", "quokkas").json()] == [number]
    with psycopg.connect(app.dsn) as connection:
        assert connection.execute("select name, weight, tame from quokkas").fetchall() == [("Ada", 4, False)]
    assert app.api("DELETE", f"quokkas/{number}").status_code == 204
    assert app.api("GET", f"quokkas/{number}").status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", None),
        ("weight", "heavy"),
        ("born_on", "2023-02-29"),
        ("diet", "meat"),
        ("keeper_email", "nobody"),
        ("tame", "maybe"),
        ("name", {"a": 1}),
        ("name", "x" * 5000),
        ("weight", 1e300),
    ],
)
def test_a_wrong_value_is_refused_by_its_field(built: tuple[Built, str], field: str, value: object) -> None:
    answer = built[0].api("POST", "quokkas", {"name": "Ben", field: value})
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == [field]


@pytest.mark.parametrize("path", ["quokkas/0", "quokkas/x", "quokkas/99999999999", "quokkas/1;drop"])
def test_an_entry_that_is_not_there_is_404(built: tuple[Built, str], path: str) -> None:
    assert built[0].api("DELETE", path).status_code == 404


def test_the_built_app_passes_the_type_check(built: tuple[Built, str]) -> None:
    assert type_check(built[0].project) == ""


def test_a_resumed_session_changes_the_app_with_a_migration(built: tuple[Built, str]) -> None:
    app = built[0]
    app.api("POST", "quokkas", {"name": "Kept"})
    said = _last_words(app.turn("add a phone number, call it Quokka book and make it green"))
    assert "I checked it" in said
    assert app.columns("quokkas")["phone_number"] == "text"
    assert [row["name"] for row in app.api("GET", "quokkas").json()] == ["Kept"]
    assert "<title>Quokka book</title>" in (app.project / "index.html").read_text()
    assert type_check(app.project) == ""
