"""`manage.py build_template`: build the sandbox template at E2B, under the name that `E2B_TEMPLATE` gives."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import Any

import e2b
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from sandbox.template import CPUS, MEMORY_MB, template


class Command(BaseCommand):
    """Builds and waits; E2B's own log is shown as it comes."""

    help = "Build the sandbox template at E2B (once, and again whenever sandbox/ changes)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--dockerfile` shows what would be built and sends nothing."""
        parser.add_argument("--dockerfile", action="store_true", help="print the definition as a Dockerfile and stop")
        parser.add_argument("--no-cache", action="store_true", help="build every layer anew")

    def handle(self, *args: Any, **options: Any) -> None:
        """Build, or show."""
        if options["dockerfile"]:
            self.stdout.write(e2b.AsyncTemplate.to_dockerfile(template()))
            return
        if not settings.E2B_API_KEY:
            raise CommandError("E2B_API_KEY is not set: there is no account to build the template in.")
        try:
            built = asyncio.run(self._build(no_cache=options["no_cache"]))
        except (e2b.BuildException, e2b.SandboxException, OSError) as error:
            raise CommandError(f"The template could not be built: {error}") from error
        self.stdout.write(f"Built {settings.E2B_TEMPLATE} ({built.template_id}).")

    async def _build(self, *, no_cache: bool) -> e2b.BuildInfo:
        return await e2b.AsyncTemplate.build(
            template(),
            settings.E2B_TEMPLATE,
            cpu_count=CPUS,
            memory_mb=MEMORY_MB,
            skip_cache=no_cache,
            on_build_logs=lambda entry: self.stdout.write(str(entry)),
            api_key=settings.E2B_API_KEY,
            api_url=settings.E2B_API_URL,
        )
