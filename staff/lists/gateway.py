"""What went through the doors, for staff to read. Nothing here can be changed: bills and limits rest on it."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gateway.models import MailSend, ModelCall
from staff import moments, phrases
from staff.lists import filters
from staff.lists.columns import OfSessions


@admin.register(ModelCall)
class ModelCallAdmin(OfSessions):
    """Calls to the model, newest first."""

    list_display = ("began", "its_session", "model", "answer", "input_tokens", "output_tokens", "cost", "took")
    list_filter = (filters.Answer, filters.within("started_at", "age"), filters.OfSession)

    @admin.display(description="began (UTC)")
    def began(self, call: ModelCall) -> SafeString | str:
        """When it left."""
        return moments.at(call.started_at)

    @admin.display(description="answer")
    def answer(self, call: ModelCall) -> str:
        """The upstream's status, and whether all of the answer came."""
        if not call.status:
            return "none"
        return str(call.status) if call.complete else f"{call.status}, cut off"

    @admin.display(description="cost")
    def cost(self, call: ModelCall) -> SafeString:
        """By the meter."""
        return format_html('<span class="num">{}</span>', phrases.money(call.cost_usd))

    @admin.display(description="took")
    def took(self, call: ModelCall) -> str:
        """Until the last byte."""
        return phrases.duration(call.duration_ms)


@admin.register(MailSend)
class MailSendAdmin(OfSessions):
    """Sends of mail, newest first."""

    list_display = ("sent", "its_session", "recipients", "refused")
    list_filter = ("refused", filters.OfSession)

    @admin.display(description="at (UTC)")
    def sent(self, send: MailSend) -> SafeString | str:
        """When it was taken."""
        return moments.at(send.at)
