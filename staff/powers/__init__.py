"""Every power there is, by its name."""

from __future__ import annotations

from staff.powers.base import Came, Effect, Option, Order, Power
from staff.powers.legs import DeleteNow, Forget, Retry
from staff.powers.repositories import Archive, Transfer
from staff.powers.revoking import Revoke
from staff.powers.rotating import Rotate
from staff.powers.sessions import Extend, Teardown
from staff.powers.strays import Adopt, DeleteStray, Dismiss, Repair
from staff.powers.sweeping import Approve, Sweep
from staff.powers.turns import EndTurn
from staff.powers.vendors import PauseVendor

__all__ = ["POWERS", "Came", "Effect", "Option", "Order", "Power"]

POWERS: dict[str, Power] = {
    power.name: power
    for power in (
        Teardown(),
        Extend(),
        EndTurn(),
        Retry(),
        DeleteNow(),
        Forget(),
        Revoke(),
        Rotate(),
        Archive(),
        Transfer(),
        Sweep(),
        Approve(),
        Adopt(),
        DeleteStray(),
        Dismiss(),
        Repair(),
        PauseVendor(),
    )
}
