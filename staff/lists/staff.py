"""The audit log and the orders of staff; nobody can edit either."""

from __future__ import annotations

from django.contrib import admin

from staff.lists.base import ReadOnly
from staff.models import Entry, Undertaking


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    """Who did what, newest first."""

    list_display = ("at", "who", "action", "subject", "session", "reason", "where")
    list_filter = ("action",)
    search_fields = ("who", "session", "subject")
    ordering = ("-id",)


@admin.register(Undertaking)
class UndertakingAdmin(ReadOnly):
    """Orders, newest first."""

    list_display = ("begun_at", "power", "by_name", "reason", "finished_at")
    list_filter = ("power",)
    ordering = ("-begun_at",)
