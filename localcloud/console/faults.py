"""Faults by hand: see which are in force, add one, remove one, clear all."""

from __future__ import annotations

from aiohttp import web

from localcloud import operator
from localcloud.cloud import cloud_of
from localcloud.console import chrome
from localcloud.console.markup import Html, h, join
from localcloud.console.overview import known_operations
from localcloud.faults import KINDS, FaultError, parse


async def page(request: web.Request, trouble: str = "") -> web.Response:
    """The rules in force: JSON for programs, a form for people."""
    if operator.by_key(request):
        return await operator.faults(request)
    rules = cloud_of(request).faults.rules
    listed = chrome.table(
        "Rules",
        ("Vendor", "Operation", "Fault", "Probability", "Seconds", ""),
        [
            (
                rule.vendor,
                chrome.code(rule.operation),
                chrome.state("warn", rule.fault),
                f"{rule.probability:.0%}",
                "" if rule.seconds is None else f"{rule.seconds:g}",
                h(
                    '<form method="post" action="/_cloud/faults"><button class="btn" name="remove" value="{}">'
                    "Remove</button></form>",
                    number,
                ),
            )
            for number, rule in enumerate(rules)
        ],
        empty="Everything behaves.",
    )
    clear = h(
        '<form method="post" action="/_cloud/faults">'
        '<button class="btn" name="clear" value="1">Clear all</button></form>'
    )
    body = h(
        "{}{}{}",
        h('<p class="strip" role="alert">{}</p>', chrome.state("bad", trouble)) if trouble else Html(""),
        chrome.block("In force", listed, aside=clear if rules else ""),
        chrome.block("Order a fault", _form(known_operations(request.app))),
    )
    lead = "Make a vendor misbehave on purpose. Rules are forgotten when localcloud stops."
    return chrome.page("faults", "Faults", body, lead=lead, status=400 if trouble else 200)


def _form(operations: dict[str, list[str]]) -> Html:
    vendors = join(h("<option>{}</option>", name) for name in ("*", *operations))
    groups = join(
        h('<optgroup label="{}">{}</optgroup>', vendor, join(h("<option>{}</option>", name) for name in names))
        for vendor, names in operations.items()
    )
    kinds = join(h("<option>{}</option>", kind) for kind in (*KINDS, "status:429", "status:500", "status:503"))
    return h(
        '<form class="form" method="post" action="/_cloud/faults">'
        '<label>Vendor<select name="vendor">{}</select></label>'
        '<label>Operation<select name="operation"><option>*</option>{}</select></label>'
        '<label>Fault<select name="fault">{}</select></label>'
        '<label>Probability<input name="probability" value="1" inputmode="decimal"></label>'
        '<label>Seconds<input name="seconds" placeholder="as usual" inputmode="decimal"></label>'
        '<button class="btn btn-main" name="add" value="1">Order the fault</button></form>',
        vendors,
        groups,
        kinds,
    )


async def change(request: web.Request) -> web.Response:
    """Add, remove or clear by a form of our own page."""
    faults, form = cloud_of(request).faults, await request.post()
    if "clear" in form:
        faults.clear()
    elif "remove" in form:
        number = str(form["remove"])
        faults.rules = tuple(rule for place, rule in enumerate(faults.rules) if str(place) != number)
    else:
        try:
            wished: dict[str, object] = {name: str(form.get(name, "*")) for name in ("vendor", "operation", "fault")}
            wished["probability"] = float(str(form.get("probability") or "1"))
            if form.get("seconds"):
                wished["seconds"] = float(str(form["seconds"]))
            faults.rules = (*faults.rules, parse(wished))
        except (FaultError, ValueError) as error:
            return await page(request, trouble=str(error))
    raise web.HTTPSeeOther("/_cloud/faults")
