"""Addresses of the console's own pages, below `/admin/`; each is for signed-in staff only."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.admin import AdminSite
from django.http import HttpResponse
from django.urls import URLPattern, path

from staff.pages import orders, repositories, reveal, session, strays, vendors


def console_urls(site: AdminSite) -> list[URLPattern]:
    """Every page of ours; names are reversed as `admin:<name>`."""
    pages: dict[str, tuple[Callable[..., HttpResponse], str]] = {
        "orders/<slug:power>/": (orders.order, "order"),
        "orphans/": (strays.orphans, "orphans"),
        "vendors/": (vendors.vendors, "vendors"),
        "credentials/<uuid:key>/reveal/": (reveal.reveal, "reveal"),
        "repositories/": (repositories.index, "repositories"),
        "repositories/<slug:slug>/": (repositories.repository, "repository"),
        "sessions/<slug:slug>/": (session.session_page, "session"),
        "undertakings/<uuid:key>/": (orders.undertaking, "undertaking"),
        "undertakings/<uuid:key>/state": (orders.undertaking_state, "undertaking_state"),
    }
    return [path(address, site.admin_view(view), name=name) for address, (view, name) in pages.items()]
