"""Every power there is, by its name."""

from __future__ import annotations

from staff.powers.base import Came, Effect, Order, Power
from staff.powers.repositories import Archive, Transfer
from staff.powers.rotating import Rotate
from staff.powers.sessions import Extend, Teardown

__all__ = ["POWERS", "Came", "Effect", "Order", "Power"]

POWERS: dict[str, Power] = {power.name: power for power in (Teardown(), Extend(), Rotate(), Archive(), Transfer())}
