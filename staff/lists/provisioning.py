"""The ledger for staff: to be read, never edited. No secret, encrypted or not, appears on any page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from provisioning import alerts
from provisioning.models import Alert, Credential, Ghost, Provider, Resource, Stray, SweepRun
from staff import glyphs, making, moments, phrases
from staff.listing import listing
from staff.lists import filters, search
from staff.lists.base import ReadOnly
from staff.lists.columns import OfSessions, session_link

_DOTS = "•••"  # as many for every value


@admin.register(Resource)
class ResourceAdmin(OfSessions):
    """Every resource of every session, newest first."""

    list_display = ("called", "vendor", "how", "its_session", "trouble", "took", "tries", "next_", "age")
    list_filter = (
        "state",
        "provider",
        filters.Reason,
        filters.within("settled_at", "settled"),
        filters.OfSession,
    )
    search_help_text = "Name or id at the vendor, from its beginning"
    exclude = ("session", "provider", "kind", "state", "meta", "error")
    readonly_fields = ("its_session", "vendor", "how", "trouble")
    powers = ("retry", "delete_now", "forget", "archive", "transfer")

    def search(self, queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
        """By name or id."""
        return search.resources(queryset, words)

    @admin.display(description="name")
    def called(self, row: Resource) -> SafeString:
        """What it is called at its vendor."""
        return format_html('<span class="mono">{}</span>', row.name)

    @admin.display(description="what")
    def vendor(self, row: Resource) -> str:
        """Whose it is and what it is."""
        return f"{Provider(row.provider).label} {row.kind.replace('_', ' ')}"

    @admin.display(description="trouble")
    def trouble(self, row: Resource) -> SafeString | str:
        """Why it failed, or cannot be deleted."""
        error = row.error or {}
        if not error:
            return ""
        return format_html('<span class="clip" title="{0}">{0}</span>', str(error.get("message", "")))

    @admin.display(description="took")
    def took(self, row: Resource) -> str:
        """From when work on it began to when it was live or failed."""
        spent = making.took(row)
        return "" if spent is None else phrases.duration(spent.total_seconds() * 1000)

    @admin.display(description="tries")
    def tries(self, row: Resource) -> str:
        """To make it, or to delete it once that is wanted."""
        return f"{row.delete_attempts} to delete" if row.delete_attempts else str(row.attempt)

    @admin.display(description="next try")
    def next_(self, row: Resource) -> SafeString | str:
        """When it is tried again, while it is to be."""
        settled = row.state in {Resource.State.READY, Resource.State.FAILED, Resource.State.GONE}
        return "" if settled else moments.until(row.next_at)


@admin.register(Credential)
class CredentialAdmin(ReadOnly):
    """Which credentials exist and until when; their values are dots."""

    newest = ("created_at", "id")
    list_display = ("name", "value", "vendor", "its_session", "lease", "age")
    list_filter = (filters.Lease, filters.OfSessionByResource)
    list_select_related = ("resource__session",)
    search_help_text = search.HELP
    fields = ("name", "value", "vendor", "its_session", "lease", "created_at", "expires_at", "revoked_at")
    readonly_fields = ("value", "vendor", "its_session", "lease")
    powers = ("revoke", "rotate")

    def search(self, queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
        """By the session's slug."""
        return search.of_session(queryset, words, "resource__session__")

    @admin.display(description="value")
    def value(self, credential: Credential) -> str:
        """Dots, as many for every value; or that it was wiped."""
        return _DOTS if credential.ciphertext else "wiped"

    @admin.display(description="of")
    def vendor(self, credential: Credential) -> str:
        """Who gave it out, and for what."""
        row = credential.resource
        return f"{Provider(row.provider).label} {row.kind.replace('_', ' ')}"

    @admin.display(description="session")
    def its_session(self, credential: Credential) -> SafeString:
        """Slug, leading to the page of the session."""
        return session_link(credential.resource.session.slug)

    @admin.display(description="lease")
    def lease(self, credential: Credential) -> SafeString | str:
        """How long it is still good, or since when it is not."""
        if credential.revoked_at:
            return format_html("revoked {} ago", moments.ago(credential.revoked_at))
        return format_html("{}", moments.until(credential.expires_at))

    @admin.display(description="age")
    def age(self, credential: Credential) -> SafeString | str:
        """Since when it exists."""
        return moments.ago(credential.created_at)


@admin.register(Alert)
class AlertAdmin(ReadOnly):
    """What a person has to look at; the open ones are those without an end."""

    list_display = ("subject", "how", "kind", "text", "raised", "told_at", "cleared_at")
    list_filter = (filters.Open, filters.within("raised_at", "age"))
    search_help_text = "Kind or subject, from its beginning"

    def address_of(self, row: Any) -> str:
        """Of an open one the page on which it can be acted on."""
        return "" if row.cleared_at else _answered_at(row)

    def search(self, queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
        """By kind or subject."""
        return queryset.filter(Q(subject__startswith=words) | Q(kind__startswith=words))

    @admin.display(description="state")
    def how(self, alert: Alert) -> SafeString:
        """Open or over."""
        return glyphs.told("closed", "over") if alert.cleared_at else glyphs.told("stuck", "open")

    @admin.display(description="raised")
    def raised(self, alert: Alert) -> SafeString | str:
        """How long ago."""
        return moments.ago(alert.raised_at)


def _answered_at(alert: Alert) -> str:
    if alert.kind == alerts.STUCK:
        name = urlencode({"q": alert.subject.rpartition("/")[2]})
        return f"{listing(Resource, state__exact=Resource.State.STUCK)}&{name}"
    pages = {alerts.SWEEP_ASKS: "admin:orphans", alerts.KEY_REFUSED: "admin:vendors"}
    return reverse(pages[alert.kind]) if alert.kind in pages else ""


@admin.register(SweepRun)
class SweepRunAdmin(ReadOnly):
    """Every look at the vendors' inventories, and what it asked."""

    list_display = ("id", "started_at", "ended_at", "state", "dry", "by_hand", "reason", "approved_at", "approved_by")
    list_filter = ("state", "dry", "by_hand", filters.within("started_at", "age"))


@admin.register(Stray)
class StrayAdmin(ReadOnly):
    """Things at vendors that bear our name and that no row owned when they were last seen."""

    list_display = ("name", "provider", "kind", "made_at", "sightings", "last_seen", "why", "cleared_at", "deleted_at")
    list_filter = (("deleted_at", admin.EmptyFieldListFilter), ("cleared_at", admin.EmptyFieldListFilter))
    search_help_text = "Name or id at the vendor, from its beginning"

    def search(self, queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
        """By name or id."""
        return queryset.filter(Q(name__startswith=words) | Q(external_id__startswith=words))


@admin.register(Ghost)
class GhostAdmin(ReadOnly):
    """Rows whose thing is gone, until they are repaired."""

    list_display = ("resource", "external_id", "first_seen", "last_seen", "approved_at")
    list_select_related = ("resource",)
