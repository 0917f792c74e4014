"""Addresses within the console that more than one page leads to."""

from __future__ import annotations

from urllib.parse import urlencode

from django.db.models import Model
from django.urls import reverse


def session_address(slug: str) -> str:
    """The page of one session."""
    return reverse("admin:session", args=[slug])


def list_address(model: type[Model], **filters: str) -> str:
    """The list of a model's rows, narrowed by its filters."""
    meta = model._meta  # noqa: SLF001 (Django's own way to a model's names)
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address
