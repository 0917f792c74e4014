"""Sandboxes driven by the vendor's own SDK, and the machines below them without a cloud around."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localcloud.e2b import runtime
from tests.conftest import missing
from tests.fixtures.machines import Machines, make_tree
from tests.fixtures.sandboxes import e2b_options, make_sandbox, sandbox, settled, shared_id

__all__ = ["e2b_options", "machines", "make_sandbox", "sandbox", "settled", "shared_id"]


@pytest.fixture
async def machines(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Machines]:
    """Makes sandboxes of the mode the test is parametrised with, and ends them."""
    mode: str = request.param
    try:
        await runtime.detect(mode)
    except runtime.LaunchError as problem:
        missing(f"isolation by {mode} ({problem})")
    made = Machines(tmp_path, mode, make_tree(tmp_path))
    yield made
    await made.close()
