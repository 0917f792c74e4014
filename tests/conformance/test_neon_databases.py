"""Neon's databases as psycopg sees them: who may come in, when, and what belongs to whom."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest

from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.neon import NeonLife, neon_client, neon_life, run, say, words

pytestmark = pytest.mark.client("neon", "psycopg (Python)")


@pytest.fixture
def life(well: CloudUnderTest) -> Iterator[NeonLife]:
    with neon_life(well) as made:
        yield made


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


def test_a_password_is_one_branchs_alone(life: NeonLife) -> None:
    made = life.branch("dev")
    uri = made["connection_uris"][0]["connection_uri"]
    life.do("POST", f"/branches/{made['branch']['id']}/roles/neondb_owner/reset_password")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(uri)
    psycopg.connect(life.uri_of(made["branch"]["id"])).close()
    psycopg.connect(life.uri).close()


def test_a_branch_has_roles_and_databases_of_its_own(life: NeonLife) -> None:
    made = life.branch("dev")
    dev, owner = made["branch"]["id"], made["roles"][0]
    run(made["connection_uris"][0]["connection_uri"], f"ALTER ROLE {owner['name']} PASSWORD 'changed'")
    role = life.do("POST", f"/branches/{dev}/roles", {"role": {"name": "clerk"}})["role"]
    by_itself = made["connection_uris"][0]["connection_uri"].replace(owner["password"], "changed")
    psycopg.connect(by_itself).close()  # another role's making left it alone
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
    left = by_itself.rpartition("/")[0] + "/" + renamed["name"]
    assert words(left) == ["open"]  # its tables have another owner
    life.do("DELETE", f"/branches/{dev}/databases/store")
    assert life.ask("DELETE", f"/branches/{dev}/databases/store").status_code == 204
    assert len(life.ask("GET", f"/branches/{dev}/databases").json()["databases"]) == 1
    silent = life.do("POST", f"/branches/{dev}/roles", {"role": {"name": "group", "no_login": True}})["role"]
    assert "password" not in silent


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
    for call in ("start", "restart"):
        assert life.ask("POST", f"{compute}/{call}").status_code == 422
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(life.uri)
    life.do("PATCH", compute, {"endpoint": {"disabled": False}})
    psycopg.connect(life.uri).close()
    assert life.ask("GET", compute).json()["endpoint"]["suspend_timeout_seconds"] == 60


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


def test_nothing_that_is_in_a_database_runs_with_more_rights_when_it_is_copied(life: NeonLife) -> None:
    """Whoever owns a database says where names are looked for in it, and who one is after connecting."""
    role, name = life.made["roles"][0]["name"], life.made["databases"][0]["name"]
    climb = f"BEGIN ALTER ROLE {role} SUPERUSER; EXCEPTION WHEN insufficient_privilege THEN NULL; END"
    run(
        life.uri,
        "CREATE SCHEMA evil",
        "CREATE FUNCTION evil.same(oid, oid) RETURNS bool LANGUAGE plpgsql AS "
        f"$$ BEGIN {climb}; RETURN $1 IN ($2); END $$",
        "CREATE FUNCTION evil.same(name, text) RETURNS bool LANGUAGE plpgsql AS "
        f"$$ BEGIN {climb}; RETURN $1::text IN ($2); END $$",
        "CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.same)",
        "CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.same)",
        f"ALTER DATABASE {name} SET search_path = evil, pg_catalog, public",
        f"ALTER DATABASE {name} SET default_transaction_read_only = on",
        f"ALTER DATABASE {name} SET role = '{role}'",
    )
    dev = life.branch("dev")["branch"]["id"]
    life.do("POST", f"/branches/{life.main}/roles", {"role": {"name": "clerk"}})
    life.do("DELETE", f"/branches/{life.main}/roles/clerk")
    for uri in (life.uri, life.uri_of(dev)):
        assert run(uri, "SELECT bool_or(rolsuper) FROM pg_roles WHERE rolname LIKE 'neondb_owner%'") == [(False,)]
        assert run(uri, "SHOW search_path") == [("evil, pg_catalog, public",)]


@pytest.mark.parametrize(
    "alike", ["a_name_that_is_longer_than_thirty_letters_", "とても長いデータベースの名前とても長い"]
)
def test_long_names_that_begin_alike_are_kept_apart(life: NeonLife, alike: str) -> None:
    owner, branch = life.made["roles"][0]["name"], f"/branches/{life.made['branch']['id']}"
    uris = []
    for last in "12":
        database = {"name": f"{alike}{last}", "owner_name": owner}
        made = life.do("POST", f"{branch}/databases", {"database": database})["database"]["name"]
        uris.append(life.ask("GET", f"/connection_uri?role_name={owner}&database_name={quote(made)}").json()["uri"])
        say(uris[-1], last)
    with psycopg.connect(uris[0]) as connection:
        assert len(connection.info.dbname.encode()) < 64  # Postgres would cut it, and then nothing kept them apart
    life.do("DELETE", f"{branch}/databases/{quote(alike + '2')}")
    assert words(uris[0]) == ["1"]
