"""Django app configuration."""

from __future__ import annotations

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """Registers the app under its package name and listens to what provisioning announces."""

    name = "sessions_app"

    def ready(self) -> None:
        """Connect the receivers."""
        from sessions_app import receivers  # noqa: F401 (importing connects)
