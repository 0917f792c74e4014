"""What Django's admin finds when it looks for lists: those of `staff.lists`."""

from __future__ import annotations

from staff.lists import accounts, gateway, provisioning, sessions, staff, tokens  # noqa: F401 (importing registers)
