"""What every list shares: rows are read, never edited, and an action is an order that asks first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from staff.pages import orders
from staff.powers import Power
from staff.undertakings import MOST


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # one base for all
    """What the product wrote is history: staff may look at it."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Nobody adds by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Nobody edits by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Rows are not deleted while what they describe may live (I-9)."""
        return False


def ordered(power: Power) -> Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse]:
    """An action of a list that orders `power` for the chosen rows; offered to those alone who have the power."""

    def action(self: ReadOnly, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:  # noqa: ARG001
        keys = [power.key(one) for one in queryset[: MOST + 1]]
        return orders.ask(request, power, keys)

    action.__name__ = f"order_{power.name}"
    decorated: Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse] = admin.action(description=f"{power.title} …")(
        action
    )
    return decorated
