"""Which rows have work ahead of them, asked of the database: for looks at many sessions at once."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from provisioning.models import Resource

State = Resource.State


def on_their_way() -> QuerySet[Resource]:
    """What is being made, or is still to be: a step after one that failed is neither, until that one is retried."""
    before = Resource.objects.filter(
        session=OuterRef("session"), provider=OuterRef("provider"), pk__lt=OuterRef("pk"), state=State.FAILED
    )
    moving = Resource.objects.filter(state__in=[State.PLANNED, State.CREATING, State.UNKNOWN])
    return moving.exclude(Exists(before), state=State.PLANNED)
