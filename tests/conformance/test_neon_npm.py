"""Neon as its own JavaScript client sees it, over an ordinary life."""

from __future__ import annotations

import uuid

import pytest

from tests.conformance.conftest import Node
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("neon", "@neondatabase/api-client (npm)")


def test_projects_branches_and_all_that_is_on_them(well: CloudUnderTest, run_node: Node) -> None:
    run_node(
        "neon.mjs", base_url=f"{well.base_url}/neon/api/v2", key=well.keys["neon"],
        friend_key=well.info["neon_friend_key"], name=f"mk0r-{uuid.uuid4().hex[:12]}",
    )  # fmt: skip
