"""What GitHub last said of a session's repository, kept on its row for lists that cannot ask for every line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provisioning import clock, ledger
from provisioning.models import Resource
from provisioning.providers.registry import RepositoryFacts, look_at_repository
from provisioning.work import write

_SEEN = "seen"  # in `meta`
State = Resource.State


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read, and when."""

    default_branch: str
    kilobytes: int
    archived: bool
    at: datetime


async def read(row: Resource) -> RepositoryFacts | None:
    """Ask GitHub now, and remember it; None when it has no such repository of ours.

    Raises:
        VendorError: GitHub does not say.
    """
    facts = await look_at_repository(row.external_id)
    if facts is not None:
        await write(_remember, row, facts)
    return facts


def seen(row: Resource) -> Seen | None:
    """What was read last, if anything was."""
    kept: Any = row.meta.get(_SEEN)
    if not isinstance(kept, dict):
        return None
    return Seen(kept["default_branch"], kept["kilobytes"], kept["archived"], datetime.fromisoformat(kept["at"]))


def _remember(row: Resource, facts: RepositoryFacts) -> None:
    with ledger.fenced(row, None, frozenset({State.READY})) as current:
        if current is None or current.external_id != row.external_id:
            return
        kept = {"default_branch": facts.default_branch, "kilobytes": facts.kilobytes, "archived": facts.archived}
        current.meta = {**current.meta, _SEEN: kept | {"at": clock.now().isoformat()}}
        current.save(update_fields=["meta"])
