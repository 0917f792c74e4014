"""`manage.py localcloud`: run the stand-ins for the six vendors."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from localcloud.__main__ import main


class Command(BaseCommand):
    help = "Run localcloud: real stand-ins for Neon, Resend, GitHub, PostHog, E2B and Anthropic on this machine."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGINT or SIGTERM."""
        main()
