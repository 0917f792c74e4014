"""Django app configuration."""

from __future__ import annotations

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """Registers the app under its package name."""

    name = "sessions_app"
