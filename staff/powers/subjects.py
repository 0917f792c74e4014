"""What powers need to know of the things they are used on: keys that are numbers, pages, vendors' names."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.urls import reverse

from provisioning.models import Provider, Resource
from provisioning.providers.registry import step_for
from staff.powers.base import Effect

_MOST = 2**63  # of a row's number


def numbers(keys: Sequence[str], prefix: str = "") -> list[int]:
    """Those of the keys that are a row's number behind `prefix`."""
    found = [key.removeprefix(prefix) for key in keys if key.startswith(prefix)]
    return [int(one) for one in found if one.isascii() and one.isdecimal() and len(one) < 20 and int(one) < _MOST]


def session_page(session_id: UUID) -> str:
    """The console's page of a session."""
    return reverse("admin:sessions_app_session_change", args=[session_id])


def vendor(provider: str) -> str:
    """A vendor's name as a person writes it; what nobody knows stays as it is."""
    return str(Provider(provider).label) if provider in Provider.values else provider


def kind(name: str) -> str:
    """A kind of thing as a person writes it: "api key"."""
    return name.replace("_", " ")


def effect_of(row: Resource) -> Effect:
    """What an order says it will change, of one resource."""
    asked = step_for(row.provider, row.kind).remote and bool(row.attempt or row.external_id)
    return Effect(vendor(row.provider), kind(row.kind), row.name, row.state if asked else "nothing there", exists=asked)
