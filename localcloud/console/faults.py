"""Faults by hand: see which are in force, add one, remove one, clear all."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web

from localcloud import operator
from localcloud.cloud import cloud_of
from localcloud.console import chrome
from localcloud.console.markup import Html, h, join
from localcloud.console.overview import VENDORS, known_operations
from localcloud.faults import Fault, FaultError, Faults

# What the client sees, and whether it was done; the same words as in docs/localcloud.md.
WORDS = {
    "latency": ("the right answer, later", "done"),
    "late": ("silence, then the right answer", "done then, even if the client has left"),
    "hang": ("silence, then a reset", "not done"),
    "reset_before": ("a reset", "not done"),
    "reset_after": ("a reset", "done: the reply is lost"),
    "garbage": ("the right status, HTML that calls itself JSON", "done"),
    "truncate": ("half the body, then a reset", "done"),
    "slow_drip": ("the body, byte by byte", "done"),
    "flood": ("the right status and 100 MB", "done"),
}
STATUSES = (400, 401, 403, 404, 409, 422, 423, 429, 500, 502, 503, 504, 529)
USUAL = {"what": "* *", "fault": "latency", "probability": "1", "seconds": ""}


async def page(request: web.Request, trouble: str = "", given: Mapping[str, str] = USUAL) -> web.Response:
    """The rules in force: JSON for programs, a form for people, filled in as it was sent when that was refused."""
    if operator.by_key(request):
        return await operator.faults(request)
    faults = cloud_of(request).faults
    clear = h(
        '<form method="post" action="/_cloud/faults">'
        '<button class="btn" name="clear" value="1">Clear all</button></form>'
    )
    body = h(
        "{}{}{}",
        h('<p class="strip" role="alert">{}</p>', chrome.state("bad", trouble)) if trouble else Html(""),
        chrome.block("In force", _rules(faults), aside=clear if faults.rules else ""),
        chrome.block("Order a fault", _form(known_operations(request), given)),
    )
    lead = "Make a vendor misbehave on purpose. Rules are forgotten when localcloud stops."
    return chrome.page("faults", "Faults", body, lead=lead, status=400 if trouble else 200)


def _rules(faults: Faults) -> Html:
    if not faults.rules:
        return h('<p class="empty">{}</p>', "Everything behaves.")
    return h('<ul class="rules">{}</ul>', join(_rule(rule, faults.met[rule]) for rule in faults.rules))


def _rule(rule: Fault, met: int) -> Html:
    where = _where(rule.vendor, rule.operation)
    more = [] if rule.probability == 1 else [f"{rule.probability:.0%} of the time"]
    if rule.retry_after is not None:
        more.append(f"Retry-After: {rule.retry_after}")
    elif rule.seconds is not None:
        name = "Retry-After: " if rule.fault.startswith("status:") else ""
        more.append(f"{name}{rule.seconds:g}{'' if name else ' s'}")
    how = ", ".join(more) or "always"
    return h(
        '<li>{}<span class="rule-where">{}</span><span class="faint small">{}</span>'
        '<form method="post" action="/_cloud/faults"><button class="btn" name="remove" value="{}" aria-label="{}">'
        "Remove</button></form></li>",
        chrome.state("warn", rule.fault),
        where,
        f"{how} · met {met} {'request' if met == 1 else 'requests'}",
        json.dumps(rule.to_json()),
        f"Remove {rule.fault}, {where}",
    )


def _where(vendor: str, operation: str) -> str:
    name = VENDORS[vendor][0] if vendor in VENDORS else "any vendor" if vendor == "*" else vendor
    return f"{name}, {'every operation' if operation == '*' else operation}"


def _form(operations: dict[str, list[str]], given: Mapping[str, str]) -> Html:
    def option(value: str, text: str, chosen: str) -> Html:
        return h('<option value="{}"{}>{}</option>', value, Html(" selected" if value == chosen else ""), text)

    what, fault = given.get("what", ""), given.get("fault", "")
    groups = join(
        h(
            '<optgroup label="{}">{}</optgroup>',
            VENDORS[vendor][0] if vendor in VENDORS else vendor,
            join(
                option(f"{vendor} {name}", _where(vendor, name), what)
                for name in ("*", *sorted({one.partition("/")[0] for one in names if "/" in one}), *names)
            ),
        )
        for vendor, names in operations.items()
    )
    kinds = join(option(kind, f"{kind}: {sees}; {done}", fault) for kind, (sees, done) in WORDS.items())
    codes = join(option(f"status:{code}", f"status:{code}", fault) for code in STATUSES)
    return h(
        '<form class="form" method="post" action="/_cloud/faults">'
        '<label class="wide">Operation<select name="what">{}{}</select></label>'
        '<label class="wide">Fault<select name="fault">{}<optgroup label="The vendor\'s error; not done">{}</optgroup>'
        "</select></label>"
        '<label>Probability, 0 to 1<input name="probability" value="{}" inputmode="decimal"></label>'
        '<label>Seconds; Retry-After of a status<input name="seconds" value="{}" placeholder="as usual" '
        'inputmode="decimal"></label>'
        '<button class="btn btn-main" name="add" value="1">Order the fault</button></form>',
        option("* *", _where("*", "*"), what),
        groups,
        kinds,
        codes,
        given.get("probability", ""),
        given.get("seconds", ""),
    )


async def change(request: web.Request) -> web.Response:
    """Add, remove or clear by a form of our own page."""
    faults, form = cloud_of(request).faults, await request.post()
    kept = [rule.to_json() for rule in faults.rules]
    given = {name: str(form.get(name, "")) for name in USUAL}
    try:
        if "clear" in form:
            faults.clear()
        elif "remove" in form:  # by what it says: its place may have changed under the reader's eyes
            gone = json.loads(str(form["remove"]))
            if gone in kept:
                kept.remove(gone)
            faults.replace(kept)
        else:
            faults.replace([*kept, _wished(given)])
    except (FaultError, ValueError) as error:
        return await page(request, str(error), given)
    raise web.HTTPSeeOther("/_cloud/faults")


def _wished(given: Mapping[str, str]) -> dict[str, object]:
    """The rule a form asks for. Raises `FaultError`."""
    vendor, _, operation = given["what"].partition(" ")
    wished: dict[str, object] = {"vendor": vendor or "*", "operation": operation or "*", "fault": given["fault"]}
    for name, usual in (("probability", "1"), ("seconds", "")):
        text = given[name].strip() or usual
        try:
            if text:
                wished[name] = float(text)
        except ValueError:
            raise FaultError(f"{name} must be a number, and is {text[:40]!r}") from None
    return wished
