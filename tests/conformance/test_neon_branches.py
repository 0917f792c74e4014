"""Neon's branches as psycopg sees them: made from one another, and put back, each with data of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.neon import NeonLife, neon_life, say, words

pytestmark = pytest.mark.client("neon", "psycopg (Python)")


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


def test_a_branch_is_made_while_its_parent_is_in_use(life: NeonLife) -> None:
    say(life.uri, "before")
    with psycopg.connect(life.uri) as held:
        made = life.branch("dev")
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            held.execute("SELECT 1")
    assert words(life.uri_of(made["branch"]["id"])) == ["before"]
    assert words(life.uri) == ["before"]


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
