"""Lists that cost the same however long they are: nothing is counted, and a page begins where the one before it ended.

Rows come newest first by the list's `newest` fields, which an index has in that order. The address of the next page
names the last row shown (`older=`), of the previous one the first (`newer=`), so no page reads over what stands before
it. Nothing else can be ordered by: 2 million rows sorted by an unindexed column would be read to show fifty.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

OLDER, NEWER = "older", "newer"
_BETWEEN = "~"  # the values of a place


class Pages(ChangeList):
    """A list of Django's admin, read a page at a time."""

    older = ""  # query string of the page of older rows; empty where there is none
    newer = ""
    model_admin: Any  # one of `staff.lists.base`
    _place: tuple[str, str] = ("", "")

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """All that match, whatever page is shown. The place is taken out of what other links carry on."""
        for way in (OLDER, NEWER):
            value = self.params.pop(way, None)
            self.filter_params.pop(way, None)
            if value:
                self._place = way, str(value)
        return super().get_queryset(request, exclude_parameters)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:  # noqa: ARG002
        """The one order there is."""
        return [f"-{name}" for name in self._newest]

    def get_results(self, request: HttpRequest) -> None:  # noqa: ARG002
        """Read the page, and one row more to know whether another follows."""
        way, place = self._place
        try:
            rows, more = self._read(way, place)
            if way == NEWER and not more:  # less than a page is newer: show the first
                way = ""
                rows, more = self._read("", "")
        except (DataError, ValueError, ValidationError) as error:  # such as a NUL, or a number no row can have
            raise IncorrectLookupParameters from error
        if rows and (more or way == NEWER):
            self.older = self.get_query_string({OLDER: self._place_of(rows[-1])})
        if rows and way and (more or way == OLDER):
            self.newer = self.get_query_string({NEWER: self._place_of(rows[0])})
        self.model_admin.complete(rows)
        self.result_list: Any = rows
        self.result_count = len(rows)
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = bool(rows)
        self.can_show_all = self.multi_page = False
        self.paginator: Any = None

    def url_for_result(self, result: Model) -> str:
        """The page of one row."""
        return str(self.model_admin.address_of(result)) or super().url_for_result(result)

    @property
    def wider(self) -> bool:
        """Whether more match than are shown, so that "all that match" means more than every box."""
        return bool(self.older or self.newer)

    def _read(self, way: str, place: str) -> tuple[list[Any], bool]:
        rows = self.queryset.filter(self._beyond(way, place)) if way else self.queryset
        if way == NEWER:
            rows = rows.reverse()
        read = list(rows[: self.list_per_page + 1])
        page, more = read[: self.list_per_page], len(read) > self.list_per_page
        return (page[::-1] if way == NEWER else page), more

    def _beyond(self, way: str, place: str) -> Q:
        """What comes after the place in that direction: the first field alone bounds it, for the index's sake."""
        side = "lt" if way == OLDER else "gt"
        texts = place.split(_BETWEEN)
        fields: list[Any] = [self.opts.get_field(name) for name in self._newest]
        values = [field.to_python(text) for field, text in zip(fields, texts, strict=True)]
        beyond, same = Q(), Q()
        for name, value in zip(self._newest, values, strict=True):
            beyond |= same & Q(**{f"{name}__{side}": value})
            same &= Q(**{name: value})
        return Q(**{f"{self._newest[0]}__{side}e": values[0]}) & beyond

    def _place_of(self, row: Any) -> str:
        values = [getattr(row, name) for name in self._newest]
        return _BETWEEN.join(value.isoformat() if hasattr(value, "isoformat") else str(value) for value in values)

    @property
    def _newest(self) -> tuple[str, ...]:
        return tuple(self.model_admin.newest)
