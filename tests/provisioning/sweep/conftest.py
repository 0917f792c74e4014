"""Time is handed to the sweep: a session made now is swept "eleven minutes later". Each test is an installation with a
key of its own, so what earlier tests left at the vendors is another installation's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.provisioning.sweep.acts import watched


@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    """A cloud of these tests' own: how much is in it decides what the sweep dares."""
    with run_cloud(tmp_path_factory.mktemp("swept")) as running:
        yield running


@pytest.fixture
def vendors(vendor_settings: CloudUnderTest, without_sandbox: None, settings: Any) -> CloudUnderTest:
    """An installation of its own that knows Resend only, where two things of one name can be had at once."""
    settings.SECRET_KEY = f"installation-{uuid.uuid4()}"
    settings.NEON_API_KEY = settings.GITHUB_TOKEN = ""
    return vendor_settings


@pytest.fixture
def all_vendors(vendors: CloudUnderTest, settings: Any) -> CloudUnderTest:
    """The same with Neon and GitHub."""
    settings.NEON_API_KEY, settings.GITHUB_TOKEN = vendors.keys["neon"], vendors.keys["github"]
    return vendors


@pytest.fixture
def watching(transactional_db: None) -> None:
    """This ledger has been alive for an hour."""
    watched(timezone.now() - timedelta(hours=1), timezone.now())
