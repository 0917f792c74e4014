"""F15: visitors who reload, open a second tab, close at any moment, go offline, and come back with any `after`.

Each visitor is one browser, played over raw WebSockets the way the page uses them: two tabs that ask for their session,
begin it when there is none, follow its log by number, and are cut again and again at random moments. A few more
visitors are real Chromium windows. In the end each has one session, every leg was made once at its vendor, each tab has
read the log without gap or double, and what it shows is what the database says. Then both tabs end the session at once.
Where redis-server is installed there are two web processes, and each connection goes to either.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from embedded.ports import free_port
from tests.faults.tab import Browser, Tally
from tests.faults.windows import look_through_windows
from tests.fixtures.cloud import ROOT
from tests.fixtures.ground import Ground, ground

TITLE = "whatever a browser does, one session, each leg made once, and the last thing it shows is true"
SMALL, FULL = 5, 500
AT_ONCE = 8
RECONNECTS = 20  # of one visitor, so that the full size makes 10 000
SETTLED_SECONDS = 120.0
MADE = {"neon": 1, "github": 1, "resend": 2, "e2b": 1}  # live objects of one session at each vendor


def run(size: int, scratch: Path) -> dict[str, object]:
    """Play `size` visitors and one Chromium window for every hundred, at least one."""
    seed = random.randrange(2**32)
    plenty = {f"{vendor}_BUDGET": "100000/s" for vendor in ("NEON", "RESEND", "GITHUB", "E2B")}
    with ExitStack() as house:
        ours = house.enter_context(ground(scratch, E2B_TEMPLATE="base", **plenty))
        layer = house.enter_context(_layer(scratch))
        bases = [house.enter_context(_web(ours, scratch, layer)) for _ in range(2 if layer else 1)]
        tally = asyncio.run(_play(ours, bases, size, random.Random(seed)))
        windows = look_through_windows(ours, bases[0], min(5, max(1, size // 100)), random.Random(seed))
    return {"seed": seed, "windows": windows, **tally.figures()}


@contextmanager
def _layer(scratch: Path) -> Iterator[str]:
    """Address of a channel layer for several processes; empty where there is no redis-server."""
    program, port = shutil.which("redis-server"), free_port()
    if program is None:
        yield ""
        return
    command = [program, "--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, cwd=scratch, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def _web(ours: Ground, scratch: Path, layer: str) -> Iterator[str]:
    """A web process with a worker inside, as `manage.py up` starts it."""
    port = free_port()
    own = {"MK0R_PORT": str(port), "MK0R_WORKER_INLINE": "1", "CHANNEL_REDIS_URL": layer}
    environment = {**os.environ, **ours.environment, **own}
    with (scratch / "web.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "web"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        base, until = f"localhost:{port}", time.monotonic() + 60
        while not _answers(base):
            lives = process.poll() is None and time.monotonic() < until
            assert lives, (scratch / "web.log").read_text()[-3000:]
            time.sleep(0.1)
        yield base
    finally:
        process.send_signal(signal.SIGKILL)  # its directory goes with it
        process.wait(10)


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"http://{base}/api/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


async def _play(ours: Ground, bases: list[str], size: int, dice: random.Random) -> Tally:
    tally, room = Tally(), asyncio.Semaphore(AT_ONCE)

    async def visit(number: int) -> None:
        async with room:
            browser = Browser(bases, secrets.token_hex(16), random.Random(dice.random()), tally)
            try:
                await _visit(ours, browser)
            except BaseException as error:
                error.add_note(f"visitor {number}, session {browser.slug}")
                raise

    async with asyncio.TaskGroup() as group:
        for number in range(size):
            group.create_task(visit(number))
    return tally


async def _visit(ours: Ground, browser: Browser) -> None:
    await browser.misbehave(RECONNECTS)
    async with asyncio.timeout(SETTLED_SECONDS):
        await browser.until(lambda tab: set(tab.states.values()) == {"ready"} and tab.env)
    told = await asyncio.to_thread(_database, browser.secret)
    assert told["sessions"] == [(browser.slug, "open")], told
    for tab in browser.tabs:
        tab.require_true(told)
    made = await asyncio.to_thread(_live, ours, browser.slug)
    assert made == MADE, made
    async with asyncio.timeout(SETTLED_SECONDS):
        await browser.end()
    told = await asyncio.to_thread(_database, browser.secret)
    assert told["sessions"] == [(browser.slug, "closed")], told
    assert await asyncio.to_thread(_live, ours, browser.slug) == {}


def _database(secret: str) -> dict[str, Any]:
    """What the database says of a visitor: sessions, state of each resource, the last number and every number."""
    from django.db import connection

    from provisioning.models import Resource
    from sessions_app.models import Event, Session
    from sessions_app.visitors import _visitor

    mine = Session.objects.filter(visitor_hash=_visitor(secret).hash)
    found = {
        "sessions": list(mine.values_list("slug", "state")),
        "states": dict(Resource.objects.filter(session__in=mine).values_list("provider", "state")),
        "seqs": list(Event.objects.filter(session__in=mine).order_by("seq").values_list("seq", flat=True)),
    }
    connection.close()
    return found


def _live(ours: Ground, slug: str) -> dict[str, int]:
    """How many live objects bear the session's name, by vendor."""
    return dict(Counter(row["vendor"] for row in ours.cloud.live() if slug in str(row.get("name", ""))))
