"""Resend as its Node client sees it."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Node
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("resend", "resend (npm)")


def test_mails_are_sent_and_read_again(well: CloudUnderTest, run_node: Node) -> None:
    run_node("resend.mjs", base_url=f"{well.base_url}/resend", key=well.keys["resend"], **{"from": "a@mk0r.test"})
