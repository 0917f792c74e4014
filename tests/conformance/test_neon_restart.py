"""What Neon's stand-in keeps over the death of localcloud, and how much of it an account may have."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.fixtures.neon import NeonLife, neon_client, say, words

pytestmark = pytest.mark.client("neon", "psycopg (Python)")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    """A localcloud of its own, whose accounts may have three projects each."""
    var = tmp_path_factory.mktemp("small")
    with run_cloud(var, environment={"MK0R_CLOUD_NEON_PROJECTS": "3"}) as running:
        yield running


def test_a_killed_localcloud_brings_everything_back(small: CloudUnderTest) -> None:
    with neon_client(small) as neon:
        life, gone, older = NeonLife(neon), NeonLife(neon), NeonLife(neon)
        for one in (life, gone, older):
            say(one.uri, "kept")
        made = life.branch("dev")
        say(made["connection_uris"][0]["connection_uri"], "too")
        assert gone.ask("DELETE", "").status_code == 200
        assert life.ask("POST", "/branches", {"branch": {"name": "late"}}).status_code == 201
        before = life.ask("GET", "/branches", sort_by="name").json()["branches"]
    small.stop(kill=True)  # while a branch is made
    _as_earlier_versions_kept_it(small.var / "cloud" / "state.sqlite3", older)
    small.start()
    with neon_client(small) as neon:
        life.neon = gone.neon = older.neon = neon
        life.settle()
        after = life.ask("GET", "/branches", sort_by="name").json()["branches"]
        assert [(one["id"], one["name"]) for one in after] == [(one["id"], one["name"]) for one in before]
        assert {one["current_state"] for one in after} == {"ready"}
        assert words(life.uri) == ["kept"]
        assert words(life.uri_of(made["branch"]["id"])) == ["kept", "too"]
        late = life.named("late")["id"]
        life.do("POST", "/endpoints", {"endpoint": {"branch_id": late, "type": "read_write"}})
        assert words(life.uri_of(late)) == ["kept"]
        assert gone.ask("POST", "/recover").status_code == 200
        assert words(gone.uri) == ["kept"]
        older.settle()
        branch = older.named("main")
        assert (branch["id"], branch["current_state"], branch["default"]) == (older.main, "ready", True)
        assert older.uri_of(older.main) == older.uri
        assert words(older.branch("dev")["connection_uris"][0]["connection_uri"]) == ["kept"]


def _as_earlier_versions_kept_it(state: Path, life: NeonLife) -> None:
    """With its only branch, role and database in the project's own row, and killed before its compute had started."""
    with sqlite3.connect(state) as store:
        row = store.execute("SELECT data FROM objects WHERE id = ?", (life.id,)).fetchone()
        data = json.loads(row[0])
        operations = [
            {name: value for name, value in one.items() if name not in ("work", "branch_id", "endpoint_id")}
            for one in data["operations"]
        ]
        operations[1]["status"] = "running"
        parameters = life.made["connection_uris"][0]["connection_parameters"]
        before = {
            "wishes": data["wishes"],
            "database": parameters["database"],
            "role": parameters["role"],
            "password": parameters["password"],
            "branch_id": life.main,
            "endpoint_id": life.made["endpoints"][0]["id"],
            "database_number": life.made["databases"][0]["id"],
            "updated_at": data["updated_at"],
            "operations": operations,
        }
        store.execute("UPDATE objects SET data = ? WHERE id = ?", (json.dumps(before), life.id))
        store.execute("DELETE FROM objects WHERE id = ?", (life.main,))
    store.close()


def test_an_account_has_as_many_projects_as_it_may(small: CloudUnderTest) -> None:
    with neon_client(small) as neon, neon_client(small, small.info["neon_friend_key"]) as friend:
        assert neon.get("/users/me").json()["projects_limit"] == 3
        before = [one["id"] for one in neon.get("/projects").json()["projects"]]
        projects = before + [NeonLife(neon).id for _ in range(3 - len(before))]
        refused = neon.post("/projects", json={"project": {}})
        assert (refused.status_code, refused.json()["code"]) == (422, "PROJECTS_LIMIT_EXCEEDED")
        assert refused.json()["message"] == "user projects limit of 3 exceeded, got 3"
        theirs = NeonLife(friend)
        offered = theirs.ask("POST", "/transfer_requests").json()
        unwanted = neon.put(f"/projects/{theirs.id}/transfer_requests/{offered['id']}")
        assert unwanted.status_code == 406
        assert unwanted.json()["reasons"][0]["code"] == "PROJECTS_LIMIT_EXCEEDED"
        assert neon.delete(f"/projects/{projects[0]}").status_code == 200
        NeonLife(neon)
        assert neon.post(f"/projects/{projects[0]}/recover").json()["code"] == "PROJECTS_LIMIT_EXCEEDED"
