"""A storm: visitors come, vendors misbehave, processes die, and afterwards the two ledgers are compared.

`python -m tests.faults.storm --seconds 60` runs one of everything at once. The last line it prints is one JSON object;
it ends with 0 only when nothing was left behind, made twice or lost, within a minute of the last kill.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import proofs, weather
from tests.faults.experiment import end_on_signals
from tests.faults.house import House, open_house
from tests.faults.monkey import Monkey, disarmed
from tests.faults.oracle import Verdict, converged
from tests.faults.visitors import Manners, Unanswered, Visitors

CONVERGE_WITHIN = 60.0  # seconds from the last kill
_TELL_EVERY = 3.0
_IN_FLIGHT = 20
_LIVE = "select count(*) from provisioning_resource where state = 'ready' and provider <> 'posthog'"

_UNSETTLED = """
    select s.slug, s.id, s.state, r.provider, r.kind, r.state, r.attempt, r.external_id, r.delete_attempts, r.next_at
    from provisioning_resource r join sessions_app_session s on s.id = r.session_id
    where r.state not in ('ready', 'failed', 'gone') or s.state = 'closing' order by s.id, r.id limit 40
"""
_JOBS = """
    select j.id, j.status, j.task_name, j.args, j.attempts, j.scheduled_at, w.last_heartbeat
    from procrastinate_jobs j left join procrastinate_workers w on w.id = j.worker_id
    where j.status in ('todo', 'doing') or j.task_name like 'sessions%%down' and j.status = 'failed'
    order by j.id limit 60
"""


@dataclass
class Outcome:
    """What a storm came to."""

    verdict: Verdict
    kills: int
    converge_s: float
    answers: dict[int, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether it came out as it must."""
        return self.verdict.holds and self.converge_s <= CONVERGE_WITHIN

    def figures(self) -> dict[str, Any]:
        """The one line of JSON."""
        told = self.verdict.figures()
        return {"sessions": told.pop("sessions"), "kills": self.kills, **told, "converge_s": round(self.converge_s, 1)}

    def demand(self) -> dict[str, Any]:
        """The figures; raises `AssertionError` with everything that is wrong."""
        assert self.verdict.holds, f"{self.verdict.complaints()}; {self.figures()}"
        assert self.converge_s <= CONVERGE_WITHIN, f"it took {self.converge_s:.1f} s to converge; {self.figures()}"
        return self.figures()


@contextlib.asynccontextmanager
async def progress(house: House, visitors: Visitors) -> AsyncIterator[None]:
    """Say on standard error, every few seconds, how far it is."""

    async def tell() -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(_TELL_EVERY)
            try:
                live = (await asyncio.to_thread(house.rows, _LIVE))[0][0]
            except Exception:  # noqa: BLE001 - Postgres may be down on purpose
                live = "-"
            line = f"{time.monotonic() - began:5.0f} s  sessions {len(visitors.visits)} ({visitors.done} done)"
            sys.stderr.write(f"{line}  kills {house.kills}  live {live}\n")

    teller = asyncio.create_task(tell(), name="progress")
    try:
        yield
    finally:
        teller.cancel()


async def aftermath(house: House, visitors: Visitors, *, since: float, kills: int) -> Outcome:
    """Wait until everything is at rest, counting from `since`; then try the secrets of what is still open."""
    verdict, _ = await converged(house, within=CONVERGE_WITHIN * 2)
    took = time.monotonic() - since
    house.cloud.clear_faults()
    open_visits = [visit for visit in visitors.visits if not visit.ended]
    verdict.lost_secrets += await proofs.lost_secrets(house, visitors, open_visits)
    return Outcome(verdict, kills, took, dict(visitors.answers))


async def storm(
    house: House,
    *,
    in_flight: int,
    monkey: Monkey,
    sessions: int | None = None,
    seconds: float | None = None,
    manners: Manners | None = None,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
    enough: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Let `sessions` visitors come, or those of `seconds`, while `monkey` rages and vendors misbehave.

    Where few sessions may be over before anything has died, more come until that was `enough`.

    The monkey, and `meanwhile` beside it, go on until the last visitor has come. From then on it is counted how long
    everything takes to come to rest, with the last visits still under way and vendors still misbehaving.
    """
    before = house.kills
    house.cloud.set_faults(weather.storm())
    async with Visitors(house, in_flight, manners or Manners(ends=0.9)) as visitors, progress(house, visitors):
        trouble = [asyncio.create_task(monkey.rage(), name="monkey")]
        if meanwhile is not None:
            trouble.append(asyncio.create_task(meanwhile(), name="meanwhile"))
        coming = asyncio.create_task(visitors.come(sessions, seconds=seconds, enough=enough), name="visitors")
        try:
            await _first(asyncio.create_task(visitors.all_came.wait()), coming, *trouble)
        finally:
            for task in trouble:
                task.cancel()
            await asyncio.gather(*trouble, return_exceptions=True)
        await disarmed(monkey.slots)
        last_kill, kills = time.monotonic(), house.kills - before
        try:
            await coming
        except* Unanswered as group:
            sys.stderr.write("".join(f"{error}\n" for error in group.exceptions) + await told(house))
        return await aftermath(house, visitors, since=last_kill, kills=kills)


async def _first(awaited: asyncio.Task[Any], *others: asyncio.Task[Any]) -> None:
    """Wait for `awaited`; if one of the others fails before, that is raised."""
    pending = {awaited, *others}
    while not awaited.done():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def told(house: House) -> str:
    """What the product's database says of everything that has not come to rest, for whoever looks into it."""
    rows = await asyncio.to_thread(house.rows, _UNSETTLED)
    jobs = await asyncio.to_thread(house.rows, _JOBS)
    return "".join(f"  {' '.join(map(str, one))}\n" for one in [*rows, *jobs])


async def beneath(house: House) -> None:
    """Take away what the processes stand on, now and then: Postgres and the channel layer."""

    async def postgres() -> None:
        while True:
            await asyncio.sleep(random.uniform(10, 25))
            await asyncio.to_thread(house.restart_postgres, random.uniform(0, 2))

    async def layer() -> None:
        while True:
            await asyncio.sleep(random.uniform(5, 15))
            house.kill_redis()
            await asyncio.sleep(random.uniform(0.2, 2))
            house.start_redis()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(postgres())
            group.create_task(layer())
    finally:
        house.restore()


async def _main(seconds: float) -> int:
    end_on_signals()
    with tempfile.TemporaryDirectory(prefix="mk0r-storm-", ignore_cleanup_errors=True) as scratch:
        async with open_house(Path(scratch) / "house") as house:
            monkey = Monkey(list(house.slots.values()))
            outcome = await storm(
                house, in_flight=_IN_FLIGHT, monkey=monkey, seconds=seconds, meanwhile=lambda: beneath(house)
            )
            if complaints := outcome.verdict.complaints():
                sys.stderr.write(f"{complaints}\n")
    print(json.dumps(outcome.figures()), flush=True)
    return 0 if outcome.holds else 1


def main() -> int:
    """0 when it came out as it must."""
    parser = argparse.ArgumentParser(prog="tests.faults.storm", description="A short storm of everything at once.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long visitors keep coming")
    try:
        return asyncio.run(_main(parser.parse_args().seconds))
    except asyncio.CancelledError:
        return 130


if __name__ == "__main__":
    sys.exit(main())
