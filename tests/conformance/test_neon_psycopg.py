"""Neon's databases as psycopg sees them: the data, roles and databases of each branch are its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.fixtures.neon import NeonLife, neon_client, neon_life, run, say, words

pytestmark = pytest.mark.client("neon", "psycopg (Python)")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    """A localcloud of its own, whose accounts may have three projects each."""
    var = tmp_path_factory.mktemp("small")
    with run_cloud(var, environment={"MK0R_CLOUD_NEON_PROJECTS": "3"}) as running:
        yield running


@pytest.fixture
def life(well: CloudUnderTest) -> Iterator[NeonLife]:
    with neon_life(well) as made:
        yield made


def test_a_branch_begins_with_its_parents_data_and_goes_its_own_way(life: NeonLife) -> None:
    say(life.uri, "before")
    answer = life.ask("POST", "/branches", {"branch": {"name": "dev"}, "endpoints": [{"type": "read_write"}]})
    made = answer.json()
    assert answer.status_code == 201
    assert [(one["action"], one["status"]) for one in made["operations"]] == [
        ("create_branch", "running"), ("start_compute", "scheduling"),
    ]  # fmt: skip
    assert (made["branch"]["current_state"], made["branch"]["pending_state"]) == ("init", "ready")
    assert life.ask("POST", "/branches", {}).status_code == 423
    life.settle()
    branch = life.ask("GET", f"/branches/{made['branch']['id']}").json()["branch"]
    assert (branch["current_state"], branch["parent_id"]) == ("ready", life.main)
    assert "pending_state" not in branch
    assert "/" in branch["parent_lsn"]
    theirs = made["connection_uris"][0]["connection_uri"]
    say(theirs, "there")
    say(life.uri, "here")
    assert words(theirs) == ["before", "there"]
    assert words(life.uri) == ["before", "here"]


def test_what_is_in_a_branch_belongs_to_its_own_roles(life: NeonLife) -> None:
    other = life.do("POST", f"/branches/{life.main}/roles", {"role": {"name": "reader"}})["role"]
    run(
        life.uri,
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.cake (id serial PRIMARY KEY, name text, price int)",
        f"GRANT USAGE ON SCHEMA shop TO {other['name']}",
        f"GRANT SELECT, INSERT ON shop.cake TO {other['name']}",
        f"GRANT UPDATE (price) ON shop.cake TO {other['name']}",
        f"GRANT USAGE ON SEQUENCE shop.cake_id_seq TO {other['name']}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO {other['name']}",
        "ALTER TABLE shop.cake ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY cheap ON shop.cake FOR SELECT TO {other['name']} USING (price < 10)",
        f"CREATE POLICY adding ON shop.cake FOR INSERT TO {other['name']} WITH CHECK (true)",
        "INSERT INTO shop.cake (name, price) VALUES ('plum', 3), ('gold', 300)",
        f"ALTER DATABASE {life.made['databases'][0]['name']} SET statement_timeout = '7s'",
    )
    made = life.branch("dev")
    branch = made["branch"]["id"]
    owner = life.uri_of(branch)
    reader = life.uri_of(branch, role="reader")
    assert f"//{other['name']}:" not in reader
    assert run(reader, "INSERT INTO shop.cake (name, price) VALUES ('rye', 4)", "SELECT name FROM shop.cake") == [
        ("plum",), ("rye",),
    ]  # fmt: skip
    run(owner, "CREATE TABLE shop.tea (name text)", "ALTER TABLE shop.cake ADD COLUMN nice bool")
    assert run(reader, "SELECT * FROM shop.tea") == []
    assert run(owner, "SHOW statement_timeout") == [("7s",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(reader, "UPDATE shop.cake SET name = 'x'")
    # And the parent kept all of it.
    assert run(life.uri_of(life.main, role="reader"), "SELECT name FROM shop.cake") == [("plum",)]
    run(life.uri, "ALTER TABLE shop.cake ADD COLUMN more bool", f"GRANT CREATE ON SCHEMA shop TO {other['name']}")
    # Nobody comes into the other's branch.
    for uri, foreign in ((life.uri, owner), (owner, life.uri)):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(uri.rpartition("/")[0] + "/" + foreign.rpartition("/")[2])


def test_a_branch_is_made_while_its_parent_is_in_use(life: NeonLife) -> None:
    say(life.uri, "before")
    with psycopg.connect(life.uri) as held:
        made = life.branch("dev")
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            held.execute("SELECT 1")
    assert words(life.uri_of(made["branch"]["id"])) == ["before"]
    assert words(life.uri) == ["before"]


def test_a_branch_without_a_compute_cannot_be_connected_to_until_it_has_one(life: NeonLife) -> None:
    made = life.do("POST", "/branches")
    assert made["branch"]["name"] == made["branch"]["id"]
    assert made["endpoints"] == []
    assert "connection_uris" not in made
    query = {"branch_id": made["branch"]["id"], "database_name": "neondb", "role_name": "neondb_owner"}
    assert life.ask("GET", "/connection_uri", **query).status_code == 404
    database, role = made["databases"][0]["name"], made["roles"][0]
    closed = life.uri.partition("@")[2].rpartition("/")[0]
    uri = f"postgresql://{role['name']}:{role['password']}@{closed}/{database}"
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(uri)
    body = {"endpoint": {"branch_id": made["branch"]["id"], "type": "read_write"}}
    compute = life.do("POST", "/endpoints", body)["endpoint"]
    assert (compute["current_state"], compute["pending_state"]) == ("init", "active")
    assert life.ask("POST", "/endpoints", body).status_code == 409
    psycopg.connect(uri).close()
    assert life.ask("GET", "/connection_uri", **query).json()["uri"] == uri
    assert life.do("DELETE", f"/endpoints/{compute['id']}")["endpoint"]["id"] == compute["id"]
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(uri)
    assert life.ask("GET", f"/branches/{made['branch']['id']}/endpoints").json() == {"endpoints": []}


def test_a_suspended_compute_ends_its_connections_and_wakes_with_the_next(life: NeonLife) -> None:
    compute = f"/endpoints/{life.made['endpoints'][0]['id']}"
    with psycopg.connect(life.uri) as held:
        suspended = life.do("POST", f"{compute}/suspend")
        assert [one["action"] for one in suspended["operations"]] == ["suspend_compute"]
        with pytest.raises(psycopg.OperationalError):
            held.execute("SELECT 1")
    idle = life.ask("GET", compute).json()["endpoint"]
    assert idle["current_state"] == "idle"
    assert idle["suspended_at"]
    with psycopg.connect(life.uri):
        assert life.ask("GET", compute).json()["endpoint"]["current_state"] == "active"
    life.do("POST", f"{compute}/suspend")
    life.do("POST", f"{compute}/start")
    assert life.ask("GET", compute).json()["endpoint"]["current_state"] == "active"
    assert [one["action"] for one in life.do("POST", f"{compute}/restart")["operations"]] == [
        "suspend_compute", "start_compute",
    ]  # fmt: skip


def test_a_disabled_compute_lets_nobody_in(life: NeonLife) -> None:
    compute = f"/endpoints/{life.made['endpoints'][0]['id']}"
    changed = life.do("PATCH", compute, {"endpoint": {"disabled": True, "suspend_timeout_seconds": 60, "name": "one"}})
    assert (changed["endpoint"]["disabled"], changed["endpoint"]["name"]) == (True, "one")
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(life.uri)
    assert life.ask("GET", compute).json()["endpoint"]["current_state"] == "idle"
    assert life.ask("POST", f"{compute}/start").status_code == 422
    life.do("PATCH", compute, {"endpoint": {"disabled": False}})
    psycopg.connect(life.uri).close()
    assert life.ask("GET", compute).json()["endpoint"]["suspend_timeout_seconds"] == 60


def test_a_branch_is_reset_from_its_parent(life: NeonLife) -> None:
    say(life.uri, "before")
    made = life.branch("dev")
    dev, uri = made["branch"]["id"], made["connection_uris"][0]["connection_uri"]
    say(uri, "dropped")
    say(life.uri, "later")
    restored = life.do("POST", f"/branches/{dev}/restore", {"source_branch_id": life.main})
    assert restored["branch"]["id"] == dev
    assert words(uri) == ["before", "later"]  # the same connection string
    assert [one["name"] for one in life.ask("GET", "/branches").json()["branches"]] == ["dev", "main"]
    assert life.named("dev")["last_reset_at"]
    assert life.named("dev")["current_state"] == "ready"


def test_what_a_restored_branch_held_is_preserved_with_its_children(life: NeonLife) -> None:
    say(life.uri, "good")
    backup = life.branch("backup")["branch"]["id"]
    say(life.uri, "bad")
    body = {"source_branch_id": backup}
    assert life.ask("POST", f"/branches/{life.main}/restore", body).status_code == 422  # it has a child
    life.do("POST", f"/branches/{life.main}/restore", body | {"preserve_under_name": "main_old"})
    assert words(life.uri) == ["good"]
    old, main = life.named("main_old"), life.named("main")
    assert (main["id"], main["default"], main["parent_id"]) == (life.main, True, backup)
    assert life.named("backup")["parent_id"] == old["id"]
    assert "parent_id" not in old
    life.do("POST", "/endpoints", {"endpoint": {"branch_id": old["id"], "type": "read_write"}})
    assert words(life.uri_of(old["id"])) == ["bad", "good"]
    say(life.uri_of(old["id"]), "still its owner")


def test_the_past_is_there_only_where_it_was_recorded(life: NeonLife) -> None:
    say(life.uri, "then")
    made = life.do("POST", f"/branches/{life.main}/snapshot", name="friday")
    assert "lsn" not in made["snapshot"]  # known once it has been taken
    (snapshot,) = life.ask("GET", "/snapshots").json()["snapshots"]
    assert (snapshot["name"], snapshot["source_branch_id"]) == ("friday", life.main)
    say(life.uri, "now")
    point = life.branch("at-lsn", parent_lsn=snapshot["lsn"])
    assert words(point["connection_uris"][0]["connection_uri"]) == ["then"]
    moment = life.branch("at-moment", parent_timestamp=snapshot["timestamp"])
    assert words(moment["connection_uris"][0]["connection_uri"]) == ["then"]
    for wish in ({"parent_timestamp": "2024-02-26T12:00:00Z"}, {"parent_lsn": "0/16B3748"}):
        refused = life.ask("POST", "/branches", {"branch": wish})
        assert refused.status_code == 501
        assert "no history" in refused.json()["message"]
    restore = {"source_branch_id": life.main, "source_timestamp": snapshot["timestamp"]}
    assert life.ask("POST", f"/branches/{life.main}/restore", restore).status_code == 422
    life.do("POST", f"/branches/{life.main}/restore", restore | {"preserve_under_name": "before"})
    assert words(life.uri) == ["then"]
    life.do("POST", "/endpoints", {"endpoint": {"branch_id": life.named("before")["id"], "type": "read_write"}})
    assert words(life.uri_of(life.named("before")["id"])) == ["now", "then"]


def test_a_snapshot_becomes_a_branch_or_takes_a_branchs_place(life: NeonLife) -> None:
    say(life.uri, "then")
    life.do("POST", f"/branches/{life.main}/snapshot")
    (snapshot,) = life.ask("GET", "/snapshots").json()["snapshots"]
    one = f"/snapshots/{snapshot['id']}"
    assert life.ask("PATCH", one, {"snapshot": {"name": "kept"}}).json()["snapshot"]["name"] == "kept"
    say(life.uri, "now")
    branch = life.do("POST", f"{one}/restore", {"name": "look"})["branch"]
    life.do("POST", "/endpoints", {"endpoint": {"branch_id": branch["id"], "type": "read_write"}})
    assert words(life.uri_of(branch["id"])) == ["then"]
    life.do("POST", f"{one}/restore", {"finalize_restore": True, "name": "away"})
    assert words(life.uri) == ["then"]
    assert life.named("look")["parent_id"] == life.named("away")["id"]
    assert life.ask("DELETE", one).status_code == 202
    life.settle()
    assert life.ask("GET", "/snapshots").json() == {"snapshots": []}
    assert life.ask("DELETE", one).status_code == 404


def test_branches_are_listed_by_pages_in_the_order_that_is_asked_for(life: NeonLife) -> None:
    for name in ("one", "two", "three"):
        life.do("POST", "/branches", {"branch": {"name": name}, "annotation_value": {"for": name}})
    seen: list[str] = []
    query: dict[str, Any] = {"sort_by": "name", "sort_order": "asc", "limit": 3}
    while True:
        page = life.ask("GET", "/branches", **query).json()
        seen += [one["name"] for one in page["branches"]]
        if "next" not in page["pagination"]:
            break
        query["cursor"] = page["pagination"]["next"]
    assert seen == ["main", "one", "three", "two"]
    newest = life.ask("GET", "/branches", sort_by="created_at").json()
    assert [one["name"] for one in newest["branches"]] == ["three", "two", "one", "main"]
    assert sorted(one["value"]["for"] for one in newest["annotations"].values()) == ["one", "three", "two"]
    assert life.ask("GET", "/branches/count", search="t").json()["count"] == 2
    past = life.ask("GET", "/branches", cursor=query["cursor"], sort_by="name", sort_order="asc", limit=1).json()
    again = life.ask("GET", "/branches", sort_by="name", sort_order="asc", cursor=query["cursor"], search="main").json()
    assert (len(past["branches"]), again["branches"]) == (1, [])
    for bad in ({"sort_by": "size"}, {"sort_order": "up"}, {"limit": 0}, {"cursor": "?"}):
        assert life.ask("GET", "/branches", **bad).status_code == 400


def test_a_branch_gets_another_name_and_becomes_the_default(life: NeonLife) -> None:
    dev = life.branch("dev")["branch"]["id"]
    taken = life.ask("PATCH", f"/branches/{dev}", {"branch": {"name": "main"}})
    assert taken.status_code == 409
    assert taken.json()["message"] == 'branch already exists; branch_name:"main"'
    assert life.do("PATCH", f"/branches/{dev}", {"branch": {"name": "next"}})["branch"]["name"] == "next"
    assert life.do("POST", f"/branches/{dev}/set_as_default")["branch"]["default"] is True
    assert [one["name"] for one in life.ask("GET", "/branches").json()["branches"] if one["default"]] == ["next"]
    query = {"database_name": "neondb", "role_name": "neondb_owner"}
    assert life.ask("GET", "/connection_uri", **query).json()["uri"] == life.uri_of(dev)
    assert life.ask("DELETE", f"/branches/{dev}").json()["message"] == "cannot delete the default branch"


def test_a_branch_is_deleted_once_nothing_hangs_on_it(life: NeonLife, well: CloudUnderTest) -> None:
    made = life.branch("dev")
    dev, uri = made["branch"]["id"], made["connection_uris"][0]["connection_uri"]
    leaf = life.branch("leaf", parent_id=dev)["branch"]["id"]
    for branch, why in ((life.main, "the root branch"), (dev, "branch that has children")):
        refused = life.ask("DELETE", f"/branches/{branch}")
        assert (refused.status_code, refused.json()["message"]) == (422, f"cannot delete {why}")
    life.do("PATCH", f"/branches/{leaf}", {"branch": {"protected": True}})
    assert life.ask("DELETE", f"/branches/{leaf}").status_code == 422
    life.do("PATCH", f"/branches/{leaf}", {"branch": {"protected": False}})
    life.do("DELETE", f"/branches/{leaf}")
    gone = life.do("DELETE", f"/branches/{dev}")
    assert [one["action"] for one in gone["operations"]] == ["suspend_compute", "delete_timeline"]
    assert life.ask("GET", f"/branches/{dev}").status_code == 404
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri)
    rows = {row["id"]: bool(row["deleted_at"]) for row in well.ledger(vendor="neon", kind="branch")}
    assert (rows[life.main], rows[dev], rows[leaf]) == (False, True, True)


def test_a_branch_has_roles_and_databases_of_its_own(life: NeonLife) -> None:
    dev = life.branch("dev")["branch"]["id"]
    role = life.do("POST", f"/branches/{dev}/roles", {"role": {"name": "clerk"}})["role"]
    body = {"database": {"name": "shop", "owner_name": "clerk"}}
    database = life.do("POST", f"/branches/{dev}/databases", body)["database"]
    assert database["owner_name"] == role["name"]
    assert life.ask("POST", f"/branches/{dev}/databases", body).status_code == 409
    uri = life.uri_of(dev, "shop", "clerk")
    say(uri, "open")
    assert life.ask("GET", f"/branches/{life.main}/roles/clerk").status_code == 404
    assert life.ask("GET", f"/branches/{life.main}/databases/shop").status_code == 404
    assert life.ask("DELETE", f"/branches/{dev}/roles/clerk").status_code == 422  # it owns a database
    renamed = life.do("PATCH", f"/branches/{dev}/databases/shop", {"database": {"name": "store"}})["database"]
    assert renamed["id"] == database["id"]
    assert words(life.uri_of(dev, "store", "clerk")) == ["open"]
    life.do("PATCH", f"/branches/{dev}/databases/store", {"database": {"owner_name": "neondb_owner"}})
    life.do("DELETE", f"/branches/{dev}/roles/clerk")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri)
    assert words(life.uri_of(dev, "store")) == ["open"]  # its tables have another owner
    life.do("DELETE", f"/branches/{dev}/databases/store")
    assert life.ask("DELETE", f"/branches/{dev}/databases/store").status_code == 204
    assert len(life.ask("GET", f"/branches/{dev}/databases").json()["databases"]) == 1
    silent = life.do("POST", f"/branches/{dev}/roles", {"role": {"name": "group", "no_login": True}})["role"]
    assert "password" not in silent


def test_a_password_is_one_branchs_alone(life: NeonLife) -> None:
    made = life.branch("dev")
    uri = made["connection_uris"][0]["connection_uri"]
    life.do("POST", f"/branches/{made['branch']['id']}/roles/neondb_owner/reset_password")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(uri)
    psycopg.connect(life.uri_of(made["branch"]["id"])).close()
    psycopg.connect(life.uri).close()


def test_201_comes_before_one_can_connect(well: CloudUnderTest) -> None:
    with neon_client(well) as neon:
        made = neon.post("/projects", json={"project": {"name": "mk0r-early"}})
    uri = made.json()["connection_uris"][0]["connection_uri"]
    assert made.status_code == 201
    assert "sslmode" not in uri
    assert [item["status"] for item in made.json()["operations"]] == ["running", "scheduling"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(uri)


def test_it_says_which_postgres_it_is(life: NeonLife) -> None:
    with psycopg.connect(life.uri) as connection:
        assert life.made["project"]["pg_version"] == connection.info.server_version // 10000


def test_a_role_reaches_its_own_database_only(life: NeonLife, well: CloudUnderTest) -> None:
    with neon_life(well) as other:
        theirs = other.made["connection_uris"][0]["connection_parameters"]
    for database in (theirs["database"], "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match=r"permission denied|CONNECT"):
            psycopg.connect(life.uri.rpartition("/")[0] + "/" + database)
    with psycopg.connect(life.uri, autocommit=True) as connection:
        for statement in (
            "CREATE DATABASE mine",
            "CREATE ROLE mine",
            "ALTER ROLE current_user SUPERUSER",
            "SET temp_file_limit = -1",
            "COPY (SELECT 1) TO PROGRAM 'id'",
            "SELECT pg_read_file('/etc/passwd')",
            f"DROP ROLE {theirs['role']}",
        ):
            with pytest.raises(psycopg.Error, match=r'permission denied|must be|role "current_user"'):
                connection.execute(statement)


def test_a_role_has_limits(life: NeonLife) -> None:
    assert run(life.uri, "SHOW temp_file_limit") == [("256MB",)]
    open_ones: list[psycopg.Connection] = []
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        open_ones.extend(psycopg.connect(life.uri) for _ in range(21))
    for connection in open_ones:
        connection.close()


def test_a_new_password_is_told_at_once_and_holds_once_its_operation_has_finished(life: NeonLife) -> None:
    role = f"/branches/{life.main}/roles/{life.made['roles'][0]['name']}"
    answer = life.ask("POST", f"{role}/reset_password")
    assert answer.status_code == 200
    password = answer.json()["role"]["password"]
    assert password not in life.uri
    assert [(one["action"], one["status"]) for one in answer.json()["operations"]] == [("apply_config", "running")]
    assert life.ask("POST", f"{role}/reset_password").status_code == 423
    life.settle()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(life.uri)
    assert password in life.uri_of(life.main)
    psycopg.connect(life.uri_of(life.main)).close()


def test_a_deleted_project_is_closed_and_recovered_with_its_data(life: NeonLife) -> None:
    say(life.uri, "kept")
    dev = life.branch("dev")["connection_uris"][0]["connection_uri"]
    say(dev, "too")
    with psycopg.connect(life.uri) as held:
        assert life.ask("DELETE", "").status_code == 200
        with pytest.raises(psycopg.OperationalError):
            held.execute("SELECT 1")
    for uri in (life.uri, dev):
        with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
            psycopg.connect(uri)
    assert life.ask("POST", "/recover").status_code == 200
    assert (words(life.uri), words(dev)) == (["kept"], ["kept", "too"])


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
