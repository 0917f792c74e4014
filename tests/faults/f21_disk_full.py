"""F21: the disk is full, in the sandbox when `.env` is due, or in the database when an event is.

In the sandbox the old file stays whole, the visitor is told, and the file is written when there is room again. envd's
way of replacing a file is tried by itself on a file system of 64 kB that really is full (where this machine lets us
mount one); that a sandbox refuses to store anything is what E2B then tells the product (507), ordered from localcloud.

In the database an event that cannot be written takes the change of its row with it, so that neither tells of what the
other does not know. Once there is room, converging takes up what was left and makes nothing twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.fixtures.ground import begin, ground

TITLE = "a full disk leaves the old .env whole and the log without a gap, is told, and is got over"
SMALL, FULL = 2, 20
SANDBOXES = 5  # at the most: each takes a second of this machine's time and what it holds of its memory
ROOT = Path(__file__).resolve().parents[2]
ON_A_FULL_DISK = """
import asyncio, errno, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from localcloud.e2b.envd.files import _replace

async def chunks(size):
    for _ in range(size // 1024):
        yield b"x" * 1024

disk = Path({disk!r})
target = disk / ".env"
target.write_text("OLD=1\\n")
for number in range({times}):
    try:
        asyncio.run(_replace(target, chunks(256 * 1024), {{}}))
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
    else:
        raise SystemExit("the disk is not full")
    assert target.read_text() == "OLD=1\\n", "the old file was touched"
    assert [one.name for one in disk.iterdir()] == [".env"], "an unfinished file is left"
asyncio.run(_replace(target, chunks(1024), {{}}))
assert target.read_bytes() == b"x" * 1024
"""
FILL = """
create function no_room() returns trigger language plpgsql as $$ begin
    if (select count(*) from sessions_app_event where session_id = new.session_id) >= {after} then
        raise exception 'could not extend file: No space left on device' using errcode = '53100';
    end if;
    return new; end $$;
create trigger no_room before insert on sessions_app_event for each row execute function no_room();
"""
EMPTY = "drop trigger no_room on sessions_app_event; drop function no_room();"


def replaced_on_a_full_disk(scratch: Path, times: int) -> int | None:
    """How often envd's write failed as it should; None where no file system can be mounted."""
    disk = scratch / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=64k tmpfs {disk} || exit 77; exec {sys.executable} -"
    program = ON_A_FULL_DISK.format(root=str(ROOT), disk=str(disk), times=times)
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount],
        input=program, text=True, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    return times


async def sandbox_without_room(under: Any) -> None:
    """A leg is retried while the sandbox stores nothing."""
    from channels.db import database_sync_to_async

    from provisioning import services

    session = await database_sync_to_async(begin)()
    under.cloud.set_faults([{"vendor": "github", "operation": "*", "fault": "status:500"}])
    await services.converge(session.pk)
    sandbox = await services.sandbox(session.pk)
    before = await sandbox.files.read("/app/.env")
    assert "GITHUB" not in before
    assert "DATABASE_URL" in before
    under.cloud.set_faults([{"vendor": "e2b", "operation": "envd", "fault": "status:507"}])
    await database_sync_to_async(services.retry)(session, "github")
    await services.converge(session.pk)
    told = await database_sync_to_async(lambda: [one.data["text"] for one in session.events.filter(type="notice")])()
    assert len(told) == 1, f"the visitor was told {told}"
    assert ".env" in told[0], f"the visitor was told {told}"
    under.cloud.clear_faults()
    assert await sandbox.files.read("/app/.env") == before, "the old file was touched"
    await services.converge(session.pk)
    after = await sandbox.files.read("/app/.env")
    assert after == await database_sync_to_async(services.env_text)(session), "there is room again, and .env is not it"
    assert "GITHUB" in after
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)


def sql(text: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(text)


def assert_log_and_rows_agree(session: Any) -> None:
    """The log has no gap, and its last word on each leg is what the rows say; synchronous database code."""
    from provisioning import services

    session.refresh_from_db()
    log = list(session.events.order_by("seq"))
    assert [one.seq for one in log] == list(range(1, session.last_seq + 1)), "the log has a gap"
    told = {one.data["provider"]: one.data["state"] for one in log if one.type == "resource.changed"}
    held = {one["provider"]: one["state"] for one in services.resources_state(session)}
    assert told == held, f"the log ends with {told}, the rows with {held}"


async def database_without_room(under: Any, after: int) -> None:
    """From the session's event number `after` on no event can be written; then there is room again."""
    from channels.db import database_sync_to_async
    from django.conf import settings
    from django.db import DatabaseError

    from provisioning import services

    usual, settings.E2B_API_KEY = settings.E2B_API_KEY, ""  # four legs are enough
    session = await database_sync_to_async(begin)()
    await database_sync_to_async(sql)(FILL.format(after=after))
    try:
        with contextlib.suppress(DatabaseError, BaseExceptionGroup):
            await services.converge(session.pk)
        await database_sync_to_async(assert_log_and_rows_agree)(session)
    finally:
        await database_sync_to_async(sql)(EMPTY)
    for provider in ("github", "resend", "neon"):
        await database_sync_to_async(services.retry)(session, provider)
    await services.converge(session.pk)
    await database_sync_to_async(assert_log_and_rows_agree)(session)
    states = await database_sync_to_async(lambda: dict(session.resources.values_list("kind", "state")))()
    assert {kind for kind, state in states.items() if state != "ready"} == {"sandbox"}, f"there is room, and {states}"
    made = [one for one in under.cloud.live() if session.slug in one["name"]]
    assert len(made) == 4, f"there are {len(made)} things for four rows"
    await database_sync_to_async(services.request_teardown)(session)
    await services.converge(session.pk)
    settings.E2B_API_KEY = usual
    assert not [one for one in under.cloud.live() if session.slug in one["name"]], "something is left"


async def measure(under: Any, size: int) -> dict[str, Any]:
    from provisioning import http

    for number in range(size):
        await database_without_room(under, 5 + number % 12)
    sandboxes = 1 if size <= SMALL else min(size, SANDBOXES)
    for _ in range(sandboxes):
        await sandbox_without_room(under)
    await http.close_clients()
    return {"databases": size, "sandboxes": sandboxes}


def run(size: int, scratch: Path) -> dict[str, object]:
    """Fill the database under `size` sessions, a disk `size` times, and the sandboxes of a few sessions."""
    replaced = replaced_on_a_full_disk(scratch, size)
    with ground(scratch) as under:
        return {"replaced": replaced, **asyncio.run(measure(under, size))}
