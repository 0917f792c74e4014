"""The audit log and the orders of staff; nobody can edit either."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from staff.audit import ACTIONS
from staff.lists import filters
from staff.lists.base import ReadOnly
from staff.lists.search import slug_of
from staff.models import Entry, Undertaking
from staff.powers import POWERS


class Did(filters.Choice):
    """Entries by what was done. The names are known: reading them from the log would read all of it."""

    title = "action"
    parameter_name = "did"
    choices_ = tuple((name, name.replace("_", " ")) for name in sorted({*POWERS, *ACTIONS}))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those entries."""
        return queryset.filter(action=value)


class Used(filters.Choice):
    """Orders by the power that was used."""

    title = "power"
    parameter_name = "used"
    choices_ = tuple((name, power.title) for name, power in POWERS.items())

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those orders."""
        return queryset.filter(power=value)


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    """Who did what, newest first."""

    list_display = ("at", "who", "action", "subject", "session", "reason", "where")
    list_filter = (Did, filters.within("at", "age"), filters.OfSessionByName)
    search_help_text = "Who, a session's slug, or what it was done to, from its beginning"

    def search(self, queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
        """By who did it, in which session, or to what."""
        found = Q(who__istartswith=words) | Q(subject__startswith=words)
        slug = slug_of(words)
        return queryset.filter(found | Q(session__startswith=slug) if slug else found)


@admin.register(Undertaking)
class UndertakingAdmin(ReadOnly):
    """Orders, newest first."""

    newest = ("begun_at", "id")
    list_display = ("begun_at", "power", "by_name", "reason", "finished_at")
    list_filter = (Used,)

    def address_of(self, row: Any) -> str:
        """The console's page of the order, which tells how far it is with each thing."""
        return reverse("admin:undertaking", args=[row.pk])

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None  # noqa: ARG002
    ) -> HttpResponse:  # fmt: skip
        """To the console's page, for those who want to read it."""
        if not self.has_view_permission(request) or request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        order = self.get_object(request, object_id)
        if order is None:
            raise Http404(object_id)
        return redirect(self.address_of(order))
