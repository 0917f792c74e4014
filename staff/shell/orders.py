"""What is ordered: `teardown`, `retry`, `extend`, `delete_now`, `forget`, `revoke`, `rotate`, `sweep`, `pause`,
`resume`; `order` for every power that has no command of its own; and `follow`, which goes on watching an order.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from sessions_app.models import Session
from staff import choosing, undertakings
from staff.actors import of_shell
from staff.powers import Power
from staff.refusals import NotFound
from staff.shell import here, watching
from staff.shell.console import Console, Run, command
from staff.telling import orders as telling
from staff.telling import vendors

Keys = Callable[[dict[str, Any]], list[str]]
SHOWN = 20  # things listed one by one before somebody says yes


def add(commands: Any) -> None:
    """Add the subcommands."""
    parser = _command(commands, "teardown", _over(_slugs), "end sessions and destroy what they own")
    parser.add_argument("slug", nargs="+")
    parser = _command(commands, "extend", _over(_slugs, hours="hours"), "give sessions more time, counted from now")
    parser.add_argument("slug", nargs="+")
    parser.add_argument("--hours", type=float, required=True)
    for name, choose, text in (
        ("retry", choosing.failed, "try again to make what failed, at these vendors or at all"),
        ("delete_now", choosing.undeletable, "try again, now, to delete what is being deleted or stuck"),
        ("forget", choosing.undeletable, "give up what cannot be deleted; it may live on at its vendor"),
        ("revoke", choosing.with_credentials, "have the vendors take a session's credentials no more"),
        ("rotate", choosing.with_credentials, "have the vendors make new credentials for a session"),
    ):
        parser = _command(commands, name, _over(_legs(choose)), text)
        parser.add_argument("slug")
        parser.add_argument("vendor", nargs="*")
    parser = _command(
        commands, "sweep", _over(_everything, dry="dry"), "hold the vendors' inventories against the ledger"
    )
    parser.add_argument("--dry", action="store_true", help="look and remember, but delete and repair nothing")
    for name, stopped, text in (
        ("pause", True, "stop the use of a vendor: nothing is made there"),
        ("resume", False, "use a vendor again"),
    ):
        parser = _command(commands, name, _over(_vendor, power="pause_vendor", asks=False, stopped=stopped), text)
        parser.add_argument("vendor")
    parser = _command(commands, "order", _any, "use any power, by its name, on the things of these keys")
    parser.add_argument("power")
    parser.add_argument(
        "key", nargs="+", help="what the power finds its things by: numbers of rows, as `show` has them"
    )
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="how it is used")
    parser = command(commands, "follow", _follow, "watch an order that was given before to its end")
    parser.add_argument("order")
    _waiting(parser)


def _command(commands: Any, name: str, run: Run, text: str) -> argparse.ArgumentParser:
    parser = command(commands, name, run, text)
    parser.add_argument("--reason", default="", help="why; kept in the audit log")
    parser.add_argument("--yes", action="store_true", help="do not ask before something is destroyed")
    _waiting(parser)
    return parser


def _waiting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--here", action="store_true", help="be a worker until it has ended, where none is running")
    parser.add_argument("--wait", type=float, metavar="SECONDS", help="at most so long; 0: only order. Else to the end")


# --- what is meant ----------------------------------------------------------------------------------------------------
def _slugs(options: dict[str, Any]) -> list[str]:
    return [str(one.pk) for one in choosing.sessions(options["slug"])]


def _legs(choose: Callable[[Session, list[str]], list[str]]) -> Keys:
    return lambda options: choose(choosing.sessions([options["slug"]])[0], options["vendor"])


def _everything(options: dict[str, Any]) -> list[str]:  # noqa: ARG001
    return [choosing.EVERYTHING]


def _vendor(options: dict[str, Any]) -> list[str]:
    return [vendors.named(options["vendor"])]


# --- the order --------------------------------------------------------------------------------------------------------
def _over(keys: Keys, *, power: str = "", asks: bool = True, **kept: Any) -> Run:
    """A subcommand that orders a power on what `keys` finds. `kept` are its options: a text names the argument it is
    taken from, anything else is the value.
    """

    def run(console: Console, options: dict[str, Any]) -> int:
        used = choosing.power(power or options["what"])
        said = {name: options[value] if isinstance(value, str) else value for name, value in kept.items()}
        return _order(console, used, keys(options), said, options, asks=asks and not said.get("dry"))

    return run


def _any(console: Console, options: dict[str, Any]) -> int:
    said = dict(each.partition("=")[::2] for each in options["option"])
    return _order(console, choosing.power(options["power"]), options["key"], said, options, asks=True)


def _order(
    console: Console, power: Power, keys: list[str], said: dict[str, Any], options: dict[str, Any], *, asks: bool
) -> int:
    if asks and (power.destroys or power.warning):
        console.confirm(_told(power, keys), yes=options["yes"])
    made = undertakings.begin(of_shell(), power, keys, reason=options["reason"], options=said)
    return _to_its_end(console, made.pk, options)


def _told(power: Power, keys: list[str]) -> Iterator[str]:
    """What the page that asks says, in lines."""
    subjects = power.find(keys)
    effects = power.effects(subjects[:SHOWN])
    yield f"{power.title}: {len(subjects)}."
    if power.warning:
        yield power.warning
    for one in subjects[:SHOWN]:
        what = (f"{each.vendor} {each.what} {each.name} {each.state}".strip() for each in effects[power.key(one)])
        yield f"  {power.label(one)}: {', '.join(what) or 'nothing at any vendor'}"
    if len(subjects) > SHOWN:
        yield f"  … and {len(subjects) - SHOWN} more"


def _follow(console: Console, options: dict[str, Any]) -> int:
    try:
        key = UUID(options["order"])
    except ValueError:
        raise NotFound("An order is named by its number, as it was printed when it was given.") from None
    return _to_its_end(console, telling.found(key).pk, options)


def _to_its_end(console: Console, key: UUID, options: dict[str, Any]) -> int:
    watch = watching.Watch(console, key, most=options["wait"])
    return here.follow(watch) if options["here"] else watch.follow()
