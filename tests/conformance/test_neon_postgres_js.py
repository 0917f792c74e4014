"""Neon's databases as postgres.js sees them, the client that the starter project uses."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Node
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.neon import neon_life

pytestmark = pytest.mark.client("neon", "postgres.js (npm)")


def test_an_app_works_with_its_database(well: CloudUnderTest, run_node: Node) -> None:
    with neon_life(well) as life:
        run_node(
            "neon-postgres.mjs", uri=life.uri, base_url=f"{well.base_url}/neon/api/v2", key=well.keys["neon"],
            project=life.id, endpoint=life.made["endpoints"][0]["id"],
        )  # fmt: skip
