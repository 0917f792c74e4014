"""Every address the product answers."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from mk0r.api import api

urlpatterns = [
    path("api/", api.urls),
    path("admin/", admin.site.urls),
    path("gateway/", include("gateway.urls")),
    path("", include("sessions_app.urls")),
]
