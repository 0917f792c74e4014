"""GitHub as octokit sees it, with a personal token and as an App."""

from __future__ import annotations

import uuid

import pytest

from tests.conformance.conftest import Node
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("github", "octokit (npm)")


def test_repositories_live_and_an_app_reaches_its_own(well: CloudUnderTest, run_node: Node) -> None:
    passed = run_node(
        "github.mjs", base_url=f"{well.base_url}/github", key=well.keys["github"], app=well.info["github_app"],
        name=f"mk0r-{uuid.uuid4().hex[:12]}",
    )  # fmt: skip
    assert "auth-app: token for one repository" in passed
