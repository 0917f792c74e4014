"""Addresses of the pages."""

from __future__ import annotations

from django.urls import path, re_path

from sessions_app import views

urlpatterns = [
    path("", views.home, name="home"),
    re_path(r"^s/(?P<slug>[a-z0-9]{12})$", views.builder, name="builder"),
    re_path(r"^s/(?P<slug>[a-z0-9]{12})/receipt$", views.receipt, name="receipt"),
]
