"""Django app configuration of the console, and of the admin whose site it is."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class ConsoleConfig(AdminConfig):
    """Django's admin, served by our site."""

    default_site = "staff.site.StaffSite"


class StaffConfig(AppConfig):
    """Registers the app under its package name; after every migration the groups have the rights they should."""

    name = "staff"

    def ready(self) -> None:
        """Connect what is heard from below, and what follows a migration, once per run of it: this app comes after all
        whose rights it hands out.
        """
        from staff import receivers, signing  # noqa: F401 (importing connects)

        post_migrate.connect(_ensure_groups, sender=self)


def _ensure_groups(**_: Any) -> None:
    from staff import groups

    groups.ensure()
