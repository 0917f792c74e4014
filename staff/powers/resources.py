"""What powers over resources share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Model, Q

from provisioning.models import Credential, Resource
from staff.powers.base import Effect, Power
from staff.powers.sessions import uuids
from staff.powers.subjects import effect_of, kind, numbers, vendor


def label(row: Resource) -> str:
    """A resource as a person reads it: vendor, kind and name."""
    return f"{vendor(row.provider)} {kind(row.kind)} {row.name}"


class OverResources(Power):
    """Resources, found by their number or by a credential of theirs, known by vendor, kind and name."""

    noun = ("resource", "resources")

    def find(self, keys: Sequence[str]) -> list[Model]:
        chosen = Q(pk__in=numbers(keys)) | Q(credentials__pk__in=uuids(keys))
        return list(Resource.objects.filter(chosen).select_related("session").distinct().order_by("pk"))

    def key(self, subject: Model) -> str:
        return str(subject.resource_id if isinstance(subject, Credential) else subject.pk)

    def label(self, subject: Model) -> str:
        row = subject.resource if isinstance(subject, Credential) else subject
        return label(row) if isinstance(row, Resource) else str(row)

    def slug(self, subject: Model) -> str:
        return str(subject.session.slug) if isinstance(subject, Resource) else ""

    def about(self, subject: Model) -> str:
        return str(subject.state) if isinstance(subject, Resource) else ""

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        return {self.key(row): [effect_of(row)] for row in subjects if isinstance(row, Resource)}
