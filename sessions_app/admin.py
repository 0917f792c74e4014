"""Staff's view of sessions: everything to read, nothing to edit, one action that ends sessions once confirmed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from provisioning.models import Resource
from sessions_app import jobs, services
from sessions_app.models import Event, Session, Turn, Version

_RESOURCES_LIST = "admin:provisioning_resource_changelist"


class _ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """What the product wrote is history: staff may look at it."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Nobody adds by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Nobody edits by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Rows are not deleted while what they describe may live (I-9)."""
        return False


@admin.register(Session)
class SessionAdmin(_ReadOnly):
    """Sessions with what they own, newest first."""

    list_display = ("slug", "state", "title", "resources_live", "turn_count", "spent_usd", "created_at", "expires_at")
    list_filter = ("state", "created_at")
    search_fields = ("slug", "title")
    date_hierarchy = "created_at"
    exclude = ("visitor_hash", "idempotency_key")
    readonly_fields = ("links",)
    actions = ("teardown",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:  # noqa: ARG002
        """Count resources and turns in the same query."""
        alive = Q(resources__state__in=[state for state in Resource.State if state != Resource.State.GONE])
        counted = Session.objects.annotate(
            alive=Count("resources", filter=alive, distinct=True), turns_made=Count("turns", distinct=True)
        )
        return counted.order_by("-created_at")

    @admin.display(description="resources alive", ordering="alive")
    def resources_live(self, session: Any) -> str:
        """How many resources are not proven gone, linked to them."""
        return format_html('<a href="{}?session__id__exact={}">{}</a>', _resources_url(), session.pk, session.alive)

    @admin.display(description="turns", ordering="turns_made")
    def turn_count(self, session: Any) -> int:
        """How many prompts were taken."""
        return int(session.turns_made)

    @admin.display(description="see also")
    def links(self, session: Session) -> str:
        """The lists of what belongs to this session."""
        events = reverse("admin:sessions_app_event_changelist")
        turns = reverse("admin:sessions_app_turn_changelist")
        return format_html(
            '<a href="{0}?session__id__exact={3}">resources</a> · <a href="{1}?session__id__exact={3}">events</a>'
            ' · <a href="{2}?session__id__exact={3}">turns</a>',
            _resources_url(), events, turns, session.pk,
        )  # fmt: skip

    def has_teardown_permission(self, request: HttpRequest) -> bool:
        """Ending a session takes more than looking at it."""
        return bool(request.user.has_perm("sessions_app.delete_session"))

    @admin.action(description="End selected sessions and destroy what they own", permissions=["teardown"])
    def teardown(self, request: HttpRequest, queryset: QuerySet[Session]) -> HttpResponse | None:
        """Show exactly what will be destroyed; once confirmed, end the sessions. Jobs see the destruction through."""
        chosen = list(queryset.filter(state=Session.State.OPEN).prefetch_related("resources"))
        if not chosen:
            self.message_user(request, "None of these sessions is open.", messages.WARNING)
            return None
        if "confirmed" not in request.POST:
            context = {**self.admin_site.each_context(request), "sessions": chosen, "opts": self.model._meta}  # noqa: SLF001
            return TemplateResponse(request, "sessions_app/teardown_confirmation.html", context)
        for session in chosen:
            if services.session_end(session):
                jobs.converge_soon(session.pk, queue=jobs.DOWN)
                self.log_change(request, session, "Ended by staff; teardown begun.")
        self.message_user(request, f"Ended {len(chosen)}; what they own is being destroyed.", messages.SUCCESS)
        return None


def _resources_url() -> str:
    return reverse(_RESOURCES_LIST) if admin.site.is_registered(Resource) else ""


@admin.register(Event)
class EventAdmin(_ReadOnly):
    """The logs of all sessions, newest first."""

    list_display = ("at", "session", "seq", "type")
    list_filter = ("type",)
    list_select_related = ("session",)
    search_fields = ("session__slug",)
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(Turn)
class TurnAdmin(_ReadOnly):
    """Prompts and what came of them, newest first."""

    list_display = ("session", "number", "state", "cost_usd", "created_at", "finished_at")
    list_filter = ("state",)
    list_select_related = ("session",)
    search_fields = ("session__slug", "prompt")
    ordering = ("-id",)


@admin.register(Version)
class VersionAdmin(_ReadOnly):
    """Commits of all apps, newest first."""

    list_display = ("session", "number", "kind", "message", "sha", "created_at")
    list_filter = ("kind",)
    list_select_related = ("session",)
    search_fields = ("session__slug", "sha", "message")
    ordering = ("-id",)
