"""The git door where mk0r is at GitHub as an App: real git, through the product's socket, to localcloud."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from provisioning import http, ledger
from provisioning.models import RepositoryToken, Resource
from provisioning.providers.registry import step_for
from sessions_app import tokens
from sessions_app.models import Session
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.github_app import app_values
from tests.fixtures.recorder import Recorder, record
from tests.gateway.conftest import in_db

Git = Callable[..., Awaitable["subprocess.CompletedProcess[str]"]]
MINT = "/github/app/installations/"
STEP = step_for("github", "repository")


@pytest.fixture
def recorder(site: str, vendor_settings: CloudUnderTest, settings: Any) -> Iterator[Recorder]:
    """Everything that is asked of GitHub goes through here, git too."""
    for name, value in app_values(vendor_settings).items():
        setattr(settings, name, value)
    with record(vendor_settings.base_url) as made:
        settings.GITHUB_API_URL, settings.GITHUB_GIT_URL = f"{made.base_url}/github", f"{made.base_url}/github/git"
        yield made


@pytest.fixture
async def work(tmp_path: Path, git: Git, site: str, recorder: Recorder, ada: Session) -> AsyncIterator[Path]:
    """Ada's working tree with one commit, and her repository at GitHub, empty."""
    row = await in_db(lambda: Resource.objects.get(session=ada, provider="github"))
    made = await STEP.create(await in_db(lambda: ledger.order_for(ledger.row(row.pk))))
    await in_db(lambda: Resource.objects.filter(pk=row.pk).update(external_id=made.external_id))
    tree = tmp_path / "work"
    await git("init", "-q", "-b", "main", str(tree))
    remote = f"http://mk0r:{tokens.gateway_token(ada)}@{urlsplit(site).netloc}/gateway/git/{ada.slug}.git"
    await git("remote", "add", "origin", remote, cwd=tree)
    await commit(git, tree, "one")
    yield tree
    await http.close_clients()


async def commit(git: Git, tree: Path, content: str) -> None:
    (tree / "app.ts").write_text(content)
    await git("add", "-A", cwd=tree)
    await git("commit", "-q", "-m", content, cwd=tree)


def minted(recorder: Recorder) -> int:
    return len(recorder.of(MINT)) - 1  # the first made the repository


async def test_pushes_and_clones_go_by_one_token_for_the_one_repository(
    work: Path, git: Git, recorder: Recorder, ada: Session, tmp_path: Path
) -> None:
    await git("push", "-q", "origin", "main", cwd=work)
    await commit(git, work, "two")
    await git("push", "-q", "origin", "main", cwd=work)
    await git(
        "clone", "-q", (await git("remote", "get-url", "origin", cwd=work)).stdout.strip(), str(tmp_path / "copy")
    )
    assert (tmp_path / "copy" / "app.ts").read_text() == "two"
    assert minted(recorder) == 1
    assert {one.status for one in recorder.of("/github/git/", "GET")} == {200}
    [kept] = await in_db(lambda: list(RepositoryToken.objects.filter(resource__session=ada)))
    assert len((await in_db(kept.reveal)).expose()) > 500


async def test_a_token_that_is_over_is_replaced_in_the_middle(
    work: Path, git: Git, recorder: Recorder, vendor_settings: CloudUnderTest
) -> None:
    await git("push", "-q", "origin", "main", cwd=work)
    vendor_settings.operator("POST", "api/github/expire")
    await commit(git, work, "two")
    await git("push", "-q", "origin", "main", cwd=work)
    assert minted(recorder) == 2
    assert [one.status for one in recorder.of("/github/git/", "GET") if one.status != 200] == [401]


async def test_one_whose_time_is_nearly_up_is_replaced_beforehand(work: Path, git: Git, recorder: Recorder) -> None:
    await git("push", "-q", "origin", "main", cwd=work)
    await in_db(lambda: RepositoryToken.objects.update(fresh_until=timezone.now() - timedelta(seconds=1)))
    await git("fetch", "-q", "origin", cwd=work)
    assert minted(recorder) == 2
    assert {one.status for one in recorder.of("/github/git/", "GET")} == {200}


async def test_a_secret_token_does_not_reach_the_repository(work: Path, git: Git, recorder: Recorder) -> None:
    await git("push", "-q", "origin", "main", cwd=work)
    [kept] = await in_db(lambda: list(RepositoryToken.objects.all()))
    await commit(git, work, (await in_db(kept.reveal)).expose())
    refused = await git("push", "origin", "main", cwd=work, ok=False)
    assert "contains a secret" in refused.stderr


async def test_where_no_token_can_be_had_the_door_says_so(
    work: Path, git: Git, recorder: Recorder, vendor_settings: CloudUnderTest
) -> None:
    vendor_settings.set_faults([{"vendor": "github", "operation": "create_installation_token", "fault": "status:500"}])
    refused = await git("push", "origin", "main", cwd=work, ok=False)
    assert "gives no access to it now" in refused.stderr
    vendor_settings.set_faults(
        [{"vendor": "github", "operation": "create_installation_token", "fault": "status:429", "retry_after": "30"}]
    )
    await git("push", "origin", "main", cwd=work, ok=False)
    asked = len(recorder.of(MINT))
    paused = await git("push", "origin", "main", cwd=work, ok=False)
    assert "not to be asked now" in paused.stderr
    assert len(recorder.of(MINT)) == asked
