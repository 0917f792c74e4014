"""The header's sections, each for those who may open it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

SECTIONS = (
    ("Dashboard", "admin:index", "sessions_app.view_session"),
    ("Sessions", "admin:sessions_app_session_changelist", "sessions_app.view_session"),
    ("Resources", "admin:provisioning_resource_changelist", "provisioning.view_resource"),
    ("Credentials", "admin:provisioning_credential_changelist", "provisioning.view_credential"),
    ("Repositories", "admin:repositories", "provisioning.view_resource"),
    ("Orphans", "admin:orphans", "provisioning.view_stray"),
    ("Vendors", "admin:vendors", "provisioning.view_vendor"),
    ("Audit log", "admin:staff_entry_changelist", "staff.view_entry"),
)


@dataclass(frozen=True, slots=True)
class Section:
    """One link of the header; `current` where the page that is shown lies below it."""

    title: str
    url: str
    current: bool


def sections(request: HttpRequest) -> list[Section]:
    """The sections this person may open, in the header's order."""
    found = []
    for title, name, permission in SECTIONS:
        if not request.user.has_perm(permission):
            continue
        url = reverse(name)
        current = request.path == url if name == "admin:index" else request.path.startswith(url)
        found.append(Section(title, url, current))
    return found


def others(apps: Iterable[Mapping[str, Any]], shown: Iterable[Section]) -> list[Section]:
    """The lists this person may open that are no section of their own, by name. `apps` is Django's list of its apps."""
    taken = {section.url for section in shown}
    models = [model for app in apps for model in app["models"] if model["admin_url"]]
    found = [
        Section(str(one["name"]), one["admin_url"], current=False) for one in models if one["admin_url"] not in taken
    ]
    return sorted(found, key=lambda section: section.title)
