"""The starter project: what it serves, what it refuses, and that nothing of `.env` reaches a browser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from embedded.node import node, node_environment
from embedded.ports import free_port
from embedded.postgres import Cluster
from tests.builder.conftest import STARTER, Server, copy_project, dev_server, raw_status, run_node, type_check

CANARY = "canary-0f3a-value"
ENV = f"""DATABASE_URL='{{url}}'
RESEND_API_KEY=re_{CANARY}
RESEND_FROM="App <app@example.org>"
VITE_POSTHOG_KEY=phc_public_key
VITE_POSTHOG_HOST=http://127.0.0.1:9
VITE_POSTHOG_APP_ID=mk0r-starter
"""


@pytest.fixture(scope="module")
def module_project(starter_tree: Path, tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Path:
    project = copy_project(starter_tree, tmp_path_factory.mktemp("starter") / "app")
    (project / ".env").write_text(ENV.format(url=cluster.admin_dsn))
    (project / "CLAUDE.md").write_text(CANARY)
    for name in (".claude", ".git"):
        (project / name).mkdir()
        (project / name / "settings.json").write_text(CANARY)
    (project / "server" / "secret.txt").write_text(CANARY)
    return project


@pytest.fixture(scope="module")
def server(module_project: Path) -> Iterator[Server]:
    with dev_server(module_project) as running:
        yield running


def test_page_and_api_answer_on_one_port(server: Server) -> None:
    assert '<div id="root">' in server.get("/").text
    services = server.get("/api/status").json()["services"]
    assert {item["name"]: item["ready"] for item in services} == {
        "Database": True, "Mail": True, "Repository": False, "Analytics": True,
    }  # fmt: skip
    assert server.get("/api/nothing").status_code == 404


def test_status_tells_names_and_never_a_value(server: Server) -> None:
    text = server.get("/api/status").text
    assert "RESEND_API_KEY" in text
    assert CANARY not in text
    assert "postgres://" not in text


PRIVATE = [
    "/.env",
    "/.env?raw",
    "/.env?import&raw",
    "/%2eenv",
    "/%252eenv",
    "/./.env",
    "/src/../.env",
    "/src/%2e%2e/.env",
    "/CLAUDE.md",
    "/claude.md",
    "/CLAUDE%2Emd",
    "/.claude/settings.json",
    "/.git/settings.json",
    "/server/app.ts",
    "/SERVER/app.ts",
    "/server/app.ts?raw",
    "/server/app.ts?import",
    "/server/app.ts?url",
    "/%73erver/app.ts",
    "//server/app.ts",
    "/server/secret.txt",
    "/@id/server/app.ts",
    "/@id/__x00__/server/app.ts",
    "/node_modules/.vite/../../.env",
    "/src/..%2fserver/app.ts",
    "/src/..%5cserver/app.ts",
    "/@fs{root}/.env",
    "/@fs{root}/.env?raw",
    "/@fs{root}/server/app.ts",
    "/@fs/{root}/server/secret.txt?import",
    "/@fs{root}/CLAUDE.md",
    "/@fs{root}/src/../server/app.ts",
    "/@fs/etc/passwd",
    "/@fs/etc/passwd?raw",
    "/%",
    "/.env%00.ts",
    "/.npmrc",
    "/.gitignore",
]


@pytest.mark.parametrize("path", PRIVATE)
def test_private_files_are_refused_in_every_spelling(server: Server, module_project: Path, path: str) -> None:
    assert raw_status(server.port, path.replace("{root}", str(module_project))) in (400, 403, 404)


def test_what_a_page_needs_is_served(server: Server) -> None:
    main = server.get("/src/main.tsx")
    assert main.status_code == 200
    for path in re.findall(r'from "(/[^"]+)"', main.text):
        assert server.get(path).status_code == 200, path


def test_a_new_route_answers_at_once_and_a_broken_one_says_so(server: Server, module_project: Path) -> None:
    route = module_project / "server" / "routes" / "echo.ts"
    route.write_text(
        "import { Hono } from 'hono'\nconst echo = new Hono()\n"
        "echo.get('/', (c) => c.json({ heard: 1 }))\nexport default echo\n"
    )

    def answer() -> httpx.Response:
        return server.get("/api/echo")

    assert _eventually(answer, lambda reply: reply.status_code == 200).json() == {"heard": 1}
    route.write_text(route.read_text() + "nonsense(\n")
    broken = _eventually(answer, lambda reply: reply.status_code == 500)
    assert "does not start" in broken.json()["error"]
    route.unlink()
    assert _eventually(answer, lambda reply: reply.status_code == 404).json()["error"]


def _eventually(ask: Callable[[], httpx.Response], good: Callable[[httpx.Response], bool]) -> httpx.Response:
    deadline = time.monotonic() + 60
    while True:
        reply = ask()
        if good(reply) or time.monotonic() > deadline:
            return reply
        time.sleep(0.1)


def _columns(cluster: Cluster, table: str) -> set[str]:
    query = "select column_name from information_schema.columns where table_name = %s"
    with psycopg.connect(cluster.admin_dsn) as connection:
        return {row[0] for row in connection.execute(query, (table,)).fetchall()}


def test_migrations_run_once_and_again_when_edited(make_project: Callable[[str], Path], cluster: Cluster) -> None:
    project = make_project("app")
    (project / ".env").write_text(ENV.format(url=cluster.admin_dsn))
    file = project / "server" / "migrations" / "001_wugs.sql"
    file.write_text("create table if not exists wugs (id integer primary key, born date);\n")
    assert "migrated: 001_wugs.sql" in run_node(project, "scripts/migrate.mjs").stdout
    assert "nothing to migrate" in run_node(project, "scripts/migrate.mjs").stdout
    file.write_text(file.read_text() + "alter table wugs add column if not exists tame boolean;\n")
    assert "migrated: 001_wugs.sql" in run_node(project, "scripts/migrate.mjs").stdout
    assert _columns(cluster, "wugs") == {"id", "born", "tame"}


def test_a_migration_that_appears_runs_by_itself(server: Server, module_project: Path, cluster: Cluster) -> None:
    file = module_project / "server" / "migrations" / "002_florps.sql"
    file.write_text("create table if not exists florps (id integer primary key);\n")
    deadline = time.monotonic() + 60
    while _columns(cluster, "florps") != {"id"}:
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.1)


def test_a_failed_migration_changes_nothing_and_is_told(module_project: Path, cluster: Cluster) -> None:
    file = module_project / "server" / "migrations" / "009_bad.sql"
    file.write_text("create table half_done (id integer);\nselect nonsense;\n")
    done = run_node(module_project, "scripts/migrate.mjs")
    file.unlink()
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    with psycopg.connect(cluster.admin_dsn) as connection:
        assert connection.execute("select to_regclass('half_done')").fetchone() == (None,)


def test_the_starter_passes_its_own_type_check(make_project: Callable[[str], Path]) -> None:
    assert type_check(make_project("app")) == ""


@pytest.mark.slow
def test_the_secrets_check_passes_and_finds_a_leak(make_project: Callable[[str], Path]) -> None:
    project = make_project("app")
    (project / ".env").write_text(ENV.format(url="postgres://ada:longpassword@127.0.0.1:1/x"))
    clean = run_node(project, "scripts/check-secrets.mjs")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    view = project / "src" / "App.tsx"
    view.write_text(view.read_text() + f"\nconsole.log('re_{CANARY}')\n")
    leaking = run_node(project, "scripts/check-secrets.mjs")
    assert leaking.returncode == 1
    assert "RESEND_API_KEY" in leaking.stderr
    assert CANARY not in leaking.stdout + leaking.stderr


def test_a_field_takes_nothing_that_the_database_refuses(make_project: Callable[[str], Path]) -> None:
    script = """import { runnerImport } from 'vite'
