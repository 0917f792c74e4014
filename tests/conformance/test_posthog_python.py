"""PostHog as its Python client sees it: captured, grouped, identified, asked for flags; then listed, read, deleted."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from posthog import Posthog

from tests.conformance.conftest import Exercised
from tests.conformance.stats import arrived, private, rows
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("posthog", "posthog (Python)")

Client = Callable[..., Posthog]


@pytest.fixture
def group() -> str:
    return f"mk0r-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def client(well: CloudUnderTest) -> Iterator[Client]:
    """Makes clients, pointed here, and ends them."""
    made: list[Posthog] = []

    def make(**more: Any) -> Posthog:
        one = Posthog(well.keys["posthog"], host=f"{well.base_url}/posthog", **more)
        made.append(one)
        return one

    yield make
    for one in made:
        one.shutdown()


@pytest.mark.parametrize(("mode", "packed"), [("v0", False), ("v0", True), ("v1", False)])
def test_events_are_captured_in_every_mode(
    well: CloudUnderTest, client: Client, group: str, exercised: Exercised, mode: str, packed: bool
) -> None:
    posthog = client(capture_mode=mode, gzip=packed, flush_at=20)
    for number in range(45):
        posthog.capture("visited", distinct_id=f"{group}-{number % 3}", groups={"app": group}, properties={"n": number})
    posthog.flush()
    arrived(well, group, {"visited": 45})
    assert rows(
        well, "SELECT uniq(person_id), sum(properties.n) FROM events WHERE properties.$groups.app = {g}", g=group
    ) == [[3, 990]]
    exercised(f"capture ({mode}{', gzip' if packed else ''})")


def test_a_person_is_set_aliased_and_counted_once(
    well: CloudUnderTest, client: Client, group: str, exercised: Exercised
) -> None:
    posthog, ada = client(), f"{group}-ada"
    posthog.capture("visited", distinct_id=f"{ada}-before", groups={"app": group})
    posthog.alias(f"{ada}-before", ada)
    exercised("alias")
    posthog.set(distinct_id=ada, properties={"plan": "free", "seats": 2})
    posthog.set_once(distinct_id=ada, properties={"plan": "never", "first": "today"})
    posthog.capture("signed up", distinct_id=ada, groups={"app": group})
    posthog.flush()
    arrived(well, group, {"visited": 1, "signed up": 1})
    assert rows(well, "SELECT uniq(person_id) FROM events WHERE properties.$groups.app = {g}", g=group) == [[1]]
    (person,) = private(well, f"/persons/?distinct_id={ada}").json()["results"]
    assert person["properties"] | {"plan": "free", "seats": 2, "first": "today"} == person["properties"]
    exercised("set, set_once")


def test_a_group_is_named_and_read(well: CloudUnderTest, client: Client, group: str, exercised: Exercised) -> None:
    posthog = client()
    posthog.group_identify("app", group, {"name": "Guestbook"})
    posthog.group_identify("app", group, {"open": True})
    posthog.flush()
    kinds = private(well, "/groups_types/").json()
    place = next(kind["group_type_index"] for kind in kinds if kind["group_type"] == "app")
    found = private(well, f"/groups/find?group_type_index={place}&group_key={group}").json()
    assert found["group_properties"] == {"name": "Guestbook", "open": True}
    exercised("group_identify")


def test_there_are_no_flags_and_the_client_hears_so(
    well: CloudUnderTest, client: Client, group: str, exercised: Exercised
) -> None:
    posthog = client()
    assert posthog.get_all_flags(group) == {}
    exercised("get_all_flags")
    assert not posthog.evaluate_flags(group).is_enabled("beta")
    exercised("evaluate_flags")
    local = client(secret_key=well.info["posthog_personal_key"], poll_interval=3600)
    local.load_feature_flags()
    assert local.feature_flags == []
    assert not local.evaluate_flags(group, only_evaluate_locally=True).is_enabled("beta")
    exercised("load_feature_flags")


def test_an_exception_is_an_event(well: CloudUnderTest, client: Client, group: str, exercised: Exercised) -> None:
    posthog = client()
    try:
        raise ValueError("the shelf is empty")
    except ValueError as error:
        posthog.capture_exception(error, distinct_id=group, groups={"app": group})
    posthog.flush()
    arrived(well, group, {"$exception": 1})
    exercised("capture_exception")


def test_events_are_listed_by_pages_read_and_deleted_with_their_person(
    well: CloudUnderTest, client: Client, group: str, exercised: Exercised
) -> None:
    posthog, sent = client(), [str(uuid.uuid4()) for _ in range(5)]
    for number, identity in enumerate(sent):
        posthog.capture(
            "visited", distinct_id=group, groups={"app": group}, uuid=identity, properties={"number": number},
            timestamp=f"2026-01-01T00:00:0{number}+00:00",
        )  # fmt: skip
    posthog.flush()
    arrived(well, group, {"visited": 5})
    seen, following = [], f"/events/?distinct_id={group}&limit=2"
    while following:
        page = private(well, following).json()
        seen += [row["properties"]["number"] for row in page["results"]]
        following = page["next"]
    assert seen == [4, 3, 2, 1, 0]
    exercised("events.list")
    assert private(well, f"/events/{sent[0]}/").json()["distinct_id"] == group
    exercised("events.retrieve")
    (person,) = private(well, f"/persons/?distinct_id={group}").json()["results"]
    assert private(well, f"/persons/{person['id']}/?delete_events=true", "DELETE").status_code == 202
    exercised("persons.delete")
    assert private(well, f"/events/?distinct_id={group}").json()["results"] == []
    assert private(well, f"/persons/?distinct_id={group}").json()["results"] == []
