"""The real coding agent, driven by the stand-in, builds an app that stores rows in a real Postgres."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from aiohttp import web

from embedded.node import node_environment
from embedded.ports import free_port
from embedded.postgres import Cluster
from localcloud import anthropic
from localcloud.cloud import CLOUD, open_cloud
from localcloud.config import Config
from localcloud.e2b.tree import prepare_agent
from tests.builder.conftest import Server, copy_project, dev_server, type_check
from tests.fixtures.cloud import CACHE

pytestmark = pytest.mark.slow

SENTENCE = (
    "Build a tracker for my quokkas with name, weight in kg (number), born on (date), tame (yes/no), "
    "diet (leaves, grass or bark) and keeper e-mail."
)


@dataclass
class Model:
    """The stand-in, reachable for a program."""

    url: str
    key: str


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """The stand-in in a thread of its own, streaming at once."""
    before = os.environ.get("MK0R_SCRIPTED_PACE")
    os.environ["MK0R_SCRIPTED_PACE"] = "0"
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    cloud = open_cloud(Config(tmp_path_factory.mktemp("cloud"), free_port(0), "http://127.0.0.1:9", None, "plain"))

    async def serve() -> web.AppRunner:
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app[CLOUD] = cloud
        anthropic.setup(app, cloud)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", cloud.config.port).start()
        return runner

    runner = asyncio.run_coroutine_threadsafe(serve(), loop).result(20)
    yield Model(f"{cloud.base_url}/anthropic", cloud.keys.anthropic)
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
    cloud.close()
    os.environ.pop("MK0R_SCRIPTED_PACE")
    if before is not None:
        os.environ["MK0R_SCRIPTED_PACE"] = before


@dataclass
class Built:
    """A project, its dev server and its database, and the agent to send at it."""

    project: Path
    server: Server
    dsn: str
    model: Model
    claude: Path
    session: str

    def turn(self, prompt: str) -> list[dict[str, Any]]:
        """Run the agent for one turn and return the lines of its stream."""
        home = self.project.parent / "home"
        home.mkdir(exist_ok=True)
        started = (home / "started").exists()
        (home / "started").touch()
        identity = ["--resume" if started else "--session-id", self.session]
        command = [
            str(self.claude),
            "-p",
            "--output-format",
            "stream-json",
            "--verbose",
            "--dangerously-skip-permissions",
        ]
        environment = node_environment(
            {
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "IS_SANDBOX": "1",
                "PORT": str(self.server.port),
                "ANTHROPIC_BASE_URL": self.model.url,
                "ANTHROPIC_AUTH_TOKEN": self.model.key,
                "CLAUDE_CODE_MAX_RETRIES": "0",
                "DISABLE_AUTOUPDATER": "1",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            }
        )
        done = subprocess.run(
            [*command, *identity], input=prompt, cwd=self.project, env=environment, capture_output=True, text=True,
            timeout=150, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def api(self, method: str, path: str, body: object = None) -> httpx.Response:
        return httpx.request(method, f"{self.server.url}/api/{path}", json=body, timeout=20)

    def columns(self, table: str) -> dict[str, str]:
        query = "select column_name, data_type from information_schema.columns where table_name = %s"
        with psycopg.connect(self.dsn) as connection:
            return dict(connection.execute(query, (table,)).fetchall())


@pytest.fixture(scope="module")
def built(
    starter_tree: Path, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster, model: Model
) -> Iterator[tuple[Built, str]]:
    """The app of `SENTENCE`, built, and the agent's last words."""
    programs = asyncio.run(prepare_agent(CACHE, lambda _label, _part: None))
    project = copy_project(starter_tree, tmp_path_factory.mktemp("agent") / "app")
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as connection:
        connection.execute("create database quokkas")
    dsn = cluster.dsn("quokkas")
    (project / ".env").write_text(f"DATABASE_URL='{dsn}'\n")
    with dev_server(project) as server:
        app = Built(project, server, dsn, model, programs / "current" / "bin" / "claude", str(uuid.uuid4()))
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
