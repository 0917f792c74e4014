"""Which model builds."""

from __future__ import annotations

from django.conf import settings

DEFAULT_MODEL = "claude-sonnet-5-5"


def main_model() -> str:
    """The operator's choice, or the default."""
    return str(settings.MK0R_MODEL) or DEFAULT_MODEL
