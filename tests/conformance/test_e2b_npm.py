"""E2B as its Node client sees it."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Node
from tests.fixtures.cloud import CloudUnderTest

pytestmark = [pytest.mark.client("e2b", "e2b (npm)"), pytest.mark.usefixtures("apart")]


def test_a_sandbox_a_snapshot_and_a_template_live_and_end(well: CloudUnderTest, run_node: Node) -> None:
    run_node("e2b.mjs", key=well.keys["e2b"], api_url=f"{well.base_url}/e2b", sandbox_url=well.base_url)
