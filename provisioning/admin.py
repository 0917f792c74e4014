"""The ledger for staff: to be read, never edited. No secret, encrypted or not, appears on any page.

Two things can be done: forget a resource whose deletion cannot be proved, for a reason that stays on its row, and end
the lease of a credential. Both are written to the log of the admin.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from provisioning import endings, ledger, services
from provisioning.models import Alert, Credential, Ghost, Resource, Stray, SweepRun


class Reason(forms.Form):
    """Why a resource is forgotten."""

    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 3, "cols": 80}))


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
    actions = ("forget",)

    def has_forget_permission(self, request: HttpRequest) -> bool:
        """Giving up what may still live, and cost, takes more than looking at it."""
        return bool(request.user.has_perm("provisioning.delete_resource"))

    @admin.action(description="Forget selected resources that cannot be deleted", permissions=["forget"])
    def forget(self, request: HttpRequest, queryset: QuerySet[Resource]) -> HttpResponse | None:
        """Ask for a reason, then count as gone without proof what is being deleted or stuck."""
        chosen = list(queryset.filter(state__in=ledger.UNWANTED).select_related("session"))
        if not chosen:
            self.message_user(request, "None of these is being deleted or stuck.", messages.WARNING)
            return None
        form = Reason(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            context = {**self.admin_site.each_context(request), "form": form, "resources": chosen, "opts": self.opts}
            return TemplateResponse(request, "provisioning/forget_confirmation.html", context)
        for row in chosen:
            if endings.forget(row, reason=form.cleaned_data["reason"], by=request.user.get_username()):
                self.log_change(request, row, f"Forgotten without proof: {form.cleaned_data['reason']}")
        self.message_user(request, f"Forgot {len(chosen)}.", messages.SUCCESS)
        return None


@admin.register(Alert)
class AlertAdmin(ReadOnly):
    """What a person has to look at; the open ones are those without an end."""

    list_display = ("raised_at", "kind", "subject", "text", "told_at", "cleared_at")
    list_filter = ("kind", ("cleared_at", admin.EmptyFieldListFilter))
    search_fields = ("subject",)
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
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Taking a running app's keys away takes more than looking at them."""
        return bool(request.user.has_perm("provisioning.change_credential"))

    @admin.action(description="Revoke selected credentials, and the others of the same service", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        """End the leases: nobody reads the values from here on, and a job has the vendor take them no more."""
        held = queryset.filter(revoked_at=None).select_related("resource__session")
        services_of = {(one.resource.session_id, one.resource.provider): one for one in held}
        for (_, provider), credential in services_of.items():
            if services.revoke(credential.resource.session, provider):
                self.log_change(request, credential, f"Revoked every credential of {provider}.")
        self.message_user(request, f"Ended the leases of {len(services_of)}; their vendors are told.", messages.SUCCESS)

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
