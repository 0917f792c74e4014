"""Django app configuration."""

from __future__ import annotations

from django.apps import AppConfig


class Mk0rConfig(AppConfig):
    """Registers the app under its package name."""

    name = "mk0r"

    def ready(self) -> None:
        """Have our own checks run with Django's."""
        from mk0r import checks  # noqa: F401 (registers itself)
