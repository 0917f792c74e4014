"""`sessions`, `show`, `vendors`, `reveal`: what is there. Only a reveal is written down."""

from __future__ import annotations

import json
from typing import Any

from provisioning.models import Provider
from sessions_app.models import Session
from staff import choosing, revealing
from staff.actors import of_shell
from staff.shell import DONE
from staff.shell.console import Console, ago, command
from staff.telling import sessions as telling
from staff.telling import vendors

_GLYPHS = {"ready": "●", "failed": "✕", "stuck": "!", "gone": "○", "unknown": "?"}  # else on its way: …


def add(commands: Any) -> None:
    """Add the subcommands."""
    parser = command(commands, "sessions", _sessions, "list sessions, newest first")
    parser.add_argument("--state", choices=Session.State.values, help="only open, closing or closed ones")
    parser.add_argument("--stuck", action="store_true", help="only where something cannot be deleted")
    parser.add_argument("--failed", action="store_true", help="only where a leg was not made")
    parser.add_argument("--limit", type=int, default=50, help=f"at most so many, up to {telling.MOST}; 50 unless told")
    parser.add_argument("--before", metavar="SLUG", default="", help="go on with what is older than this session")
    parser = command(commands, "show", _show, "show everything of one session; values of credentials are dots")
    parser.add_argument("slug")
    command(commands, "vendors", _vendors, "show how each vendor treats us now, and what is stopped")
    parser = command(
        commands, "reveal", _reveal, "print the value of a credential, once; the audit log says who looked"
    )
    parser.add_argument("slug")
    parser.add_argument("name", help="as in .env: DATABASE_URL")
    parser.add_argument("--reason", default="", help="why; kept in the audit log")


def _sessions(console: Console, options: dict[str, Any]) -> int:
    wanted = telling.Wanted(
        state=options["state"] or "",
        stuck=options["stuck"],
        failed=options["failed"],
        before=options["before"],
        limit=options["limit"],
    )
    found, following = telling.page(wanted)
    console.result({"sessions": found, "next": following})
    console.table(
        ["slug", "age", "state", *(str(one.label) for one in Provider), "turns", "cost", "active", "title"],
        ([
            one["slug"], ago(one["created_at"]), one["state"], *(_leg(one["legs"].get(p)) for p in Provider.values),
            f"{one['turns']}{' …' * one['turn_running']}", f"${one['spent_usd']:.2f}", ago(one["last_active_at"]),
            one["title"][:40],
        ] for one in found),
    )  # fmt: skip
    if following:
        console.say(f"More: --before {following}")
    return DONE


def _leg(state: str | None) -> str:
    return f"{_GLYPHS.get(state, '…')} {state}" if state else "–"


def _show(console: Console, options: dict[str, Any]) -> int:
    told = telling.whole(telling.found(options["slug"]))
    console.result(told)
    for key in ("slug", "state", "title", "created_at", "expires_at", "ended_at", "last_active_at", "sandbox"):
        console.say(f"{key.replace('_', ' ').removesuffix(' at'):<12} {told[key] or '–'}")
    console.say(f"{'preview':<12} {told['preview_url'] or '–'}", f"{'cost':<12} ${told['spent_usd']:.4f}")
    _part(console, "Resources", told["resources"], ["id", "provider", "kind", "name", "state", "external_id", "error"])
    _part(console, "Credentials", told["credentials"], ["name", "provider", "value", "expires_at", "revoked_at", "id"])
    _part(console, "Turns", told["turns"], ["number", "state", "started_at", "duration_ms", "cost_usd", "prompt"])
    _part(console, "Versions", told["versions"], ["number", "sha", "message", "at", "current"])
    _part(console, "Last events", told["events"], ["seq", "at", "type", "data"])
    _part(console, "Audit log", told["audit"], ["at", "who", "action", "subject", "reason", "where"])
    return DONE


def _part(console: Console, title: str, rows: list[dict[str, Any]], columns: list[str]) -> None:
    console.say("", f"{title}: {len(rows) or 'none'}")
    if rows:
        names = [column.removesuffix("_at").replace("_", " ") for column in columns]
        console.table(names, ([_cell(row[column]) for column in columns] for row in rows))


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        value = value.get("message") or json.dumps(value, ensure_ascii=False)
    text = str(value).replace("\n", " ")
    return text if len(text) <= 80 else text[:79] + "…"


def _vendors(console: Console, options: dict[str, Any]) -> int:  # noqa: ARG001
    told = vendors.told()
    console.result({"vendors": told})
    moving = list(told[0]["resources"])
    console.table(
        ["vendor", "where", "state", "paused until", *moving],
        (
            [
                one["vendor"],
                "local" if one["local"] else "real",
                one["state"],
                one["paused_until"],
                *one["resources"].values(),
            ]
            for one in told
        ),
    )
    return DONE


def _reveal(console: Console, options: dict[str, Any]) -> int:
    found = choosing.credential(telling.found(options["slug"]), options["name"])
    value = revealing.reveal(of_shell(), found.pk, options["reason"]).expose()
    console.result({"name": found.name, "value": value})
    console.give(value)
    return DONE
