"""`manage.py web`: serve pages, API, WebSocket and gateway."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mk0r.vendors import configured, keyless, refusals


class Command(BaseCommand):
    help = "Serve mk0r over HTTP and WebSocket (Daphne)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGINT or SIGTERM; refuses settings that cannot work together."""
        if problems := refusals(configured(settings)):
            raise CommandError("\n".join(problems))
        for sentence in keyless(settings):
            self.stderr.write(sentence)
        from mk0r.serving import serve  # installs Twisted's reactor, so not before this command is chosen

        from mk0r.asgi import application  # isort: skip
        from mk0r.process import Resources  # isort: skip

        resources = Resources(with_workers=settings.MK0R_WORKER_INLINE)
        serve(
            application,
            bind=settings.MK0R_BIND,
            port=settings.MK0R_PORT,
            opening=resources.open,
            closing=resources.close,
        )
