"""`manage.py build_template` against localcloud: the product's own template is built, and a sandbox of it serves."""

from __future__ import annotations

import asyncio
import io
import time
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command
from e2b import AsyncSandbox

from localcloud.e2b import runtime
from sandbox import template
from tests.conftest import missing
from tests.fixtures.cloud import CloudUnderTest, run_cloud
from tests.fixtures.sandboxes import options_of
from tests.fixtures.settings import vendor_values

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def own_cloud(tmp_path: Path, settings: object):
    """A localcloud whose templates are this test's, which the product's settings point at."""
    if asyncio.run(runtime.detect()) == "plain":
        missing("isolation, without which nothing is built here")
    with run_cloud(tmp_path) as cloud:
        for name, value in vendor_values(cloud).items():
            setattr(settings, name, value)
        yield cloud


def test_a_package_that_the_machine_lacks_is_named(own_cloud: CloudUnderTest, monkeypatch) -> None:
    monkeypatch.setattr(template, "PACKAGES", ("git", "no-such-package"))
    said = io.StringIO()
    with pytest.raises(CommandError, match="exit status 100"):
        call_command("build_template", stdout=said)
    assert "E: not installed on this machine: no-such-package" in said.getvalue()


@pytest.mark.long
def test_the_template_is_built_and_a_sandbox_of_it_serves_the_starter(own_cloud: CloudUnderTest, monkeypatch) -> None:
    monkeypatch.setattr(template, "PACKAGES", ("git", "curl"))  # what machines that run the tests have
    said = io.StringIO()
    call_command("build_template", stdout=said)
    assert "Template is ready" in said.getvalue()
    assert "Built mk0r (" in said.getvalue()
    asyncio.run(serves(own_cloud))


async def serves(cloud: CloudUnderTest) -> None:
    sandbox = await AsyncSandbox.create("mk0r", timeout=300, request_timeout=60, **options_of(cloud))
    told = await sandbox.commands.run("pwd; claude --version; command -v playwright-mcp")
    assert told.stdout.splitlines() == [
        "/app", f"{template.CLAUDE[1]} (Claude Code)", "/home/user/.local/bin/playwright-mcp",
    ]  # fmt: skip
    deadline = time.monotonic() + 60
    async with httpx.AsyncClient(headers={"Host": sandbox.get_host(5173)}, timeout=10) as client:
        while (page := await client.get(cloud.base_url)).status_code != 200:
            assert time.monotonic() < deadline, await sandbox.files.read("/home/user/.mk0r/dev-server.log")
            await asyncio.sleep(0.2)
    assert "/src/main" in page.text
    await sandbox.kill()
