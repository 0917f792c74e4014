"""Sandboxes driven by the vendor's own SDK, against a localcloud of this test run."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2b import AsyncSandbox, Sandbox

from localcloud.e2b import runtime
from tests.conftest import missing
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.machines import Machines, make_tree

Make = Callable[..., Awaitable[AsyncSandbox]]


@pytest.fixture(scope="session", autouse=True)
def _settle() -> Iterator[None]:
    """The SDK's transport sometimes aborts an interpreter that exits right after its last call."""
    yield
    time.sleep(0.3)


def options_of(cloud: CloudUnderTest) -> dict[str, Any]:
    """What every SDK call needs to find the stand-in."""
    return {"api_key": cloud.keys["e2b"], "api_url": f"{cloud.base_url}/e2b", "sandbox_url": cloud.base_url}


@pytest.fixture
def e2b_options(cloud: CloudUnderTest) -> dict[str, Any]:
    """The same for the run's own localcloud."""
    return options_of(cloud)


@pytest.fixture
async def make_sandbox(e2b_options: dict[str, Any]) -> AsyncIterator[Make]:
    """Makes sandboxes with an empty `/app`, and kills them at the end of the test."""
    made: list[AsyncSandbox] = []

    async def make(template: str = "base", **options: Any) -> AsyncSandbox:
        sandbox = await AsyncSandbox.create(template, **{"timeout": 120, **e2b_options, **options})
        made.append(sandbox)
        return sandbox

    yield make
    for sandbox in made:
        await sandbox.kill()


@pytest.fixture(scope="module")
def shared_id(cloud: CloudUnderTest) -> Iterator[str]:
    """One sandbox for all tests of a module that need no more than a place to work in."""
    made = Sandbox.create("base", timeout=600, **options_of(cloud))
    yield made.sandbox_id
    made.kill()


@pytest.fixture
async def sandbox(shared_id: str, e2b_options: dict[str, Any]) -> AsyncSandbox:
    """The module's sandbox, as a client that just connected."""
    return await AsyncSandbox.connect(shared_id, timeout=600, **e2b_options)


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
