"""What the session tests share: sessions whose backend is not built, and visitors with cookies."""

from __future__ import annotations

import uuid

import pytest

from provisioning import services as provisioning
from sessions_app import services
from sessions_app.models import Session
from sessions_app.visitors import Visitor


@pytest.fixture
def ada() -> Visitor:
    """The visitor whose sessions these are."""
    return Visitor(uuid.uuid4().hex + uuid.uuid4().hex)
