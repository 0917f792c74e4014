"""Powers over repositories: make one readable only, and give one to another owner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Model
from django.urls import reverse

from provisioning import giving, ledger, repositories
from provisioning.exceptions import VendorError
from provisioning.models import Provider, Resource
from provisioning.outcome import Outcome, Wire
from provisioning.providers.registry import archive_repository, is_repository_owner, transfer_repository
from sessions_app.database import db
from staff.powers.base import Came, Effect, Option, Order, State
from staff.powers.resources import OverResources
from staff.refusals import Refused

_NO_REPOSITORY = "is no repository"


class _OverRepositories(OverResources):
    """What both share: of what is chosen, repositories alone."""

    noun = ("repository", "repositories")
    link_words = "repository"

    def find(self, keys: Any) -> list[Model]:
        return [row for row in super().find(keys) if isinstance(row, Resource) and row.provider == Provider.GITHUB]

    def link(self, row: Resource) -> str:
        """Where its state is shown."""
        return reverse("admin:repository", args=[row.session.slug])


class Archive(_OverRepositories):
    """Make repositories readable only, or writable again."""

    name = "archive"
    title = "Archive"
    warning = "An archived repository can be read and cloned. The app's next versions cannot be pushed to it."
    options = (Option("archived", "From now on", (("yes", "Archived"), ("no", "Not archived")), preset="yes"),)

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        chosen = str(options.get("archived", "yes"))
        if chosen not in {"yes", "no"}:
            raise Refused("Say whether it is to be archived: yes or no.")
        return {"archived": chosen}

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        rows = [row for row in subjects if isinstance(row, Resource)]
        return {str(row.pk): [Effect("GitHub", "repository", row.external_id or row.name, row.state)] for row in rows}

    async def act(self, order: Order, key: str) -> Came:
        row = await db(ledger.row, int(key))
        wanted = order.options.get("archived", "yes") == "yes"
        if row.state != Resource.State.READY:
            return Came(State.NOTHING, f"is {row.state}")
        facts = await repositories.read(row)
        if facts is None:
            return Came(State.FAILED, "GitHub has no such repository of mk0r any more")
        link = await db(self.link, row)
        before = Came(State.NOTHING, "was archived before" if wanted else "was not archived", link)
        if facts.archived == wanted:
            return before
        try:
            await archive_repository(row.external_id, archived=wanted)
        except VendorError:
            facts = await repositories.read(row)
            if facts is None or facts.archived != wanted:
                raise
            return before  # somebody was quicker: GitHub refuses to archive what is archived
        await repositories.read(row)
        return Came(State.DONE, "archived: it can be read only" if wanted else "can be pushed to again", link)


class Transfer(_OverRepositories):
    """Give repositories to another owner. The ledger lets go of one when it is theirs."""

    name = "transfer"
    title = "Give to another owner"
    needs_reason = True
    options = (Option("new_owner", "New owner at GitHub", text=True, most="39"),)
    warning = (
        "From then on it is theirs: mk0r pushes no more versions to it and does not delete it when the session ends."
        " A person has to accept it within a day; until then it stays here."
    )

    def checked(self, options: dict[str, Any]) -> dict[str, Any]:
        owner = str(options.get("new_owner", "")).strip()
        if not is_repository_owner(owner):
            raise Refused("Say which account at GitHub is to have it, by its login.")
        return {"new_owner": owner}

    def effects(self, subjects: Iterable[Model]) -> dict[str, list[Effect]]:
        rows = [row for row in subjects if isinstance(row, Resource)]
        return {
            str(row.pk): [Effect("GitHub", "repository", row.external_id or row.name, "leaves mk0r's account")]
            for row in rows
        }

    async def act(self, order: Order, key: str) -> Came:
        wish = giving.Wish(str(order.options["new_owner"]), order.by, order.where, order.reason)
        try:
            fresh = await db(giving.offer, int(key), wish)
        except giving.NotGivable as error:
            return await db(self._stood, key, wish.to, str(error))
        row = await db(ledger.row, int(key))
        try:
            await transfer_repository(row.external_id, wish.to)
        except VendorError as error:
            if fresh and _certain(error):
                await db(giving.withdraw, int(key), f"GitHub refused ({error.status}); it is mk0r's still")
                raise
        return await db(self.followed, key)

    def _stood(self, key: str, to: str, why: str) -> Came:
        """What an order finds that is carried out again after it has done its work; else why it is refused."""
        row = ledger.row(int(key))
        owner = giving.offered_to(row) or giving.taken_by(row)
        return self.followed(key) if owner.lower() == to.lower() else Came(State.FAILED, why)

    def followed(self, key: str) -> Came:
        row = ledger.row(int(key))
        link = self.link(row)
        if owner := giving.taken_by(row):
            return Came(State.DONE, f"belongs to {owner} now", link)
        if owner := giving.offered_to(row):
            return Came(State.WORKING, f"offered; it is {owner}'s as soon as GitHub has moved it", link)
        failed = row.meta.get(giving.NOT_GIVEN) or {}
        return Came(State.FAILED, str(failed.get("words", "was not given away")), link)


def _certain(error: VendorError) -> bool:
    """Whether GitHub has said that it does not do it."""
    return error.wire is Wire.REPLIED and error.outcome in {
        Outcome.REJECTED, Outcome.CONFIG, Outcome.LATER, Outcome.EXISTS,
    }  # fmt: skip