const options = { configFile: false, logLevel: 'error' }
const { module: { field } } = await runnerImport('./server/fields.ts', options)
const taken = [
  field.text().safeParse('a\\0b'), field.longText().safeParse('\\0'), field.email().safeParse('a\\0@b.cd'),
  field.url().safeParse('https://x.y/\\0'), field.date().safeParse('0000-01-01'), field.date().safeParse('0001-01-01'),
  field.text().safeParse('a\\tb'),
]
console.log(taken.map((each) => (each.success ? 'yes' : each.error.issues[0].message)).join('|'))
"""
    project = make_project("fields")
    (project / "fields.mjs").write_text(script)
    said = run_node(project, "fields.mjs").stdout.strip().split("|")
    wrong = ["This needs to be text."] * 2 + ["This is no e-mail address.", "A web address starts with https://"]
    assert said == [*wrong, "This day does not exist.", "yes", "yes"]


def test_env_is_read_alike_however_it_is_quoted(make_project: Callable[[str], Path]) -> None:
    project = make_project("app")
    (project / ".env").write_text(
        'A=plain\nB=\'single $quoted # not a comment\'\nC="double \\"quoted\\""\nexport D=after # comment\n# E=no\nF=\n'
    )
    script = (
        "import { runnerImport } from 'vite'; const { module } = await runnerImport('./server/env.ts', "
        "{ configFile: false, logLevel: 'error' }); console.log(JSON.stringify(module.envFile()))"
    )
    done = run_node(project, "--input-type=module", "-e", script)
    assert json.loads(done.stdout) == {
        "A": "plain", "B": "single $quoted # not a comment", "C": 'double "quoted"', "D": "after", "F": "",
    }  # fmt: skip


WRITES_ENV_LATE = """import { existsSync, writeFileSync } from 'node:fs'
import settings from './settings.ts'

