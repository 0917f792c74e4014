"""`manage.py worker`: run the jobs of every queue."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mk0r.vendors import configured, keyless, refusals


class Command(BaseCommand):
    help = "Run jobs: provisioning, turns, teardown, sweep (Procrastinate)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGINT or SIGTERM, jobs in hand get ten seconds; refuses settings that cannot work together."""
        if problems := refusals(configured(settings)):
            raise CommandError("\n".join(problems))
        for sentence in keyless(settings):
            self.stderr.write(sentence)
        asyncio.run(_work())


async def _work() -> None:
    from mk0r.process import Resources

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    resources = Resources(with_workers=True)
    await resources.open()
    try:
        await stop.wait()
    finally:
        await resources.close()
