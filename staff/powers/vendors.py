"""The power over vendors: stop the use of one, for every process at once, and let it go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.db.models import Count, Model
from django.urls import reverse

from provisioning import standing
from provisioning.models import Resource, Vendor
from provisioning.providers.registry import PROVIDERS, steps_of
from sessions_app.database import db
from staff.powers.base import Came, Effect, Option, Order, Power, State
from staff.powers.subjects import vendor
from staff.powers.switches import switch

STOPPABLE = tuple(provider for provider in PROVIDERS if any(step.remote for step in steps_of(provider)))


class PauseVendor(Power):
    """Stop or start making anything at a vendor. What is there stays, and is deleted when its session ends."""

    name = "pause_vendor"
    title = "Stop or start a vendor"
    noun = ("vendor", "vendors")
    heading: ClassVar[str] = "What has been begun there and not finished"
    link_words = "vendors"
    warning = (
        "While a vendor is stopped nothing is made there: its legs fail and say that staff have paused it. What is "
        "there stays and can be deleted."
    )
    reason_hint = "needed to stop it"
    options = (Option("stopped", "From now on", (("true", "Stopped"), ("false", "In use"))),)

    def find(self, keys: Sequence[str]) -> list[Model]:
        wanted = [provider for provider in STOPPABLE if provider in keys]
        known = Vendor.objects.in_bulk(wanted)
        return [known.get(provider) or Vendor(provider=provider) for provider in wanted]

    def label(self, subject: Model) -> str:
        return vendor(str(subject.pk))

    def about(self, subject: Model) -> str:
        return "stopped by staff" if isinstance(subject, Vendor) and subject.stopped else "in use"

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        chosen = [self.key(one) for one in subjects]
        moving = Resource.objects.filter(state__in=["planned", "creating", "unknown"], provider__in=chosen)
        found: dict[str, list[Effect]] = {key: [] for key in chosen}
        for row in moving.values("provider", "state").annotate(count=Count("pk")).order_by("provider", "state"):
            what = "legs not begun, which fail" if row["state"] == "planned" else f"legs {row['state']}, which go on"
            found[row["provider"]].append(Effect(vendor(row["provider"]), what, str(row["count"]), exists=False))
        return found

    def wants_reason(self, options: dict[str, Any]) -> bool:
        return bool(options["stopped"])

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"stopped": switch(options, "stopped", "Say whether the vendor is to be stopped or in use.")}

    async def act(self, order: Order, key: str) -> Came:
        return await db(_switch, order, key)


def _switch(order: Order, provider: str) -> Came:
    link, name = reverse("admin:vendors"), vendor(provider)
    if order.options["stopped"]:
        if standing.stop(provider, by=order.by, reason=order.reason):
            return Came(State.DONE, f"stopped: nothing is made at {name} from now on", link)
        return Came(State.NOTHING, "was stopped already", link)
    if standing.start(provider):
        return Came(State.DONE, f"in use again: legs that failed meanwhile can be retried at {name}", link)
    return Came(State.NOTHING, "was in use already", link)
