"""Makes one template: boots its base in a sandbox of its own, carries the steps out, tries the start command, keeps it.

A build needs isolation, because its commands are meant for a machine that is thrown away. It reaches what any sandbox
reaches, the npm registry above all.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from localcloud.e2b import inside, runtime
from localcloud.e2b.image import Image, Start, UnknownTemplateError
from localcloud.e2b.isolation.layers import LayersError
from localcloud.e2b.power import Ground
from localcloud.e2b.removal import remove_tree
from localcloud.e2b.templates import bases, packages, readiness
from localcloud.e2b.templates.buildlog import BuildLog
from localcloud.e2b.templates.pool import Pool
from localcloud.e2b.templates.steps import Bench, Context, Step, StepError, carry_out
from localcloud.e2b.templates.uploads import Uploads

WITHIN = 3600.0  # seconds for a whole build
BASE_STEP, LAST_STEP = "base", "finalize"
LOST = "the sandbox of this build ended while it ran"
UNISOLATED = (
    "this machine keeps nothing apart (MK0R_ISOLATION is plain), so the steps of a build would change the machine "
    "itself: build at E2B, or where bubblewrap or user namespaces work"
)


class BuildError(Exception):
    """A build failed at `step`; the message is the reason its status gives."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(message)
        self.step = step


@dataclass(frozen=True, slots=True)
class Order:
    """What a build was started with, checked. Exactly one of the two bases is set; empty commands mean none."""

    steps: list[Step]
    from_image: str = ""
    from_template: str = ""
    start: str = ""
    ready: str = ""


class Builder:
    """Builds on the same ground as sandboxes stand on."""

    def __init__(self, ground: Ground, pool: Pool, uploads: Uploads) -> None:
        self._ground = ground
        self._pool = pool
        self._uploads = uploads
        self._bases: list[runtime.Base] = []

    def bases(self) -> list[runtime.Base]:
        """What the builds that run now start from."""
        return list(self._bases)

    async def build(self, template_id: str, order: Order, log: BuildLog) -> Image:
        """Run to the end; the layers of what it returns are the caller's to settle. Raises `BuildError`."""
        begun = time.monotonic()
        log.say(f"Building template {template_id}")
        image = replace(await self._base(order, log), template_id=template_id)
        directory = self._ground.directory / f"b{secrets.token_hex(10)}"
        self._bases.append(image.base)
        try:
            directory.mkdir(mode=0o700, parents=True)
            async with asyncio.timeout(WITHIN):
                made = await self._in_a_sandbox(directory, image, order, log)
        except TimeoutError as problem:
            raise BuildError(LAST_STEP, "build timed out") from problem
        finally:
            self._bases.remove(image.base)
            await asyncio.to_thread(remove_tree, directory)
        log.say(f"Build finished, took {time.monotonic() - begun:.1f}s")
        return made

    async def _base(self, order: Order, log: BuildLog) -> Image:
        """What the build starts from."""
        try:
            if await self._ground.mode() == "plain":
                raise BuildError(BASE_STEP, UNISOLATED)
            if order.from_template:
                log.say(f"[base] FROM template {order.from_template}", step=BASE_STEP)
                return await self._ground.image(order.from_template)
            stands = await asyncio.to_thread(bases.stands_for, order.from_image)
            log.say(f"[base] FROM {stands}", step=BASE_STEP)
            return Image("", "", runtime.Base())
        except (bases.BaseError, UnknownTemplateError, runtime.LaunchError) as problem:
            raise BuildError(BASE_STEP, str(problem)) from problem

    async def _in_a_sandbox(self, directory: Path, image: Image, order: Order, log: BuildLog) -> Image:
        try:
            machine = await runtime.launch(
                sandbox_id=directory.name, directory=directory, base=image.base, egress=self._ground.egress(), env={},
                mode=await self._ground.mode(),
            )  # fmt: skip
        except runtime.LaunchError as problem:
            raise BuildError(BASE_STEP, str(problem)) from problem
        try:
            await asyncio.to_thread(packages.put, directory / "bin")
            async with inside.session(machine.envd_socket) as client:
                bench = Bench(client, self._uploads, log)
                context = await self._steps(bench, order.steps, Context(cwd=image.cwd, environment=image.environment))
                start = await self._last(bench, order, context)
        finally:
            await machine.stop()
        try:
            base = await self._pool.keep(machine.standing(), move=True)
        except (OSError, LayersError) as problem:
            raise BuildError(LAST_STEP, f"what was built could not be kept: {problem}") from problem
        return replace(image, base=base, start=start or image.start, cwd=context.cwd, environment=context.environment)

    async def _steps(self, bench: Bench, steps: list[Step], context: Context) -> Context:
        for number, step in enumerate(steps, 1):
            with _failing(str(number)):
                context = await carry_out(bench, step, number, len(steps), context)
        return context

    async def _last(self, bench: Bench, order: Order, context: Context) -> Start | None:
        """Try the start command until the ready command is content; None when there is neither."""
        if not order.start and not order.ready:
            return None
        with _failing(LAST_STEP):
            await readiness.reach(bench, order.start, order.ready, context, LAST_STEP)
        return Start(order.start, context.cwd, context.variables()) if order.start else None


@contextlib.contextmanager
def _failing(step: str) -> Iterator[None]:
    """What goes wrong inside fails the build at this step."""
    try:
        yield
    except StepError as problem:
        raise BuildError(step, str(problem)) from problem
    except (aiohttp.ClientError, OSError, EOFError) as problem:
        raise BuildError(step, f"{LOST}: {problem}") from problem
