"""The ledger for staff: to be read, never edited. No secret, encrypted or not, appears on any page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from provisioning.models import Credential, Ghost, Resource, Stray, SweepRun


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # one base for both
    """Rows are made and changed by the orchestrator alone; what may still exist at a vendor is never deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Resource)
class ResourceAdmin(ReadOnly):
    """Every resource of every session, newest first."""

    list_display = (
        "session",
        "provider",
        "kind",
        "name",
        "state",
        "attempt",
        "started_at",
        "settled_at",
    )
    list_filter = (
        "state",
        "provider",
    )
    list_select_related = ("session",)
    search_fields = (
        "name",
        "external_id",
        "session__slug",
    )
    ordering = ("-id",)
    show_full_result_count = False
    list_per_page = 50


@admin.register(Credential)
class CredentialAdmin(ReadOnly):
    """Which credentials exist and until when; their values are dots."""

    list_display = (
        "resource",
        "name",
        "value",
        "created_at",
        "expires_at",
        "revoked_at",
    )
    list_select_related = ("resource",)
    search_fields = (
        "name",
        "resource__name",
    )
    fields = (
        "resource",
        "name",
        "value",
        "created_at",
        "expires_at",
        "revoked_at",
    )
    readonly_fields = ("value",)
    ordering = ("-created_at",)
    show_full_result_count = False
    list_per_page = 50

    @admin.display(description="value")
    def value(self, credential: Credential) -> str:
        """Dots, as many for every value; or that it was wiped."""
        return "•••" if credential.ciphertext else "wiped"


@admin.register(SweepRun)
class SweepRunAdmin(ReadOnly):
    """Every look at the vendors' inventories, and what it asked."""

    list_display = ("id", "started_at", "ended_at", "state", "dry", "by_hand", "reason", "approved_at", "approved_by")
    list_filter = ("state", "dry", "by_hand")
    show_full_result_count = False
    list_per_page = 50


@admin.register(Stray)
class StrayAdmin(ReadOnly):
    """Things at vendors that bear our name and that no row owned when they were last seen."""

    list_display = ("provider", "kind", "name", "made_at", "sightings", "last_seen", "why", "cleared_at", "deleted_at")
    list_filter = ("provider", "kind", ("deleted_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "external_id")
    show_full_result_count = False
    list_per_page = 50


@admin.register(Ghost)
class GhostAdmin(ReadOnly):
    """Rows whose thing is gone, until they are repaired."""

    list_display = ("resource", "external_id", "first_seen", "last_seen", "approved_at")
    list_select_related = ("resource",)
    show_full_result_count = False
    list_per_page = 50
