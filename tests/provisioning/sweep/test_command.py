"""`manage.py sweep` looks before it deletes, and prints what was found and asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.core.management import CommandError
from django.db import connection

from provisioning import services
from provisioning.sweep_models import SweepRun
from staff.models import Entry
from tests.fixtures.travel import later
from tests.provisioning.sweep.acts import forget, mine

pytestmark = pytest.mark.usefixtures("vendors")


@pytest.fixture
def command(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run `manage.py sweep`; its exit status and what it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        from django.core.management import call_command

        status = 0
        try:
            call_command("sweep", *arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            connection.close()  # this thread's
        return status, capsys.readouterr().out

    return run


async def test_the_command_prints_what_was_found_and_ends_with_1_when_it_asks(
    vendors: Any, begin: Any, transactional_db: None, command: Any, settings: Any
) -> None:
    session = await begin()
    await services.converge(session.pk)
    with pytest.raises(CommandError, match="Look first"):
        await asyncio.to_thread(command)
    assert (await asyncio.to_thread(command, "--dry-run"))[0] == 0
    status, said = await asyncio.to_thread(command)
    assert status == 0
    titles, *lines = said.splitlines()
    assert titles.split() == ["vendor", "listed", "owned", "ours", "unknown", "foreign", "ghosts", "deleted", "held"]
    figures = {line.split()[0]: line.split()[1:] for line in lines[:4]}
    assert set(figures) == {"github", "resend", "e2b", "neon"}
    listed, owned, unknown, foreign, *rest = map(int, figures["resend"])
    assert (owned, unknown, rest) == (2, 0, [0, 0, 0])
    assert listed == owned + foreign
    await database_sync_to_async(SweepRun.objects.all().delete)()
    await forget(session)
    with later(timedelta(hours=1)):  # what it made is older than this ledger
        status, said = await asyncio.to_thread(command, "--dry-run", "--json")
        told = json.loads(said)
        approved = await asyncio.to_thread(command, "--approve", str(told["run"]))
    assert (status, told["state"], told["dry"], told["vendors"]["resend"]["unknown"]) == (1, "asking", True, 2)
    assert {one["name"] for one in told["asked"]["strays"]} == {f"mk0r-{session.slug}"}
    assert approved[0] == 0
    assert "2 to delete" in approved[1]
    assert mine(vendors, session) == set()
    logged = [one async for one in Entry.objects.order_by("id").values_list("action", "who", "where")]
    assert [action for action, *_ in logged] == ["sweep", "sweep", "sweep", "approve"]
    assert {(who.endswith(" (shell)"), where) for _, who, where in logged} == {(True, "shell")}
    with pytest.raises(CommandError, match="was answered"):
        await asyncio.to_thread(command, "--approve", str(told["run"]))
