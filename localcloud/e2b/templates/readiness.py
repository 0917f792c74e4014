"""The end of a build: its start command is run, and its ready command again and again until it succeeds."""

from __future__ import annotations

import asyncio

from localcloud.e2b import inside
from localcloud.e2b.templates.buildlog import Lines
from localcloud.e2b.templates.steps import Bench, Context, StepError

WITHIN = 600.0
PAUSE = 1.0
UNSAID = "sleep 20"  # where a start command comes without a ready command


async def reach(bench: Bench, start: str, ready: str, context: Context, step: str) -> None:
    """Return once the ready command succeeded, or the start command did before. Raises `StepError`.

    The start command is left running, as it will be in a sandbox of the template.
    """
    running = None if not start else asyncio.create_task(_start(bench, start, context, step))
    waiting = asyncio.create_task(_wait(bench, ready or UNSAID, context, step))
    tasks = [task for task in (running, waiting) if task is not None]
    try:
        async with asyncio.timeout(WITHIN):
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        raise StepError(f"ready command failed: ready command timed out after {WITHIN:.0f}s") from None
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for problem in ended:
        if isinstance(problem, Exception):
            raise problem
    bench.log.say("Template is ready", step=step)


async def _start(bench: Bench, command: str, context: Context, step: str) -> None:
    bench.log.say(f"Running start command: {command}", step=step)
    lines = Lines(bench.log, "start", step=step)
    try:
        ended = await inside.run(
            bench.client, command, cwd=context.cwd, environment=context.variables(), hear=lines.hear
        )
    except inside.InsideError as problem:
        raise StepError(f"start command failed: {problem}") from problem
    finally:
        lines.end()
    if ended:
        raise StepError(f"start command failed: {ended}")


async def _wait(bench: Bench, command: str, context: Context, step: str) -> None:
    bench.log.say(f"Waiting for template to be ready: {command}", step=step)
    lines = Lines(bench.log, "ready", step=step, level="debug")
    while True:
        try:
            ended = await inside.run(
                bench.client, command, cwd=context.cwd, environment=context.variables(), hear=lines.hear
            )
        except inside.InsideError as problem:
            raise StepError(f"ready command failed: {problem}") from problem
        lines.end()
        if not ended:
            return
        bench.log.say(f"Template is not ready: {ended}", step=step, level="debug")
        await asyncio.sleep(PAUSE)
