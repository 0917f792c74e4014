"""Fixtures every test may use: a real Postgres, a real localcloud, a Chromium, settings that point at them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from embedded.postgres import Cluster
from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.fixtures.settings import vendor_values

# An example that takes long on a busy machine is no fault. What else the profile in force says stays: CI has one.
hypothesis.settings.register_profile("mk0r", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("mk0r")

IN_CI = os.environ.get("CI") == "true"


def missing(what: str) -> None:
    """Skip for want of `what`; in CI, where everything is installed, that is a failure instead."""
    if IN_CI:
        pytest.fail(f"{what} is missing in CI")
    pytest.skip(f"{what} is not installed on this machine")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run a cluster of our own for the test databases, unless DATABASE_URL names one."""
    if os.environ.get("DATABASE_URL"):
        yield
        return
    from django.db import connections

    cluster = Cluster(
        tmp_path_factory.mktemp("postgres"), 0, {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    )
    cluster.start()
    connections["default"].settings_dict.update(
        HOST="127.0.0.1", PORT=cluster.port, USER="mk0r", PASSWORD=cluster.password, NAME="mk0r"
    )
    yield
    cluster.stop()


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The whole cluster goes away at the end, so nothing has to drop databases that threads still hold open."""
    return True


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> Iterator[None]:
    """After a test that commits, empty the tables that hold something, and no others.

    Django's own way truncates every table and then makes all content types and permissions anew, which takes longer
    than most tests.
    """
    from django.test import TransactionTestCase

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: _empty())
        yield


def _empty() -> None:
    from django.db import connection

    kept = {"django_content_type", "auth_permission"}
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - kept)
    with connection.cursor() as cursor:
        looks = ", ".join(f'EXISTS (SELECT 1 FROM "{table}")' for table in tables)
        cursor.execute(f"SELECT {looks}")
        full = [table for table, holds in zip(tables, cursor.fetchone(), strict=True) if holds]
        if full:
            cursor.execute("TRUNCATE " + ", ".join(f'"{table}"' for table in full) + " CASCADE")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    """A localcloud process with a directory and a port of its own; faults are cleared by `vendor_settings`."""
    with run_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture
def vendor_settings(cloud: CloudUnderTest, settings: object) -> Iterator[CloudUnderTest]:
    """Point the product's settings at `cloud`, with no fault left from another test."""
    for name, value in vendor_values(cloud).items():
        setattr(settings, name, value)
    cloud.clear_faults()
    yield cloud
    cloud.clear_faults()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium to drive."""
    named = os.environ.get("MK0R_CHROMIUM")
    path = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not path or not Path(path).exists():
        missing("Chromium")
    assert path
    return path
