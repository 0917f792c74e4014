"""The admin's site as mk0r's console: our pages beside Django's lists, under one header, behind our door."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar, cast

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

# What somebody may open who came in by a one-time password and has not chosen one of their own yet.
_WITHOUT_PASSWORD = {"password_change", "logout", "jsi18n"}


class StaffSite(AdminSite):
    """`admin.site` of this project. Its own pages come before those of the models."""

    site_header = "mk0r"
    site_title = "mk0r staff"
    index_title = "Dashboard"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Our pages, then Django's."""
        from staff.urls import console_urls

        return [*console_urls(self), *super().get_urls()]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page has: the sections of the header that this person may open."""
        from staff.sections import sections

        return {**super().each_context(request), "sections": sections(request)}

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Every page is for signed-in staff, and for those with a password of their own."""
        inner = super().admin_view(view, cacheable)

        def chosen_first(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if _has_to_choose(request):
                return redirect("admin:password_change")
            return inner(request, *args, **kwargs)

        return cast("View", update_wrapper(chosen_first, inner))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Choose a password of one's own."""
        from staff.pages import passwords

        context = {**self.each_context(request), **(extra_context or {})}
        return cast("TemplateResponse", passwords.change(request, context))  # or a redirect, as Django's own is


def _has_to_choose(request: HttpRequest) -> bool:
    from staff.signing import MUST_CHOOSE

    match = request.resolver_match
    return bool(request.session.get(MUST_CHOOSE)) and (match is None or match.url_name not in _WITHOUT_PASSWORD)
