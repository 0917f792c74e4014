"""All of mk0r under an experiment: a Postgres, a localcloud, a redis, web and worker processes that are watched over.

Everything is this house's own and lies in one directory. Its sandboxes are E2B's `base`: real ones, made and destroyed
for real, but with no dev server inside, which is most of what a sandbox costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import aiohttp
import psycopg

from embedded.ports import free_port
from embedded.postgres import Cluster
from tests.faults.processes import Slot, Zygote
from tests.fixtures.cloud import CACHE, CloudUnderTest
from tests.fixtures.ground import SECRETS
from tests.fixtures.settings import vendor_values

# The machine keeps running, only its processes die: what Postgres has handed to the kernel is safe.
POSTGRES = {"fsync": "off", "full_page_writes": "off", "max_connections": "300", "max_locks_per_transaction": "64"}
# Dead processes are missed sooner than in production, so that a storm holds more deaths. Guarantees do not change.
QUICK = {
    "MK0R_WORKER_SILENCE": "3",
    "MK0R_JOB_POLL": "1",
    "MK0R_SAFETY_NET": "3",
    "MK0R_LATE": "10",
    "MK0R_PREVIEW_PATIENCE": "0",  # `base` serves no page
    "E2B_TEMPLATE": "base",
}
# What the product does when nobody tells it otherwise.
UNHURRIED = {"MK0R_WORKER_SILENCE": "15", "MK0R_JOB_POLL": "5", "MK0R_SAFETY_NET": "15", "MK0R_LATE": "40"}
_START_SECONDS = 60


@dataclass
class House:
    """The running product and the handles an experiment pulls. Use `open_house`."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    webs: int = 2
    workers: int = 2
    slots: dict[str, Slot] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.cluster = Cluster(self.root / "postgres", 0, POSTGRES)
        self.cloud = CloudUnderTest(self.root / "cloud", free_port(), environment={"MK0R_CACHE": str(CACHE)})
        self._postgres = threading.Lock()  # a restart goes on in its thread when whoever asked for it is cancelled
        self.redis: subprocess.Popen[bytes] | None = None
        self.redis_port = free_port()
        self.ports = [free_port() for _ in range(self.webs)]
        self.zygote: Zygote | None = None

    @property
    def urls(self) -> list[str]:
        """Where each web process listens."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    @property
    def kills(self) -> int:
        """How many processes of the product were killed so far."""
        return sum(slot.kills for slot in self.slots.values())

    def of(self, kind: str) -> list[Slot]:
        """The places of one kind, `web` or `worker`."""
        return [slot for name, slot in self.slots.items() if name.startswith(kind)]

    async def open(self) -> None:
        """Start everything, in order."""
        (self.root / "cloud").mkdir(exist_ok=True)
        await asyncio.gather(asyncio.to_thread(self.cloud.start), asyncio.to_thread(self.cluster.start))
        self.start_redis()
        self.environment = self._environment() | self.environment
        self.zygote = Zygote({**os.environ, **self.environment}, self.root / "zygote.log")
        await self.zygote.open()
        await self.manage("migrate", "--verbosity", "0")
        for number, port in enumerate(self.ports):
            self._slot(f"web{number}", "web", {"MK0R_PORT": str(port)})
        for number in range(self.workers):
            self._slot(f"worker{number}", "worker", {"MK0R_PORT": str(self.ports[0])})
        await asyncio.gather(*(slot.start() for slot in self.slots.values()))
        await self.until_up()

    def _environment(self) -> dict[str, str]:
        return {
            **vendor_values(self.cloud),
            **SECRETS,
            **QUICK,
            "DJANGO_SETTINGS_MODULE": "mk0r.settings",
            "DATABASE_URL": self.cluster.dsn(),
            "CHANNEL_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0" if self.redis else "",
            "MK0R_VAR": str(self.root),
            "MK0R_PORT": str(self.ports[0]),
            "MK0R_LOG_LEVEL": "INFO",
        }

    def _slot(self, name: str, command: str, environment: dict[str, str]) -> Slot:
        assert self.zygote is not None
        slot = self.slots[name] = Slot(name, self.zygote, (command,), self.root / f"{name}.log", environment)
        return slot

    async def grow(self, webs: int) -> None:
        """Have at least so many web processes."""
        while len(self.ports) < webs:
            self.ports.append(free_port())
            await self._slot(f"web{len(self.ports) - 1}", "web", {"MK0R_PORT": str(self.ports[-1])}).start()
        await self.until_up()

    def start_redis(self) -> None:
        """Start the channel layer's redis-server; on a machine without one each web process has a layer of its own."""
        program = shutil.which("redis-server")
        if program is None:
            return
        command = [program, "--port", str(self.redis_port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
        with (self.root / "redis.log").open("ab") as output:
            self.redis = subprocess.Popen(
                command, cwd=self.root, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def kill_redis(self) -> None:
        """SIGKILL it."""
        if self.redis is not None:
            self.redis.kill()
            self.redis.wait(10)

    def restart_postgres(self, down: float = 0.0, *, how: Literal["fast", "immediate"] = "immediate") -> None:
        """Stop the product's Postgres as a crash would, and start it again `down` seconds later; blocks meanwhile."""
        port = self.cluster.port
        with self._postgres:
            self.cluster.stop(how)
            time.sleep(down)
            self.cluster.start()
        assert self.cluster.port == port, "another program took the port of Postgres"

    def restore(self) -> None:
        """Start whatever of Postgres and redis is not running: an experiment may have been cut short."""
        with self._postgres:
            self.cluster.start()
        if self.redis is not None and self.redis.poll() is not None:
            self.start_redis()

    async def manage(self, *arguments: str) -> None:
        """Run a command of `manage.py` to its end."""
        assert self.zygote is not None
        log = self.root / "manage.log"
        environment = {"MK0R_PORT": str(self.ports[0])}
        process = await self.zygote.fork(*arguments, log=log, environment=environment)
        status = await process.ended
        assert status == 0, f"manage.py {arguments} ended with {status}:\n{log.read_text()[-4000:]}"

    async def until_up(self) -> None:
        """Wait until every web process answers."""
        await asyncio.gather(*(self.until_answers(url) for url in self.urls))

    async def until_answers(self, url: str) -> None:
        """Wait until the web process at `url` answers."""
        deadline = time.monotonic() + _START_SECONDS
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with session.get(f"{url}/api/health") as answer:
                        if answer.status == 200:
                            return
                assert time.monotonic() < deadline, f"{url} does not answer:\n{self.words()}"
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        """End everything. What was made at localcloud goes with its directory."""
        for slot in self.slots.values():
            await slot.stop()
        if self.zygote is not None:
            await self.zygote.close()
        self.kill_redis()
        await asyncio.to_thread(self.cloud.stop)
        await asyncio.to_thread(self.cluster.stop, "immediate")

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on the product's database."""
        with psycopg.connect(self.cluster.dsn(), connect_timeout=5, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def words(self) -> str:
        """The ends of all logs."""
        logs = sorted(self.root.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)


@contextlib.asynccontextmanager
async def open_house(root: Path, *, webs: int = 2, workers: int = 2, **environment: str) -> AsyncIterator[House]:
    """Run a house under `root` until the block ends. `environment` adds settings of the product."""
    house = House(root, environment, webs, workers)
    try:
        await house.open()
        yield house
    finally:
        await house.close()