const writer = {
  name: 'writes-env-late',
  configResolved: () => {
    if (!existsSync('.env')) writeFileSync('.env', 'VITE_POSTHOG_KEY=phc_late\\n')
  },
}

export default { ...settings, plugins: [writer, ...(settings.plugins ?? [])] }
"""


def test_an_env_written_while_the_server_starts_reaches_the_page(make_project: Callable[[str], Path]) -> None:
    """A new app's `.env` may come when Vite has read the directory and does not watch it yet."""
    project = make_project("app")
    config = project / "vite.config.ts"
    config.rename(project / "settings.ts")
    config.write_text(WRITES_ENV_LATE)
    with dev_server(project) as starting:

        def analytics() -> httpx.Response:
            try:
                return starting.get("/src/lib/analytics.ts")
            except httpx.TransportError:  # the server is on its way from the old settings to the new
                return httpx.Response(503)

        assert "phc_late" in _eventually(analytics, lambda reply: "phc_late" in reply.text).text


def test_dependencies_are_pinned_and_git_leaves_the_right_things_out() -> None:
    package = json.loads((STARTER / "package.json").read_text())
    versions = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    assert (STARTER / "package-lock.json").exists()
    assert {".env", "node_modules/", "dist/"} <= set((STARTER / ".gitignore").read_text().split())


@pytest.mark.slow
def test_the_production_build_serves_page_and_api(make_project: Callable[[str], Path], cluster: Cluster) -> None:
    project = make_project("app")
    (project / ".env").write_text(ENV.format(url=cluster.admin_dsn))
    vite = "node_modules/vite/bin/vite.js"
    assert run_node(project, vite, "build", "--outDir", "dist/client").returncode == 0
    assert run_node(project, vite, "build", "--ssr", "server/node.ts", "--outDir", "dist/server").returncode == 0
    port = free_port(0)
    process = subprocess.Popen(
        [str(node()), "dist/server/node.js"], cwd=project, env=node_environment({**os.environ, "PORT": str(port)})
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                page = httpx.get(f"http://127.0.0.1:{port}/", timeout=10)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert '<div id="root">' in page.text
        assert httpx.get(f"http://127.0.0.1:{port}/api/status", timeout=10).json()["services"][0]["ready"] is True
        assert CANARY not in httpx.get(f"http://127.0.0.1:{port}/.env", timeout=10).text
    finally:
        process.terminate()
        process.wait(60)
