"""All of it at once: each vendor within a time of its own, none able to delay or spoil what is said of another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from django.conf import settings

from mk0r.doctor import anthropic, e2b, github, neon, posthog, resend
from mk0r.doctor.installation import database, sandboxes
from mk0r.doctor.looking import Ended, Look
from mk0r.doctor.report import Part, Report
from mk0r.vendors import VENDORS, Vendor, configured, refusals
from provisioning import http

log = logging.getLogger(__name__)
SECONDS = 10.0

LOOKS: dict[str, Callable[[Look], Awaitable[None]]] = {
    "neon": neon.look,
    "resend": resend.look,
    "github": github.look,
    "posthog": posthog.look,
    "e2b": e2b.look,
    "anthropic": anthropic.look,
}


async def examine(seconds: float = SECONDS) -> Report:
    """Look at everything, within `seconds` for the database and then for the slowest vendor."""
    ours = [await asyncio.to_thread(database, seconds), *sandboxes()]
    async with http.borrowed():
        vendors = await asyncio.gather(*(examine_vendor(vendor, seconds) for vendor in VENDORS))
    return Report((*ours[:1], *vendors, *ours[1:]), tuple(refusals(configured(settings))))


async def examine_vendor(vendor: Vendor, seconds: float = SECONDS) -> Part:
    """Look at one vendor; whatever happens, what was found out until then is in the part that is returned."""
    look = Look(vendor)
    if not look.key and not _needs_no_key(look):
        look.wrong(
            "key", "none", f"Set {' or '.join(vendor.keys)}, or run `make run`, which plays the vendor on this machine."
        )
        return look
    try:
        async with asyncio.timeout(seconds):
            await LOOKS[vendor.name](look)
    except Ended:
        pass
    except TimeoutError:
        look.overdue(seconds)
    except Exception:  # one vendor's answers must not hide what is known of the others
        log.exception("doctor_failed vendor=%s", vendor.name)
        look.wrong("answers", f"{look.host} answered in a way doctor cannot read", "The trace is above: report it.")
    return look


def _needs_no_key(look: Look) -> bool:
    """A server that speaks the Messages API at an address somebody set may do without."""
    return look.part == "anthropic" and look.host != "api.anthropic.com"
