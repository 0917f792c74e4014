"""The power to replace credentials: new ones are stored, `.env` is written, and only then the old ones end."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Model

from provisioning import rotations
from provisioning.models import Credential, Provider, Resource, Rotation
from provisioning.providers.base import Rotates
from provisioning.providers.registry import step_for
from sessions_app.database import db
from staff.powers.base import Came, Effect, Order, State
from staff.powers.resources import OverResources


class Rotate(OverResources):
    """Replace what a vendor gave: Neon's password of a role, Resend's sending key."""

    name = "rotate"
    title = "Rotate credentials"
    warning = (
        "The app goes on. A sending key works until .env has the new one. A database password stops at once, so for a"
        " second or two, until .env has the new one, the app reaches its database only over connections that are open."
    )

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        rows = [row for row in subjects if isinstance(row, Resource)]
        names: dict[int, list[str]] = {}
        held = Credential.objects.filter(resource__in=rows, revoked_at=None).order_by("name")
        for number, name in held.values_list("resource_id", "name"):
            names.setdefault(number, []).append(name)
        return {str(row.pk): _effects(row, names.get(row.pk, [])) for row in rows}

    async def act(self, order: Order, key: str) -> Came:
        try:
            await db(
                rotations.begin, int(key), by=order.by, where=order.where, reason=order.reason, order=order.id
            )  # fmt: skip
        except rotations.NotRotatable as error:
            return Came(State.FAILED, str(error))
        return await db(self.followed, key)

    def followed(self, key: str) -> Came:
        rotation = rotations.last_of(int(key))
        return Came(State.NOTHING, "was never ordered") if rotation is None else _came(rotation)


def _effects(row: Resource, names: list[str]) -> list[Effect]:
    step = step_for(row.provider, row.kind)
    if step.rotates is Rotates.NOT:
        return [Effect(step.label, row.kind.replace("_", " "), row.name, f"stays as it is. {step.rotates_not}")]
    ends = "the old value stops at once" if step.rotates is Rotates.IN_PLACE else "the old one is deleted afterwards"
    return [Effect(step.label, name, row.name, ends) for name in names if not name.endswith(rotations.OLD)]


def _came(rotation: Rotation) -> Came:
    vendor = str(Provider(rotation.resource.provider).label)
    met = f": {rotation.words}" if rotation.words else ""
    if rotation.ended_at is None and rotation.resource.state != Resource.State.READY:
        return Came(State.FAILED, f"not rotated: it is {rotation.resource.state} by now")
    if rotation.state == Rotation.State.ASKED:
        return Came(State.WORKING, f"asking {vendor} for new credentials{met}")
    if rotation.state == Rotation.State.MADE:
        return Came(State.WORKING, f"stored; the old value ends once .env has the new one{met}")
    if rotation.state == Rotation.State.DONE:
        return Came(State.DONE, f".env has the new value, and the old one is dead at {vendor}")
    return Came(State.FAILED, f"not rotated{met}")
