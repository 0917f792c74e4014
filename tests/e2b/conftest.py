"""Sandboxes driven by the vendor's own SDK, against a localcloud of this test run."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from e2b import AsyncSandbox

from tests.fixtures.cloud import CloudUnderTest

Make = Callable[..., Awaitable[AsyncSandbox]]


@pytest.fixture(scope="session", autouse=True)
def _settle() -> Iterator[None]:
    """The SDK's transport sometimes aborts an interpreter that exits right after its last call."""
    yield
    time.sleep(0.3)


@pytest.fixture
def e2b_options(cloud: CloudUnderTest) -> dict[str, Any]:
    """What every SDK call needs to find the stand-in."""
    return {"api_key": cloud.keys["e2b"], "api_url": f"{cloud.base_url}/e2b", "sandbox_url": cloud.base_url}


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


@pytest.fixture
async def sandbox(make_sandbox: Make) -> AsyncSandbox:
    """One sandbox with an empty `/app`."""
    return await make_sandbox()
