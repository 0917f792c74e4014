"""Template builds through the unmodified SDK: defined, uploaded, followed, booted, and refused where they must be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from e2b import AsyncSandbox, AsyncTemplate, BuildException, wait_for_file, wait_for_timeout
from e2b.exceptions import SandboxException

from tests.fixtures.cloud import CloudUnderTest

pytestmark = [pytest.mark.client("e2b", "e2b (Python)"), pytest.mark.usefixtures("apart")]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A directory to copy from."""
    (tmp_path / "app" / "src").mkdir(parents=True)
    (tmp_path / "app" / "src" / "main.txt").write_text("main\n")
    (tmp_path / "app" / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (tmp_path / "app" / "run.sh").chmod(0o755)
    (tmp_path / "one.txt").write_text("one\n")
    (tmp_path / "two.txt").write_text("two\n")
    return tmp_path


@pytest.fixture
async def name(e2b_options: dict[str, Any]) -> AsyncIterator[str]:
    """A template name of this test alone. Comes before `make_sandbox`: a template in use cannot be deleted."""
    chosen = f"built-{uuid4().hex[:8]}"
    yield chosen
    await AsyncSandbox.delete_snapshot(chosen, **{k: v for k, v in e2b_options.items() if k != "sandbox_url"})


@pytest.fixture
def api(e2b_options: dict[str, Any]) -> dict[str, Any]:
    """What template calls take; they know no sandbox."""
    return {key: value for key, value in e2b_options.items() if key != "sandbox_url"}


async def test_a_built_template_boots_with_what_its_steps_left(context: Path, name, make_sandbox, api) -> None:
    template = (
        AsyncTemplate(file_context_path=context)
        .from_node_image("24")
        .set_envs({"COLOUR": "green", "HERE": "$HOME/here"})
        .set_workdir("/app/work")
        .run_cmd('echo "$COLOUR $HERE $(pwd)" > told && node --version && echo oops >&2')
        .copy("app", "/app/copied", user="user:user", mode=0o750)
        .copy("*.txt", "/home/user/texts/")
        .copy("one.txt", "renamed.txt")
        .make_symlink("renamed.txt", "link.txt")
        .set_start_cmd("touch /tmp/up && exec sleep 1000", wait_for_file("/tmp/up"))
    )
    said: list[str] = []
    built = await AsyncTemplate.build(
        template, f"{name}:v1", tags=["stable"], on_build_logs=lambda entry: said.append(entry.message), **api
    )
    assert (built.name, sorted(built.tags)) == (f"{name}:v1", ["stable", "v1"])
    log = "\n".join(said)
    assert "node:24: this machine's own programs and its Node 24" in log
    assert "[builder 3/7] [stdout]: v24" in log
    assert "[builder 3/7] [stderr]: oops" in log
    assert log.index("Running start command") < log.index("Template is ready") < log.index("Build finished")
    sandbox = await make_sandbox(f"{name}:stable")
    assert (await sandbox.get_info()).template_id == built.template_id
    assert (await sandbox.commands.run("pwd; cat told; cat link.txt; echo $COLOUR")).stdout.split("\n")[:4] == [
        "/app/work", "green /home/user/here /app/work", "one", "",
    ]  # fmt: skip
    told = await sandbox.commands.run("ls ~/texts; cat /app/copied/src/main.txt; stat -c %a /app/copied/run.sh")
    assert told.stdout.split() == ["one.txt", "two.txt", "main", "750"]
    async with asyncio.timeout(60):
        while not await sandbox.files.exists("/tmp/up"):
            await asyncio.sleep(0.1)
    [started] = [process for process in await sandbox.commands.list() if process.tag == "start-command"]
    assert "sleep 1000" in started.args[-1]


async def test_a_template_is_built_on_another_and_can_be_tagged(context: Path, name, make_sandbox, api) -> None:
    first = AsyncTemplate(file_context_path=context).from_base_image().set_workdir("/app").run_cmd("echo 1 > one")
    await AsyncTemplate.build(first, name, **api)
    second = AsyncTemplate().from_template(name).run_cmd("rm one && echo 2 > two")
    assert (await AsyncTemplate.build(second, f"{name}:next", **api)).tags == ["next"]
    made = await make_sandbox(f"{name}:next")
    assert [entry.name for entry in await made.files.list("/app")] == ["two"]
    assert [entry.name for entry in await (await make_sandbox(name)).files.list("/app")] == ["one"]
    assert (await AsyncTemplate.assign_tags(f"{name}:next", ["best"], **api)).tags == ["best"]
    assert {tag.tag for tag in await AsyncTemplate.get_tags(name, **api)} == {"default", "next", "best"}
    assert await AsyncTemplate.exists(f"{name}:best", **api)
    await AsyncTemplate.remove_tags(name, "best", **api)
    assert not await AsyncTemplate.exists(f"{name}:best", **api)
    assert not await AsyncTemplate.exists("never-built", **api)
    with pytest.raises(SandboxException, match=f"tag 'best' does not exist for template '{name}'"):
        await make_sandbox(f"{name}:best")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (AsyncTemplate().from_python_image("3").run_cmd("true"), "fetches no images .* 'python:3'"),
        (AsyncTemplate().from_node_image("22").run_cmd("true"), "'node:22' is not the Node of this machine"),
        (AsyncTemplate().from_template("nowhere").run_cmd("true"), "template 'nowhere' not found"),
        (AsyncTemplate().from_base_image().run_cmd("exit 3"), "failed to run command 'exit 3': exit status 3"),
        (AsyncTemplate().from_base_image().apt_install("no-such-package"), "exit status 100 .it asked for root"),
        (AsyncTemplate().from_base_image().set_user("ada"), "'ada' cannot be added"),
        (AsyncTemplate().from_base_image().set_workdir("/srv/app"), "'/srv/app' cannot be made"),
        (AsyncTemplate().from_base_image().set_start_cmd("exit 7", wait_for_timeout(60_000)), "exit status 7"),
    ],
    ids=["image", "node", "template", "run", "apt", "user", "workdir", "start"],
)
async def test_what_cannot_be_built_fails_with_the_reason(name, api, template, why: str) -> None:
    with pytest.raises(BuildException, match=why):
        await AsyncTemplate.build(template, name, **api)
    with pytest.raises(SandboxException, match=f"template '{name}' not found"):
        await AsyncSandbox.create(name, **api)


