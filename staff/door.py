"""The admin's door: pages are for signed-in staff, and for those who have a password of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar, cast

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

# What somebody may open who came in by a one-time password and has not chosen one of their own yet.
_WITHOUT_PASSWORD = {"password_change", "logout", "jsi18n"}


class Door(AdminSite):
    """A site whose every page asks for a password of one's own first."""

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Django's own, and for those alone who have chosen a password."""
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
