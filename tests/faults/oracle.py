"""Whether two ledgers agree: what localcloud says exists, and what the product's rows say it owns.

They share no code and no database. Four numbers have to be 0 once everything has come to rest:

* `orphans`: it lives at a vendor, and no row owns it, so nobody would ever destroy it;
* `ghosts`: a row says ready, and the thing is dead at the vendor;
* `duplicates`: a second live thing for one row or name;
* `lost_secrets`: a ready row whose stored secret is missing or does not open what it is for.

`untidy` names everything else that should have come to rest and has not.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.house import House

KINDS = {"neon": ("project",), "resend": ("audience", "api_key"), "github": ("repository",), "e2b": ("sandbox",)}
_WITH_SECRET = ("project", "api_key")
_POLL = 1.0  # seconds

_ROWS = """
    select s.slug, s.state, r.provider, r.kind, r.name, r.state, r.external_id, r.verified_at is not null,
           exists (select 1 from provisioning_credential c
                   where c.resource_id = r.id and c.revoked_at is null and c.ciphertext <> '')
    from provisioning_resource r join sessions_app_session s on s.id = r.session_id
"""
_GAPS = """
    select s.slug from sessions_app_session s
    left join (select session_id, count(*) as number, min(seq) as lowest, max(seq) as highest
               from sessions_app_event group by session_id) e on e.session_id = s.id
    where coalesce(e.number, 0) <> s.last_seq or coalesce(e.lowest, 1) <> 1 or coalesce(e.highest, 0) <> s.last_seq
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A resource as the product's database has it."""

    slug: str
    session: str
    provider: str
    kind: str
    name: str
    state: str
    external_id: str
    verified: bool
    has_secret: bool

    def is_(self, thing: dict[str, Any]) -> bool:
        """Whether the row's id is this thing's. GitHub knows a repository by its name, its ledger by a number."""
        if self.provider == "github":
            return self.external_id.rpartition("/")[2] == thing["name"]
        return self.external_id == thing["id"]


@dataclass
class Verdict:
    """What the comparison found. `sessions` and `created` count everything that ever was."""

    sessions: int = 0
    created: int = 0
    live: int = 0
    orphans: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    lost_secrets: list[str] = field(default_factory=list)
    untidy: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the ledgers agree and everything is at rest."""
        return not (self.orphans or self.ghosts or self.duplicates or self.lost_secrets or self.untidy)

    def figures(self) -> dict[str, int]:
        """The numbers of it."""
        named = {"orphans": self.orphans, "ghosts": self.ghosts, "duplicates": self.duplicates,
                 "lost_secrets": self.lost_secrets}  # fmt: skip
        return {"sessions": self.sessions, "created": self.created} | {name: len(its) for name, its in named.items()}

    def complaints(self) -> str:
        """What is wrong, for a person; the first few of each."""
        parts = {"orphans": self.orphans, "ghosts": self.ghosts, "duplicates": self.duplicates,
                 "lost secrets": self.lost_secrets, "untidy": self.untidy}  # fmt: skip
        return "; ".join(f"{len(its)} {name}: {', '.join(its[:8])}" for name, its in parts.items() if its)


def judge(house: House) -> Verdict:
    """Compare the two ledgers as they are now. Blocks; secrets are only looked for, see `proofs` for trying them."""
    things = [one for one in house.cloud.ledger() if one["kind"] in KINDS.get(one["vendor"], ())]
    things = [one for one in things if one["name"].startswith("mk0r-")]
    rows = [Row(*row) for row in house.rows(_ROWS)]
    verdict = Verdict(created=len(things), sessions=len({row.slug for row in rows}))
    _vendors_side([one for one in things if not one["deleted_at"]], rows, verdict)
    _our_side(rows, verdict)
    verdict.untidy += [f"{slug} has a gap in its events" for (slug,) in house.rows(_GAPS)]
    return verdict


def _vendors_side(live: list[dict[str, Any]], rows: list[Row], verdict: Verdict) -> None:
    verdict.live = len(live)
    owners = {(row.provider, row.kind, row.name): row for row in rows if row.state != "gone"}
    named = Counter((one["vendor"], one["kind"], one["name"]) for one in live)
    for one in live:
        owner = owners.get((one["vendor"], one["kind"], one["name"]))
        what = f"{one['vendor']} {one['kind']} {one['name']}"
        if owner is None:
            verdict.orphans.append(what)
        elif owner.external_id and not owner.is_(one):
            verdict.duplicates.append(f"{what} beside {owner.external_id}")
    verdict.duplicates += [f"{' '.join(key)} ×{number}" for key, number in named.items() if number > 1]
    ids = {(one["vendor"], one["kind"], one["name"] if one["vendor"] == "github" else one["id"]) for one in live}
    for row in rows:
        held = row.external_id.rpartition("/")[2] if row.provider == "github" else row.external_id
        if row.state == "ready" and row.provider in KINDS and (row.provider, row.kind, held) not in ids:
            verdict.ghosts.append(f"{row.provider} {row.kind} {row.name}")


def _our_side(rows: list[Row], verdict: Verdict) -> None:
    failed = {(row.slug, row.provider) for row in rows if row.state == "failed"}
    for row in rows:
        what = f"{row.slug} {row.provider} {row.kind}: {row.state} in a session that is {row.session}"
        if row.state == "ready" and row.kind in _WITH_SECRET and not row.has_secret:
            verdict.lost_secrets.append(f"{row.slug} {row.kind} has none")
        if row.session == "open":
            # The second step of a leg waits behind a first one that failed: that is at rest.
            waits = row.state == "planned" and (row.slug, row.provider) in failed
            if row.state not in ("ready", "failed") and not waits:
                verdict.untidy.append(what)
        elif row.state != "gone" or not row.verified:
            verdict.untidy.append(what)
    verdict.untidy += sorted({f"{row.slug} is closing" for row in rows if row.session == "closing"})


async def converged(house: House, *, within: float) -> tuple[Verdict, float]:
    """Ask until the ledgers agree, at most `within` seconds; the last verdict and how long that took."""
    began = time.monotonic()
    while True:
        verdict = await asyncio.to_thread(judge, house)
        took = time.monotonic() - began
        if verdict.holds or took > within:
            return verdict, took
        await asyncio.sleep(_POLL)


def created_once(house: House, names: Iterable[str]) -> Counter[tuple[str, str]]:
    """How often each (vendor, kind) was made under any of these names, alive or not."""
    wanted = set(names)
    return Counter((one["vendor"], one["kind"]) for one in house.cloud.ledger() if one["name"] in wanted)
