"""PostHog: an identity, computed without a call.

All apps share one project key, which is public by design. What sets an app's events apart is the group of type `app`
with the session's name; PostHog makes a group when its first event arrives, and offers no way to delete one.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings

from provisioning.providers.base import Made, Order, Step, require
from provisioning.secrets import Secret


class Group(Step):
    """The group under which the app's events are found."""

    provider: ClassVar[str] = "posthog"
    kind: ClassVar[str] = "group"
    label: ClassVar[str] = "PostHog"
    thing: ClassVar[str] = "an analytics identity"
    without: ClassVar[str] = "The app works without analytics: visits will not be counted."
    remote: ClassVar[bool] = False
    rotates_not: ClassVar[str] = (
        "PostHog has one public key for all apps. Everybody can read it, and it cannot be replaced for one of them."
    )

    @property
    def base_url(self) -> str:
        return str(settings.POSTHOG_HOST)

    def check(self) -> None:
        require("POSTHOG_PROJECT_KEY", settings.POSTHOG_PROJECT_KEY)

    def compute(self, name: str) -> Made:
        """What the group is, for a resource of that name."""
        return Made(name, meta={"group_type": "app"})

    async def create(self, order: Order) -> Made:
        return self.compute(order.name)

    def env(self, made: Made) -> dict[str, Secret]:
        return {
            "VITE_POSTHOG_KEY": Secret(settings.POSTHOG_PROJECT_KEY),
            "VITE_POSTHOG_HOST": Secret(settings.POSTHOG_HOST),
            "VITE_POSTHOG_APP_ID": Secret(made.external_id),
        }
