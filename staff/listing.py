"""Addresses of lists, narrowed to the rows behind a figure.

`LINKED` names, for each list, every lookup such an address may hold beside the list's own filters: the lists let these
through, and an index finds what each of them asks for.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse

from gateway.models import ModelCall
from provisioning.models import Alert, Resource
from provisioning.sweep_models import Stray, SweepRun
from sessions_app.models import Session, Turn

LINKED: dict[type[Model], frozenset[str]] = {
    Session: frozenset({"state__exact", "created_at__gte"}),
    Turn: frozenset({"state__exact"}),
    Resource: frozenset(
        {"provider__exact", "state__exact", "created_at__gte", "settled_at__isnull", "failed_at__gte"}
        | {"failed_reason__exact"}
    ),
    Alert: frozenset({"kind__exact", "cleared_at__isnull"}),
    ModelCall: frozenset({"started_at__gte"}),
    Stray: frozenset({"provider__exact", "cleared_at__isnull", "deleted_at__isnull", "deleted_at__gte"}),
    SweepRun: frozenset(),
}


def listing(model: type[Model], **lookups: object) -> str:
    """The list of `model` with these lookups, such as `state__exact`.

    A name without `__` is a filter of the list itself, and left out where it has none of that name.
    """
    options = model._meta  # noqa: SLF001 (Django's own way to the names)
    address = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    known = LINKED.get(model, frozenset()) | _filters(model)
    if unknown := {name for name in lookups if "__" in name} - known:
        raise ValueError(f"the list of {options.model_name} does not take {sorted(unknown)}")
    query = urlencode({name: _text(value) for name, value in lookups.items() if name in known})
    return f"{address}?{query}" if query else address


def session_page(slug: str) -> str:
    """The page of one session."""
    return reverse("admin:session", args=[slug])


def page_of(one: Model) -> str:
    """The page of one row."""
    options = one._meta  # noqa: SLF001
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[one.pk])


def _filters(model: type[Model]) -> set[str]:
    """Parameters of the filters that the list has by classes of its own."""
    found = admin.site.get_model_admin(model).list_filter
    return {one.parameter_name for one in found if isinstance(one, type) and hasattr(one, "parameter_name")}


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)
