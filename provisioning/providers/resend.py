"""Resend: an audience and a send-only API key per session.

Facts this rests on: neither call is idempotent and names are not unique. A key's token is shown once, so a key whose
reply was lost is deleted and minted again. Audiences are being replaced by segments; where `/audiences` is gone we use
`/segments`, and remember which. Key lists say neither permission nor domain. Requests without a User-Agent are refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar

import pydantic
from django.conf import settings
from pydantic import StringConstraints

from provisioning.exceptions import VendorError
from provisioning.outcome import Hint, Outcome, Verb
from provisioning.providers.base import (
    NAME_PREFIX,
    Api,
    Found,
    Identifier,
    Made,
    Nothing,
    Order,
    Rotates,
    Step,
    gone_is_fine,
    partial,
    require,
    text_of,
)
from provisioning.secrets import Secret

_PAGE = 100
_MAX_PAGES = 100
_MOVED = {404, 405, 410}
_ROUNDS = 3

Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,200}$")]


class _Made(pydantic.BaseModel):
    id: Identifier


class _Minted(pydantic.BaseModel):
    id: Identifier
    token: Token


class _Item(pydantic.BaseModel):
    id: Identifier
    name: str = ""
    created_at: datetime | None = None

    @pydantic.field_validator("created_at", mode="before")
    @classmethod
    def _postgres_form(cls, value: object) -> object:
        """Lists carry `2023-10-06 23:47:56.678+00`; a moment that cannot be read is none."""
        try:
            return datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            return None


class _Listed(pydantic.BaseModel):
    data: list[_Item]
    has_more: bool = False


class _Api(Api):
    vendor = "resend"

    def base_url(self) -> str:
        return str(settings.RESEND_API_URL)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {settings.RESEND_API_KEY}"}

    def read_error(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[Hint, str]:  # noqa: ARG002
        name = text_of(body, "name")
        if name in {"daily_quota_exceeded", "monthly_quota_exceeded"}:
            return Hint.QUOTA, name
        if name == "rate_limit_exceeded":
            return Hint.THROTTLED, name
        if "api key is invalid" in text_of(body, "message").lower():
            return Hint.BAD_KEY, name
        return Hint.NONE, name

    async def named(self, family: str, name: str, *, paged: bool) -> list[Found]:
        """Every item of a list that bears `name`, oldest first."""
        found = [
            Found(one.id, one.created_at, {"family": family}, one.name)
            async for one in self.items(family, paged=paged)
            if one.name == name
        ]
        return sorted(found, key=lambda one: one.created_at.timestamp() if one.created_at else 0.0)

    async def items(self, family: str, *, paged: bool) -> AsyncIterator[_Item]:
        """A whole list, page after page; raises `VendorError` where its end cannot be reached."""
        operation, after = f"list_{family}", ""
        for _ in range(_MAX_PAGES):
            params = ({"limit": str(_PAGE)} | ({"after": after} if after else {})) if paged else None
            listed = await self.call(Verb.READ, operation, "GET", f"/{family}", _Listed, params=params)
            for one in listed.data:
                yield one
            if not listed.has_more:
                return
            if not (paged and listed.data) or listed.data[-1].id == after:
                raise partial(operation, "more is promised and cannot be reached")
            after = listed.data[-1].id
        raise partial(operation, f"more than {_MAX_PAGES} pages")

    async def ours(self, family: str, *, paged: bool) -> list[Found]:
        """Every item of a list whose name begins as ours do."""
        return [
            Found(one.id, one.created_at, {"family": family}, one.name)
            async for one in self.items(family, paged=paged)
            if one.name.startswith(NAME_PREFIX)
        ]


class _ResendStep(Step):
    provider: ClassVar[str] = "resend"
    label: ClassVar[str] = "Resend"
    without: ClassVar[str] = "The app works without mail: nothing will be sent."
    cost: ClassVar[int] = 1  # one POST: the audience and the key are a step, and a place, each

    def __init__(self) -> None:
        self._api = _Api()

    @property
    def base_url(self) -> str:
        return str(settings.RESEND_API_URL)

    def check(self) -> None:
        require("RESEND_API_KEY", settings.RESEND_API_KEY)


class Audience(_ResendStep):
    """The list of contacts that belongs to this app alone."""

    kind: ClassVar[str] = "audience"
    thing: ClassVar[str] = "an audience"
    rotates_not: ClassVar[str] = "An audience has no secret. What can be rotated is the app's sending key."

    async def create(self, order: Order) -> Made:
        try:
            return await self._create("audiences", order)
        except VendorError as error:
            if error.status not in _MOVED:
                raise
            return await self._create("segments", order)

    async def _create(self, family: str, order: Order) -> Made:
        body = {"name": order.name}
        made = await self._api.call(Verb.CREATE, f"create_{family[:-1]}", "POST", f"/{family}", _Made, body=body)
        return Made(made.id, meta={"family": family})

    async def find(self, order: Order) -> list[Found]:
        try:
            return await self._api.named("audiences", order.name, paged=False)
        except VendorError as error:
            if error.status not in _MOVED:
                raise
            return await self._api.named("segments", order.name, paged=True)

    async def inventory(self) -> list[Found]:
        """Both families: they may be one store under two names, or the audiences made before the move and segments."""
        found: dict[str, Found] = {}
        moved: list[VendorError] = []
        for family, paged in (("segments", True), ("audiences", False)):
            try:
                found |= {one.external_id: one for one in await self._api.ours(family, paged=paged)}
            except VendorError as error:
                if error.status not in _MOVED:
                    raise
                moved.append(error)
        if len(moved) == 2:
            raise moved[0]
        return list(found.values())

    async def adopt(self, order: Order, found: Found) -> Made:  # noqa: ARG002 - the contract's shape
        return Made(found.external_id, meta=dict(found.meta))

    async def exists(self, made: Made) -> bool:
        path = f"/{made.meta.get('family', 'audiences')}/{made.external_id}"
        try:
            await self._api.call(Verb.READ, "get_audience", "GET", path, Nothing)
        except VendorError as error:
            if error.outcome is Outcome.GONE:
                return False
            raise
        return True

    async def destroy(self, made: Made) -> None:
        path = f"/{made.meta.get('family', 'audiences')}/{made.external_id}"
        await gone_is_fine(self._api.call(Verb.DELETE, "delete_audience", "DELETE", path, Nothing))

    def env(self, made: Made) -> dict[str, Secret]:
        return {"RESEND_AUDIENCE_ID": Secret(made.external_id)}


class ApiKey(_ResendStep):
    """A key that can send and do nothing else, bound to the sending domain where one is configured."""

    kind: ClassVar[str] = "api_key"
    thing: ClassVar[str] = "a sending key"
    adoptable: ClassVar[bool] = False
    rotates: ClassVar[Rotates] = Rotates.BESIDE

    async def create(self, order: Order) -> Made:
        body = {"name": order.name, "permission": "sending_access"}
        if settings.RESEND_DOMAIN_ID:
            body["domain_id"] = settings.RESEND_DOMAIN_ID
        made = await self._api.call(Verb.CREATE, "create_api_key", "POST", "/api-keys", _Minted, body=body)
        return Made(made.id, secrets={"RESEND_API_KEY": Secret(made.token)})

    async def find(self, order: Order) -> list[Found]:
        return await self._api.named("api-keys", order.name, paged=True)

    async def inventory(self) -> list[Found]:
        return await self._api.ours("api-keys", paged=True)

    async def exists(self, made: Made) -> bool:
        """There is no read of one key: walk the list."""
        async for one in self._api.items("api-keys", paged=True):
            if one.id == made.external_id:
                return True
        return False

    async def destroy(self, made: Made) -> None:
        path = f"/api-keys/{made.external_id}"
        await gone_is_fine(self._api.call(Verb.DELETE, "delete_api_key", "DELETE", path, Nothing))

    async def revoke(self, made: Made) -> None:
        """A key is nothing but its secret."""
        await self.destroy(made)

    async def rotate(self, order: Order, made: Made) -> Made:  # noqa: ARG002 - the contract's shape
        return await self.create(order)

    async def caught_up(self, order: Order, made: Made) -> Made | None:
        """A key whose reply was lost is of no use to anybody."""
        await self.retire(order, made.external_id)
        return None

    async def retire(self, order: Order, keep: str) -> None:
        for _ in range(_ROUNDS):
            others = [one for one in await self.find(order) if one.external_id != keep and one.belongs_to(order)]
            if not others:
                return
            for one in others:
                await self.destroy(Made(one.external_id))
        raise VendorError("delete_api_key", Outcome.REMEMBER, verb=Verb.DELETE, status=200, detail="still listed")

    def env(self, made: Made) -> dict[str, Secret]:
        return {
            "RESEND_API_KEY": made.secrets["RESEND_API_KEY"],
            "RESEND_FROM": Secret(settings.RESEND_FROM),
            "RESEND_BASE_URL": Secret(f"{settings.GATEWAY_URL}/gateway/mail"),
        }
