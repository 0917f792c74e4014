"""Neon as its Python client sees it, whose models refuse an answer that lacks a member or has one of another type."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from neon_api import NeonAPI
from neon_api.exceptions import NeonAPIError

from tests.conformance.conftest import Exercised
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("neon", "neon-api (Python)")


@pytest.fixture
def api(well: CloudUnderTest) -> Iterator[NeonAPI]:
    made = NeonAPI(well.keys["neon"], base_url=f"{well.base_url}/neon/api/v2/")
    yield made
    made._session.close()  # the client has no way of its own


def name() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


def settle(api: NeonAPI, project: str) -> None:
    """Wait as the client's users do: look at the operations until all have ended."""
    deadline = time.monotonic() + 60
    while any(one.status.value != "finished" for one in api.operations(project).operations):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_project_is_made_used_and_destroyed(api: NeonAPI, well: CloudUnderTest, exercised: Exercised) -> None:
    made = api.project_create(project={"name": name(), "pg_version": 17, "region_id": "aws-us-east-2"}).project
    exercised("project_create")
    settle(api, made.id)
    (operation, *_) = api.operations(made.id, limit=1).operations
    assert api.operation(made.id, operation.id).operation == operation
    exercised("operations")
    exercised("operation")
    branch = api.branches(made.id).branches[0]
    database = api.databases(made.id, branch.id).databases[0]
    uri = api.connection_uri(made.id, database.name, database.owner_name).uri
    with psycopg.connect(uri) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (database.owner_name,)
    exercised("connection_uri")
    assert api.project(made.id).project.name == made.name
    exercised("project")
    assert made.id in [one.id for one in api.projects(limit=400).projects]
    exercised("projects")
    assert api.project_update(made.id, project={"name": "renamed"}).project.name == "renamed"
    exercised("project_update")
    assert api.me().login == "localcloud"
    exercised("me")
    assert api.project_delete(made.id).project.id == made.id
    exercised("project_delete")
    with pytest.raises(NeonAPIError, match="project not found"):
        api.project(made.id)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri)
    assert [bool(row["deleted_at"]) for row in well.ledger(vendor="neon", id=made.id)] == [True]


def test_a_branch_with_its_compute_its_roles_and_databases(api: NeonAPI, exercised: Exercised) -> None:
    project = api.project_create(project={"name": name()}).project.id
    settle(api, project)
    main = api.branches(project).branches[0].id
    port = urlsplit(api.connection_uri(project, "neondb", "neondb_owner").uri).port
    made = api.branch_create(project, branch={"name": "dev"}).branch
    exercised("branch_create")
    settle(api, project)
    ready = api.branch(project, made.id).branch
    assert (ready.current_state, ready.parent_id) == ("ready", main)
    exercised("branch")
    assert {one.id for one in api.branches(project).branches} == {main, made.id}
    exercised("branches")
    compute = api.endpoint_create(project, endpoint={"branch_id": made.id, "type": "read_write"}).endpoint
    exercised("endpoint_create")
    settle(api, project)
    assert api.endpoint(project, compute.id).endpoint.current_state.value == "active"
    exercised("endpoint")
    assert len(api.endpoints(project).endpoints) == 2
    exercised("endpoints")
    changed = api.endpoint_update(project, compute.id, endpoint={"suspend_timeout_seconds": 60}).endpoint
    assert changed.suspend_timeout_seconds == 60
    exercised("endpoint_update")
    settle(api, project)
    for verb in ("suspend", "start"):
        getattr(api, f"endpoint_{verb}")(project, compute.id)
        exercised(f"endpoint_{verb}")
        settle(api, project)
    role = api.role_create(project, made.id, "clerk").role
    exercised("role_create")
    settle(api, project)
    assert api.role(project, made.id, role.name).role.name in [one.name for one in api.roles(project, made.id).roles]
    exercised("role")
    exercised("roles")
    password = api.role_password_reset(project, made.id, role.name).role.password
    assert password != role.password
    exercised("role_password_reset")
    settle(api, project)
    wished = {"name": "shop", "owner_name": role.name}
    database = api.database_create(project, made.id, database=wished).database
    exercised("database_create")
    settle(api, project)
    told = {"host": compute.host, "port": port, "user": role.name, "password": password, "dbname": database.name}
    with psycopg.connect(**told) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (role.name,)
    owner = api.roles(project, made.id).roles[0].name
    assert api.database_update(project, made.id, database.name, database={"owner_name": owner}).database.id
    exercised("database_update")
    settle(api, project)
    assert api.database(project, made.id, database.name).database.owner_name == owner
    exercised("database")
    assert len(api.databases(project, made.id).databases) == 2
    exercised("databases")
    for verb, what in (("database_delete", database.name), ("role_delete", role.name)):
        getattr(api, verb)(project, made.id, what)
        exercised(verb)
        settle(api, project)
    assert api.branch_update(project, made.id, branch={"name": "next"}).branch.name == "next"
    exercised("branch_update")
    api.endpoint_delete(project, compute.id)
    exercised("endpoint_delete")
    settle(api, project)
    assert api.branch_delete(project, made.id).branch.id == made.id
    exercised("branch_delete")
    settle(api, project)
    with pytest.raises(NeonAPIError, match="branch not found"):
        api.branch(project, made.id)
