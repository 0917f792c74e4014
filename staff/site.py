"""The admin's site as mk0r's console: our pages beside Django's lists, under one header."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver

from staff.door import Door


class StaffSite(Door, AdminSite):
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
