"""Neon: projects that become real databases, reach nothing else, and go away."""

from __future__ import annotations

import uuid

import httpx
import psycopg
import pytest
from neon_api import NeonAPI

from tests.fixtures.cloud import CloudUnderTest
from tests.localcloud.wire import finished, project


def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


def test_the_vendors_client_makes_uses_and_destroys_a_project(well: CloudUnderTest) -> None:
    api = NeonAPI(well.keys["neon"], base_url=f"{well.base_url}/neon/api/v2/")
    made = api.project_create(project={"name": name(), "pg_version": 17, "region_id": "aws-us-east-2"}).project
    finished(well, made.id)
    branch = api.branches(made.id).branches[0]
    database = api.databases(made.id, branch.id).databases[0]
    uri = api.connection_uri(made.id, database.name, database.owner_name).uri
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (database.owner_name,)
    assert api.project(made.id).project.name == made.name
    assert api.project_delete(made.id).project.id == made.id
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri)
    assert [row["id"] for row in well.ledger(vendor="neon", name=made.name) if row["deleted_at"]] == [made.id]


def test_201_comes_before_one_can_connect(well: CloudUnderTest, neon: httpx.Client) -> None:
    answer = neon.post("/projects", json={"project": {"name": name()}})
    assert answer.status_code == 201
    uri = answer.json()["connection_uris"][0]["connection_uri"]
    assert "sslmode" not in uri
    assert [item["status"] for item in answer.json()["operations"]] == ["running", "scheduling"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri)
    assert finished(well, answer.json()["project"]["id"])[-1] == "finished"
    psycopg.connect(uri).close()


def test_it_says_which_postgres_it_is(well: CloudUnderTest) -> None:
    made = project(well, name(), pg_version=17)
    with psycopg.connect(made["connection_uris"][0]["connection_uri"]) as connection:
        assert made["project"]["pg_version"] == connection.info.server_version // 10000


def test_a_role_reaches_its_own_database_only(well: CloudUnderTest) -> None:
    mine, other = project(well, name()), project(well, name())
    uri = mine["connection_uris"][0]["connection_uri"]
    theirs = other["connection_uris"][0]["connection_parameters"]["database"]
    for database in (theirs, "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match=r"permission denied|CONNECT"):
            psycopg.connect(uri.rpartition("/")[0] + "/" + database)
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in (
            "CREATE DATABASE mine",
            "CREATE ROLE mine",
            "ALTER ROLE current_user SUPERUSER",
            "SET temp_file_limit = -1",
            "COPY (SELECT 1) TO PROGRAM 'id'",
            "SELECT pg_read_file('/etc/passwd')",
            f"DROP ROLE {other['roles'][0]['name']}",
        ):
            with pytest.raises(psycopg.Error, match=r'permission denied|must be|role "current_user"'):
                connection.execute(statement)


def test_a_role_has_limits(well: CloudUnderTest) -> None:
    uri = project(well, name())["connection_uris"][0]["connection_uri"]
    with psycopg.connect(uri) as connection:
        assert connection.execute("SHOW temp_file_limit").fetchone() == ("256MB",)
    open_ones: list[psycopg.Connection] = []
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        open_ones.extend(psycopg.connect(uri) for _ in range(21))
    for connection in open_ones:
        connection.close()


def test_a_search_is_partial_and_a_cursor_leads_through_all(well: CloudUnderTest, neon: httpx.Client) -> None:
    tag = uuid.uuid4().hex[:8]
    names = [f"mk0r-{tag}-{number}" for number in range(3)]
    for each in names:
        neon.post("/projects", json={"project": {"name": each}})
    seen: list[str] = []
    cursor = None
    for _ in range(10):
        query = {"search": tag, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = neon.get("/projects", params=query).json()
        if not page["projects"]:
            break
        seen += [item["name"] for item in page["projects"]]
        cursor = page["pagination"]["cursor"]
    assert seen == names
    assert neon.get("/projects", params={"search": "no such thing"}).json()["projects"] == []


def test_a_project_with_running_operations_is_locked(well: CloudUnderTest, neon: httpx.Client) -> None:
    made = neon.post("/projects", json={"project": {"name": name()}}).json()["project"]["id"]
    assert neon.delete(f"/projects/{made}").status_code == 423
    finished(well, made)
    assert neon.delete(f"/projects/{made}").status_code == 200
    assert neon.delete(f"/projects/{made}").status_code == 404


def test_a_wrong_key_is_refused_in_neons_words(well: CloudUnderTest) -> None:
    for headers in ({}, {"Authorization": "Bearer napi_wrong"}):
        answer = httpx.get(f"{well.base_url}/neon/api/v2/projects", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["message"] == "supplied credentials do not pass authentication"
        assert answer.headers["x-neon-ret-request-id"] == answer.json()["request_id"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"project": 3}',
        b'{"project": {"name": 3}}',
        b'{"project": {"pg_version": 13}}',
        b'{"project": {"pg_version": true}}',
        b'{"project": {"branch": {"database_name": "a; DROP"}}}',
        b'{"project": {"name": "%s"}}' % (b"x" * 257),
    ],
)
def test_a_bad_body_is_refused_and_makes_nothing(well: CloudUnderTest, neon: httpx.Client, body: bytes) -> None:
    before = len(well.ledger(vendor="neon"))
    answer = neon.post("/projects", content=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "request_id"}
    assert len(well.ledger(vendor="neon")) == before


def test_an_unknown_project_is_404(neon: httpx.Client) -> None:
    for path in ("", "/operations", "/operations/x", "/connection_uri", "/branches"):
        assert neon.get(f"/projects/quiet-moon-1{path}").status_code == 404
    assert neon.get("/projects", params={"cursor": "nonsense"}).status_code == 400
    assert neon.get("/projects", params={"limit": "0"}).status_code == 400


def test_a_new_password_is_told_at_once_and_holds_once_its_operation_has_finished(
    well: CloudUnderTest, neon: httpx.Client
) -> None:
    made = project(well, name())
    old = made["connection_uris"][0]["connection_uri"]
    role = f"/projects/{made['project']['id']}/branches/{made['branch']['id']}/roles/{made['roles'][0]['name']}"
    answer = neon.post(f"{role}/reset_password")
    assert answer.status_code == 200
    password = answer.json()["role"]["password"]
    assert password not in old
    assert [(one["action"], one["status"]) for one in answer.json()["operations"]] == [("apply_config", "running")]
    assert neon.post(f"{role}/reset_password").status_code == 423
    finished(well, made["project"]["id"])
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(old)
    parameters = made["connection_uris"][0]["connection_parameters"]
    query = {"database_name": parameters["database"], "role_name": parameters["role"]}
    new = neon.get(f"/projects/{made['project']['id']}/connection_uri", params=query).json()["uri"]
    assert password in new
    psycopg.connect(new).close()
