"""Rate limits: what each vendor takes, and what is left of it."""

from __future__ import annotations

from aiohttp import web

from localcloud import operator
from localcloud.cloud import cloud_of
from localcloud.console import chrome
from localcloud.console.markup import Html, h
from localcloud.console.overview import VENDORS
from localcloud.limits import COUNTED, Limits


async def page(request: web.Request) -> web.Response:
    """The limits in force: JSON for programs, a table for people."""
    if operator.by_key(request):
        return await operator.limits(request)
    limits = cloud_of(request).limits
    listed = chrome.table(
        "Limits", ("Vendor", "Calls", "Left", "New window"), [_row(limits, vendor) for vendor in COUNTED], empty=""
    )
    lead = "One call more than these and the vendor answers 429. Set by MK0R_CLOUD_LIMITS or PUT /_cloud/limits."
    return chrome.page("limits", "Limits", chrome.block("In force", listed), lead=lead)


def _row(limits: Limits, vendor: str) -> tuple[Html | str, ...]:
    name, standing = h('<span class="st">{}</span>', VENDORS[vendor][0]), limits.standing(vendor)
    if standing is None:
        return name, chrome.state("gone", "no limit"), "", ""
    limit = standing.limit
    untouched = standing.remaining == limit.requests
    return (
        name,
        f"{limit.requests} in {limit.per_seconds:g} s",
        chrome.state("live" if standing.remaining else "bad", str(standing.remaining)),
        "with the next call" if untouched else f"in {standing.seconds} s",
    )
