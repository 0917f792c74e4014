"""Resend as its Node client sees it."""

from __future__ import annotations

import uuid

import pytest

from tests.conformance.conftest import Node
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("resend", "resend (npm)")


def test_mail_keys_contacts_and_webhooks_over_their_life(well: CloudUnderTest, run_node: Node) -> None:
    given = {"from": "Ada <ada@mk0r.test>", "name": f"mk0r-{uuid.uuid4().hex[:12]}"}
    run_node("resend.mjs", base_url=f"{well.base_url}/resend", key=well.keys["resend"], **given)
