"""Tokens for the API: one's own, and to a superuser everybody's. They are made in the shell and revoked here."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from staff import tokens
from staff.access_models import Token
from staff.actors import of_request
from staff.lists.base import ReadOnly


@admin.register(Token)
class TokenAdmin(ReadOnly):
    """Which tokens exist, until when, and when they were last used."""

    list_display = (
        "name",
        "user",
        "may_reveal",
        "created_at",
        "expires_at",
        "last_used_at",
        "last_used_from",
        "revoked_at",
    )
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    fields = list_display  # never the hash
    ordering = ("-created_at",)
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Token]:
        """A token acts in somebody's name: only they, and superusers, have to do with it."""
        rows: QuerySet[Token] = super().get_queryset(request)
        return rows if getattr(request.user, "is_superuser", False) else rows.filter(user=request.user)  # type: ignore[misc]

    @admin.action(description="Revoke", permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """Have the chosen ones be worth nothing from now on."""
        actor = of_request(request)
        revoked = sum(tokens.revoke(actor, one) for one in queryset.select_related("user"))
        self.message_user(request, f"Revoked {revoked}.", messages.SUCCESS if revoked else messages.WARNING)