async def test_packages_that_the_machine_has_count_as_installed(name, api) -> None:
    said: list[str] = []
    template = AsyncTemplate().from_base_image().apt_install(["git", "curl"], no_install_recommends=True)
    await AsyncTemplate.build(template, name, on_build_logs=lambda entry: said.append(entry.message), **api)
    assert any("git is installed on this machine" in line for line in said)
    assert any("there is no root in a local sandbox" in line for line in said)


async def test_a_newer_build_cancels_the_one_that_runs(name, api) -> None:
    slow = AsyncTemplate().from_base_image().run_cmd("sleep 300")
    first = await AsyncTemplate.build_in_background(slow, name, **api)
    assert (await AsyncTemplate.get_build_status(first, **api)).status.value == "building"
    await AsyncTemplate.build(AsyncTemplate().from_base_image().run_cmd("true"), name, **api)
    ended = await AsyncTemplate.get_build_status(first, **api)
    assert (ended.status.value, ended.reason and ended.reason.message) == ("error", "build was cancelled")


async def test_a_base_that_is_rebuilt_stays_for_those_that_started_from_it(name, make_sandbox, api) -> None:
    child = f"{name}-child"
    await AsyncTemplate.build(AsyncTemplate().from_base_image().run_cmd("echo old > /app/one"), name, **api)
    running = await AsyncTemplate.build_in_background(
        AsyncTemplate().from_template(name).run_cmd("sleep 3; cp /app/one /app/two"), child, **api
    )
    await AsyncTemplate.build(AsyncTemplate().from_base_image().run_cmd("echo new > /app/one"), name, **api)
    async with asyncio.timeout(60):
        while (status := await AsyncTemplate.get_build_status(running, **api)).status.value == "building":
            await asyncio.sleep(0.1)
    assert status.status.value == "ready", status.reason
    made = await make_sandbox(child)
    assert (await made.commands.run("cat /app/one /app/two")).stdout == "old\nold\n"
    await made.kill()
    await AsyncSandbox.delete_snapshot(child, **api)


async def test_what_cannot_be_understood_is_refused(cloud: CloudUnderTest, name, api) -> None:
    built = await AsyncTemplate.build(AsyncTemplate().from_base_image().run_cmd("true"), name, **api)
    start = f"/v2/templates/{built.template_id}/builds"
    async with httpx.AsyncClient(headers={"X-API-KEY": cloud.keys["e2b"]}, base_url=f"{cloud.base_url}/e2b") as client:
        for status, method, path, body in (
            (400, "POST", "/v3/templates", {}),
            (400, "POST", "/v3/templates", {"name": "no spaces"}),
            (400, "POST", "/v3/templates", {"name": "fine", "cpuCount": 0}),
            (400, "POST", "/v3/templates", {"name": "fine:" + str(uuid4())}),
            (400, "POST", f"{start}/{built.build_id}", {"fromImage": "e2bdev/base"}),
            (400, "POST", f"{start}/nonsense", {"fromImage": "e2bdev/base"}),
            (404, "POST", f"{start}/{uuid4()}", {"fromImage": "e2bdev/base"}),
            (400, "POST", f"{start}/{uuid4()}", {"fromImage": "a", "fromTemplate": "b"}),
            (400, "POST", f"{start}/{uuid4()}", {"fromImage": "a", "steps": [{"args": []}]}),
            (400, "GET", f"/templates/{built.template_id}/builds/{uuid4()}/status", None),
            (400, "GET", f"/templates/{built.template_id}/builds/{built.build_id}/status?level=loud", None),
            (400, "GET", f"/templates/{built.template_id}/files/..%2Fx", None),
            (404, "GET", f"/templates/nowhere/files/{'0' * 64}", None),
            (403, "PUT", f"/template-files/{'0' * 64}?signature=forged", None),
        ):
            answer = await client.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, status), path
