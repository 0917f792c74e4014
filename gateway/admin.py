"""What went through the doors, for staff to read. Nothing here can be changed: bills and limits rest on it."""

from __future__ import annotations

from django.contrib import admin

from gateway.models import MailSend, ModelCall
from provisioning.admin import ReadOnly


@admin.register(ModelCall)
class ModelCallAdmin(ReadOnly):
    """Calls to the model, newest first."""

    list_display = (
        "started_at",
        "session",
        "model",
        "status",
        "complete",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "duration_ms",
    )
    list_filter = ("model", "status", "complete")
    list_select_related = ("session",)
    search_fields = ("session__slug",)
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(MailSend)
class MailSendAdmin(ReadOnly):
    """Sends of mail, newest first."""

    list_display = ("at", "session", "recipients", "refused")
    list_select_related = ("session",)
    search_fields = ("session__slug",)
    ordering = ("-id",)
    show_full_result_count = False
