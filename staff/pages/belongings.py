"""What a session owns, as its page shows it: resources, credentials without their values, ways to the vendors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Model
from django.urls import reverse

from provisioning.ledger import UNWANTED
from provisioning.models import Credential, Provider, Resource
from provisioning.providers.base import Rotates
from provisioning.providers.registry import step_for
from sessions_app.models import Session
from staff import making, phrases
from staff.actors import Actor
from staff.powers import POWERS, Power

State = Resource.State


@dataclass(frozen=True, slots=True)
class Owned:
    """One resource; `url` is empty where there is nothing to open."""

    row: Resource
    vendor: str
    local: bool
    thing: str
    url: str
    took: str
    trouble: str
    page: str  # of the console, where there is one of its own
    acts: list[tuple[Power, str]]


@dataclass(frozen=True, slots=True)
class Key:
    """One credential. Its value is dots wherever it is not revealed on purpose."""

    row: Credential
    vendor: str
    reveal: str  # address of the page that shows it, for those who may
    acts: list[tuple[Power, str]]


def resources(actor: Actor, session: Session, rows: list[Resource]) -> list[Owned]:
    """Those of a session, in the order every list has."""
    places = {provider.value: place for place, provider in enumerate(Provider)}
    ordered = sorted(rows, key=lambda row: (places[row.provider], row.pk))
    return [_owned(actor, session, row) for row in ordered]


def credentials(actor: Actor, held: list[Credential]) -> list[Key]:
    """Those of a session, whose rows know their resource."""
    return [
        Key(
            row=one,
            vendor=str(Provider(one.resource.provider).label),
            reveal=reverse("admin:reveal", args=[one.pk]) if one.revoked_at is None and actor.may("reveal") else "",
            acts=_acts(actor, one, _of_a_key(one)),
        )
        for one in held
    ]


def links(rows: list[Resource]) -> list[tuple[str, str]]:
    """Where the session's things can be looked at, each by a name."""
    found = []
    names = {"github": "Repository", "neon": "Neon project"}
    for row in rows:
        if row.state != State.READY:
            continue
        if row.provider in names:
            found.append((names[row.provider], _seen_at(row)))
        elif row.provider == Provider.E2B and "answered" in row.meta:
            found.append(("Preview", _address(row.meta.get("preview", ""))))
    return [(name, url) for name, url in found if url]


def _owned(actor: Actor, session: Session, row: Resource) -> Owned:
    step = step_for(row.provider, row.kind)
    took = making.took(row)
    wanted = []
    if row.state == State.FAILED and session.state == Session.State.OPEN:
        wanted = ["retry"]
    elif row.state in UNWANTED:
        wanted = ["delete_now", "forget"] if row.state == State.STUCK else ["delete_now"]
    return Owned(
        row=row,
        vendor=str(Provider(row.provider).label),
        local=step.local,
        thing=row.kind.replace("_", " "),
        url=_seen_at(row) if row.state != State.GONE else "",
        took="" if took is None else phrases.duration(took.total_seconds() * 1000),
        trouble=str((row.error or {}).get("message", "")),
        page=reverse("admin:repository", args=[session.slug]) if row.provider == Provider.GITHUB else "",
        acts=_acts(actor, row, wanted),
    )


def _of_a_key(credential: Credential) -> list[str]:
    """What can be done about one: revoked ones are left alone, and some vendors cannot make another."""
    if credential.revoked_at is not None:
        return []
    row = credential.resource
    return ["revoke"] if step_for(row.provider, row.kind).rotates is Rotates.NOT else ["revoke", "rotate"]


def _acts(actor: Actor, subject: Model, names: list[str]) -> list[tuple[Power, str]]:
    powers = [POWERS[name] for name in names]
    return [(power, power.key(subject)) for power in powers if actor.may(power.right)]


def _seen_at(row: Resource) -> str:
    """Where it can be looked at, at its vendor or what stands in for it; empty where it cannot."""
    page = step_for(row.provider, row.kind).page(row.external_id) if row.external_id else ""
    return _address(row.url or page)


def _address(url: Any) -> str:
    """The address, if it is one a browser may be sent to: vendors' replies are theirs, not ours."""
    return str(url) if urlsplit(str(url)).scheme in {"http", "https"} else ""
