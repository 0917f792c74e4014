"""PostHog as its Node client sees it."""

from __future__ import annotations

import uuid

import pytest

from tests.conformance.conftest import Node
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("posthog", "posthog-node (npm)")


def test_events_persons_groups_and_flags_over_their_life(well: CloudUnderTest, run_node: Node) -> None:
    run_node(
        "posthog.mjs", base_url=f"{well.base_url}/posthog", key=well.keys["posthog"],
        personal=well.info["posthog_personal_key"], group=f"mk0r-{uuid.uuid4().hex[:12]}",
    )  # fmt: skip
