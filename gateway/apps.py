"""Django app configuration."""

from __future__ import annotations

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """Registers the app under its package name."""

    name = "gateway"
