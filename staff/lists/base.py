"""What every list shares: rows are read, never edited, and an action is an order that asks first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import ListFilter
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst

from staff.actors import of_request
from staff.listing import LINKED
from staff.lists.paging import Pages
from staff.pages import orders
from staff.powers import POWERS, Power
from staff.undertakings import MOST

_OF_A_FIELD = ("exact", "isnull", "isempty")  # what the filters of one field ask


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # one base for all
    """What the product wrote is history: staff may look at it."""

    powers: ClassVar[tuple[str, ...]] = ()  # names of what can be ordered for chosen rows
    newest: ClassVar[tuple[str, ...]] = ("id",)  # the order, newest first; together unique, and an index has them so
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    list_per_page = 50
    change_list_template = "staff/list.html"

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Nobody adds by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Nobody edits by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Rows are not deleted while what they describe may live (I-9)."""
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """What the list itself offers, and an order for each of `powers` that this member of staff has."""
        actor = of_request(request)
        known = [POWERS[name] for name in self.powers]
        may = [(f"order_{power.name}", power) for power in known if actor.may(power.right)]
        return {**super().get_actions(request), **{name: (ordered(power), name, power.title) for name, power in may}}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        """Pages that cost the same however many there are."""
        return Pages

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, called by what it lists."""
        title = {"title": capfirst(str(self.opts.verbose_name_plural))}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:  # noqa: ARG002
        """Only what the list's filters and our own links ask: what is shown nowhere cannot be probed either."""
        asked = {name for one in self.get_list_filter(request) for name in _parameters(one)}
        return lookup in asked or lookup in LINKED.get(self.model, ())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """What `search` finds, or what Django's way of searching does where there is none."""
        words = search_term.strip()
        found = self.search(queryset, words) if words else queryset
        return super().get_search_results(request, queryset, words) if found is None else (found, False)

    def search(self, queryset: QuerySet[Any], words: str) -> QuerySet[Any] | None:  # noqa: ARG002
        """Those of the rows that `words` find by way of an index."""
        return None

    def complete(self, rows: list[Any]) -> None:
        """Give the rows of one page what their columns need, in a constant number of queries."""

    def address_of(self, row: Model) -> str:  # noqa: ARG002
        """The page of a row, where it is another than Django's own."""
        return ""


def _parameters(one: Any) -> list[str]:
    """Names of the parameters in the address that a filter of a list reads."""
    if isinstance(one, type) and issubclass(one, ListFilter):
        return [str(getattr(one, "parameter_name", ""))]
    field = one[0] if isinstance(one, (tuple, list)) else one
    return [f"{field}__{lookup}" for lookup in _OF_A_FIELD]


def ordered(power: Power) -> Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse]:
    """An action of a list that orders `power` for the chosen rows."""

    def action(self: ReadOnly, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:  # noqa: ARG001
        keys = [power.key(one) for one in queryset[: MOST + 1]]
        return orders.ask(request, power, keys)

    return action
