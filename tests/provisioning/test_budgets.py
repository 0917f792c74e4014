"""What a vendor lets us ask is read from settings, shared by every process, and never exceeded (I-25)."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from provisioning import budgets, rates
from provisioning.models import Bucket
from provisioning.providers.registry import STEPS, step_for
from provisioning.rates import Rate
from tests.provisioning.vendors_asked import LONG, REPOSITORY, with_own_connection

PROJECT = step_for("neon", "project")


def most_within(moments: list[datetime], seconds: float) -> int:
    """The most moments that any half-open window of that length holds."""
    stamps = sorted(moment.timestamp() for moment in moments)
    return max(sum(1 for other in stamps if start <= other < start + seconds) for start in stamps)


def test_a_budget_is_read_as_it_is_written() -> None:
    assert rates.parse("80/m,500/h") == (Rate(80, 60), Rate(500, 3600))
    assert rates.parse(" 500/h , 80/m ") == (Rate(80, 60), Rate(500, 3600))
    assert rates.parse("") == rates.parse("  ") == ()


@pytest.mark.parametrize(
    "text", ["80", "80/w", "0/s", "-1/s", "5/s,", ",", "5/s,6/s", "1.5/s", "5 / s", "٥/s", "5/s\n6/m"]
)
def test_a_budget_that_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="N/s, N/m, N/h or N/d"):
        rates.parse(text)


def test_a_bad_budget_stops_the_start_and_names_itself() -> None:
    code = "import mk0r.settings"
    environment = {
        "GITHUB_BUDGET": "80 a minute",
        "SECRET_KEY": "x",
        "MK0R_ENCRYPTION_KEYS": "x",
        "MK0R_VAR": "/nowhere",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ImproperlyConfigured: GITHUB_BUDGET: '80 a minute' is not N/s" in done.stderr


def test_a_stand_in_on_this_machine_has_no_budget_unless_one_is_set(settings: Any, budget: Any) -> None:
    settings.GITHUB_API_URL = "https://api.github.com"
    assert budgets.rates_of(REPOSITORY) == (Rate(80, 60), Rate(500, 3600))
    settings.GITHUB_API_URL = "http://127.0.0.1:8001/github"
    assert budgets.rates_of(REPOSITORY) == ()
    budget("github", "2/s")
    assert budgets.rates_of(REPOSITORY) == (Rate(2, 1),)
    settings.GITHUB_API_URL = "https://api.github.com"
    budget("github", "")
    assert budgets.rates_of(REPOSITORY) == ()


def test_every_vendor_that_is_asked_has_a_default_and_one_price() -> None:
    remote = {step.provider for step in STEPS if step.remote}
    assert remote == set(budgets.DEFAULTS)
    for provider in remote:
        assert len({step.cost for step in STEPS if step.provider == provider}) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("step", "text", "attempts"),
    [
        (REPOSITORY, "80/m,500/h", 700),
        (REPOSITORY, "5/s", 40),
        (REPOSITORY, "1/s", 10),
        (REPOSITORY, "1/h", 3),
        (PROJECT, "11/s", 20),
        (PROJECT, "700/m", 400),
        (PROJECT, "3/s", 6),
    ],
)
def test_i25_the_places_in_no_window_are_more_than_the_budget(step: Any, text: str, attempts: int) -> None:
    told = rates.parse(text)
    places = [budgets.reserve(step, told, patience=LONG).at for _ in range(attempts)]
    assert places == sorted(places)
    for rate in told:
        windows = -(-step.cost // rate.count)
        assert most_within(places, rate.seconds * windows) * step.cost <= rate.count * windows


@pytest.mark.django_db
def test_i25_the_window_holds_as_well_when_every_start_is_late_by_as_much_as_is_allowed() -> None:
    told = rates.parse("80/m,500/h")
    places = [budgets.reserve(REPOSITORY, told, patience=LONG).at for _ in range(600)]
    late = [at + timedelta(seconds=budgets.GRACE * 0.999 * (number % 2)) for number, at in enumerate(places)]
    for rate in told:
        assert most_within(late, rate.seconds) <= rate.count


@pytest.mark.django_db
def test_a_small_crowd_is_let_in_at_once_and_the_rest_evenly() -> None:
    told = rates.parse("80/m,500/h")
    waits = [budgets.reserve(REPOSITORY, told, patience=LONG).wait for _ in range(20)]
    assert waits[:16] == [0.0] * 16
    assert all(0 < wait < 6 for wait in waits[16:])


@pytest.mark.django_db
def test_a_place_too_far_away_is_not_booked_and_leaves_the_queue_as_it_was() -> None:
    told = rates.parse("1/m")
    assert budgets.reserve(REPOSITORY, told, patience=10).wait == 0.0
    booked = Bucket.objects.get().booked_until
    for _ in range(3):
        place = budgets.reserve(REPOSITORY, told, patience=10)
        assert not place.taken
        assert 50 < place.wait < 70
    assert Bucket.objects.get().booked_until == booked


@pytest.mark.django_db(transaction=True)
def test_i25_many_who_ask_at_once_get_places_that_fit_one_budget() -> None:
    told = rates.parse("60/m,300/h")

    def ask(_: int) -> datetime:
        place: budgets.Place = with_own_connection(budgets.reserve, REPOSITORY, told, patience=LONG)
        return place.at

    with ThreadPoolExecutor(16) as pool:
        places = list(pool.map(ask, range(320)))
    assert most_within(places, 60) <= 60
    assert most_within(places, 3600) <= 300
    assert_nobody_shares_a_place(places)


def assert_nobody_shares_a_place(places: list[datetime]) -> None:
    """After the twelve that 60/m lets in at once, each has a place of its own: 65 s for 49 of them."""
    ordered = sorted(places)[12:]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(ordered)]
    assert min(gaps) > 65 / 49 * 0.99


PROCESS = """
import django; django.setup()
from provisioning import budgets, rates
from provisioning.providers.registry import step_for
told = rates.parse("60/m")
for _ in range({count}):
    print(budgets.reserve(step_for("github", "repository"), told, patience=1e6).at.isoformat(), flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_i25_processes_that_know_nothing_of_each_other_share_it() -> None:
    held = connection.settings_dict
    environment = {
        "DATABASE_URL": f"postgres://{held['USER']}:{held['PASSWORD']}@{held['HOST']}:{held['PORT']}/{held['NAME']}",
        "DJANGO_SETTINGS_MODULE": "mk0r.settings",
        "SECRET_KEY": "x",
        "MK0R_ENCRYPTION_KEYS": "t1:dGVzdC1vbmx5LTMyLWJ5dGVzLWtleS0wMDAwMDAwMDA=",
        "MK0R_VAR": "/nowhere",
    }
    command = [sys.executable, "-c", PROCESS.format(count=40)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    places = [datetime.fromisoformat(line) for each in running for line in each.communicate()[0].split()]
    assert len(places) == 120
    assert most_within(places, 60) <= 60
    assert_nobody_shares_a_place(places)
