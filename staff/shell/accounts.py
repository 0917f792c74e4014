"""`staff`, `token`, `tokens`: accounts of staff and what speaks for them over the API."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import transaction

from staff import audit, groups, onetime, tokens
from staff.access_models import Token
from staff.actors import of_shell
from staff.refusals import NotFound, Refused
from staff.shell import DONE
from staff.shell.console import Console, command
from staff.telling import iso


def add(commands: Any) -> None:
    """Add the subcommands."""
    parser = command(commands, "staff", _staff, "make or renew an account of staff; prints a one-time password")
    parser.add_argument("name")
    parser.add_argument("--group", choices=(groups.VIEWER, groups.OPERATOR, groups.ADMIN), help="a new one is a viewer")
    parser.add_argument("--activate", action="store_true", help="also where the account was put out of use")
    parser = command(commands, "token", _token, "make a token for the API, printed once; or revoke one")
    parser.add_argument("name")
    parser.add_argument("--user", required=True, help="the account it speaks for")
    parser.add_argument(
        "--days", type=float, default=30, help=f"it lives so long, up to {tokens.MOST_DAYS}; 30 unless told"
    )
    parser.add_argument("--scope", choices=("reveal",), help="reveal: it may also see values of credentials")
    parser.add_argument("--revoke", action="store_true", help="revoke the one of that name")
    parser = command(commands, "tokens", _tokens, "list tokens for the API, newest first")
    parser.add_argument("--user", help="only those of one account")


def _staff(console: Console, options: dict[str, Any]) -> int:
    name, group = options["name"], options["group"]
    try:
        User.username_validator(name)
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from None
    groups.ensure()
    with transaction.atomic():
        user, new = User.objects.get_or_create(username=name[:150])
        if not (user.is_active or options["activate"]):
            raise Refused(f"The account {name} was put out of use. To have it used again, say --activate.")
        user.is_active = user.is_staff = True
        user.save(update_fields=["is_active", "is_staff"])
        if group or (new and not user.is_superuser):
            user.groups.set([Group.objects.get(name=group or groups.VIEWER)])
        password = onetime.give(user)
        held = sorted(user.groups.values_list("name", flat=True)) + ["superuser"] * user.is_superuser
        audit.record(of_shell(), "account", name, new=new, groups=held)
    console.result({"name": name, "new": new, "groups": held, "password": password})
    console.say(f"{name} ({', '.join(held)}) comes in once with this password:")
    console.give(password)
    return DONE


def _token(console: Console, options: dict[str, Any]) -> int:
    user, name = _user(options["user"]), options["name"]
    if options["revoke"]:
        found = Token.objects.filter(user=user, name=name, revoked_at=None).first()
        if found is None:
            raise NotFound(f"{user.get_username()} has no live token called {name[:40]}.")
        tokens.revoke(of_shell(), found)
        console.result({"name": name, "user": user.get_username(), "revoked": True})
        console.say(f"{found} is worth nothing from now on.")
        return DONE
    scope = options["scope"]
    text = tokens.make(of_shell(), user, name, days=options["days"], may_reveal=scope == "reveal")
    made = Token.objects.get(user=user, name=name, revoked_at=None)
    console.result({**_told(made), "token": text})
    console.say(f"{made}, until {made.expires_at:%Y-%m-%d %H:%M} UTC; shown this once:")
    console.give(text)
    return DONE


def _tokens(console: Console, options: dict[str, Any]) -> int:
    rows = Token.objects.select_related("user").order_by("-created_at")
    if options["user"]:
        rows = rows.filter(user=_user(options["user"]))
    told = [_told(one) for one in rows]
    console.result({"tokens": told})
    titles = ["name", "user", "may_reveal", "created_at", "expires_at", "last_used_at", "last_used_from", "revoked_at"]
    console.table([title.replace("_", " ") for title in titles], ([one[title] for title in titles] for one in told))
    return DONE


def _told(token: Token) -> dict[str, Any]:
    return {
        "name": token.name,
        "user": token.user.get_username(),
        "may_reveal": token.may_reveal,
        "created_at": iso(token.created_at),
        "expires_at": iso(token.expires_at),
        "last_used_at": iso(token.last_used_at),
        "last_used_from": token.last_used_from or None,
        "revoked_at": iso(token.revoked_at),
    }


def _user(name: str) -> User:
    found = User.objects.filter(username=name).first()
    if found is None:
        raise NotFound(f"There is no account {name[:150]}.")
    return found
