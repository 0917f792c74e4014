"""How many sessions strangers may begin: from one network in a while, and in all at once (I-25)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from django.test import AsyncClient
from django.utils import timezone

from provisioning import rates
from sessions_app import services
from sessions_app.addresses import network_of
from sessions_app.errors import Limit
from sessions_app.models import Session
from tests.sessions.conftest import open_socket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def three_an_hour(settings: Any) -> None:
    settings.MK0R_SESSIONS_PER_NETWORK = rates.parse("3/h,4/d")


def at_once(count: int, begin: Callable[[int], Any]) -> list[str]:
    """What came of `count` beginnings at the same time: the limit that was met, or nothing."""

    def one(number: int) -> str:
        try:
            begin(number)
        except Limit as refused:
            return refused.limit
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.usefixtures("three_an_hour")
def test_i25_of_many_at_once_from_one_network_just_so_many_begin() -> None:
    came = at_once(8, lambda number: services.session_begin(None, address=f"203.0.113.{number}"))
    assert sorted(came) == ["", "", ""] + ["network"] * 5
    assert Session.objects.count() == 3
    services.session_begin(None, address="198.51.100.7")


@pytest.mark.usefixtures("three_an_hour")
def test_i25_the_limit_says_until_when_and_holds_no_longer() -> None:
    for minutes in (50, 20, 1):
        made = services.session_begin(None, address="203.0.113.9")
        Session.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(minutes=minutes))
    with pytest.raises(Limit, match=r"begun 3 apps within one hour.* in 10 minutes") as refused:
        services.session_begin(None, address="203.0.113.9")
    oldest = Session.objects.order_by("created_at").first()
    assert oldest is not None
    assert refused.value.until == oldest.created_at + timedelta(hours=1)
    Session.objects.filter(pk=oldest.pk).update(created_at=timezone.now() - timedelta(minutes=61))
    services.session_begin(None, address="203.0.113.9")
    Session.objects.update(created_at=timezone.now() - timedelta(hours=2))
    with pytest.raises(Limit, match="4 apps within one day"):
        services.session_begin(None, address="203.0.113.9")


@pytest.mark.usefixtures("three_an_hour")
def test_i25_what_was_begun_already_is_given_again_at_the_limit(ada: Any, ben: Any) -> None:
    mine = services.session_join(ada.visitor, address="203.0.113.9")
    for key in ("one", "two"):
        services.session_begin(None, key, address="203.0.113.9")
    assert services.session_join(ada.visitor, address="203.0.113.9") == mine
    assert services.session_begin(None, "two", address="203.0.113.9")
    with pytest.raises(Limit):
        services.session_join(ben.visitor, address="203.0.113.9")


def test_i25_no_more_are_open_at_once_than_there_is_room_for(settings: Any) -> None:
    settings.MK0R_OPEN_SESSIONS = 2
    came = at_once(6, lambda _: services.session_begin(None))
    assert sorted(came) == ["", "", "sessions", "sessions", "sessions", "sessions"]
    session = Session.objects.first()
    assert session is not None
    services.session_end(session)
    services.session_begin(None)


@pytest.mark.usefixtures("three_an_hour")
async def test_i25_a_forged_header_is_no_way_around_it_and_rest_says_when_to_come_back(settings: Any) -> None:
    settings.MK0R_PROXIES = 1
    codes = []
    for number in range(4):
        told = {"X-Forwarded-For": f"6.6.{number}.6, 203.0.113.{number}"}  # the proxy appends the last
        answer = await AsyncClient().post("/api/sessions", headers=told)
        codes.append(answer.status_code)
    assert codes == [201, 201, 201, 429]
    assert (answer.json()["code"], answer.json()["limit"]) == ("limit", "network")
    assert 3500 < int(answer["Retry-After"]) <= 3600


@pytest.mark.usefixtures("three_an_hour")
async def test_i25_a_socket_is_told_as_well(ada: Any, settings: Any) -> None:
    settings.MK0R_PROXIES = 1
    for _ in range(3):
        await database_sync_to_async(services.session_begin)(None, address="203.0.113.9")
    forwarded = {"x-forwarded-for": "6.6.6.6, 203.0.113.77"}
    async with open_socket(cookie=ada.cookie, **forwarded) as socket:
        await socket.say("begin")
        error = await socket.until("error")
        assert (error["code"], error["limit"]) == ("limit", "network")
    async with ada.socket() as socket:  # straight from elsewhere
        await socket.say("begin")
        assert (await socket.until("snapshot", lambda frame: frame["session"] is not None))["session"]["slug"]


@pytest.mark.usefixtures("three_an_hour")
def test_i25_the_address_itself_is_not_kept() -> None:
    session = services.session_begin(None, address="203.0.113.9")
    assert len(session.network_hash) == 64
    assert not services.session_begin(None, address="unknown").network_hash


def test_nobody_is_counted_where_there_is_no_limit() -> None:
    assert not services.session_begin(None, address="203.0.113.9").network_hash


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_an_address_counts_with_its_network(address: str, network: str) -> None:
    assert network_of(address) == network
