"""The admin's site as mk0r's console: our pages beside Django's lists, under one header."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver

from staff.door import Door

# Where rows are looked up by any type and key, and offered to widgets that no form here has.
_UNUSED = {"view_on_site", "autocomplete"}


class StaffSite(Door, AdminSite):
    """`admin.site` of this project. Its own pages come before those of the models."""

    site_header = "mk0r"
    site_title = "mk0r staff"
    index_title = "Dashboard"
    enable_nav_sidebar = False

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Our pages, then Django's, but for those that none of ours leads to."""
        from staff.urls import console_urls

        djangos = [one for one in super().get_urls() if getattr(one, "name", None) not in _UNUSED]
        return [*console_urls(self), *djangos]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:  # noqa: ARG002
        """The dashboard, in place of the list of all models."""
        from staff.pages.dashboard import dashboard

        request.current_app = self.name  # as Django's own index does
        return dashboard(request, self)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page has: the sections of the header and the other lists this person may open, and the vendors
        that are not well.
        """
        from staff.counts import vendors
        from staff.sections import others, sections

        context = super().each_context(request)
        found = sections(request)
        unwell = []
        if request.user.has_perm("provisioning.view_vendor"):
            unwell = [one for one in vendors.conditions().values() if not one.well]
        return {**context, "sections": found, "lists": others(context["available_apps"], found), "unwell": unwell}
