"""One provider's step, in one place, with the promise that nothing a test makes there stays."""

from __future__ import annotations

import asyncio
import os
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from provisioning import http
from provisioning.exceptions import VendorError
from provisioning.providers.base import Found, Made, Order, Step
from provisioning.providers.registry import STEPS
from sessions_app.slugs import slug_for
from tests.contract.leftovers import patiently, sweep
from tests.contract.places import ACCOUNTS, FOREIGN, LIVE, LOCAL, PREFIX, Place, live_settings

REMOTE = [step for step in STEPS if step.remote]


@dataclass
class Contract:
    """A step to be tried, and everything that was ordered from it."""

    step: Step
    place: Place
    run: str
    ordered: list[Order] = field(default_factory=list)

    def order(self, name: str = "") -> Order:
        """Something to be made; what comes of it is deleted at the end of the test."""
        now, slug = datetime.now(UTC), slug_for(uuid.uuid4())
        own = f"{PREFIX}{self.run}-{secrets.token_hex(4)}" if self.place is LIVE else f"mk0r-{slug}"
        made = Order(slug, name or own, 1, now, now + timedelta(minutes=15))
        self.ordered.append(made)
        return made

    def foreign(self) -> Order:
        """The order of something that has our prefix inside its name only."""
        return self.order(FOREIGN if self.place is LIVE else f"other-mk0r-{slug_for(uuid.uuid4())}")

    async def create(self, order: Order) -> Made:
        return await patiently(self.place, lambda: self.step.create(order))

    async def finish(self, order: Order, made: Made) -> None:
        await patiently(self.place, lambda: self.step.finish(order, made))

    async def destroy(self, made: Made) -> None:
        await patiently(self.place, lambda: self.step.destroy(made))

    async def find(self, order: Order, *, many: int) -> list[Found]:
        """What bears the order's name; a vendor's list may lag behind, so it is read until it holds `many`."""
        async with asyncio.timeout(self.place.patience):
            while len(found := await patiently(self.place, lambda: self.step.find(order))) != many:
                if self.place is LOCAL:
                    break  # nothing lags here
                await asyncio.sleep(self.place.pause)
        return found

    async def inventory(self, *, until: set[str]) -> dict[str, Found]:
        """The inventory by id, read until it holds those ids."""
        async with asyncio.timeout(self.place.patience):
            while True:
                listed = {one.external_id: one for one in await patiently(self.place, self.step.inventory)}
                if until <= set(listed) or self.place is LOCAL:
                    return listed
                await asyncio.sleep(self.place.pause)

    async def clean(self) -> None:
        """Delete what came of every order, also of those whose reply was lost. Raises `ExceptionGroup`."""
        errors: list[VendorError] = []
        for order in self.ordered:
            try:
                for found in await patiently(self.place, lambda order=order: self.step.find(order)):  # type: ignore[misc]
                    await self.destroy(Made(found.external_id, meta=found.meta))
            except VendorError as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup(f"left at {self.step.provider}", errors)


@dataclass
class Run:
    """The live run: its mark in every name, and the steps it has touched, with their settings."""

    mark: str
    touched: dict[Step, dict[str, str]] = field(default_factory=dict)


@pytest.fixture(scope="session")
def live_run() -> Iterator[Run]:
    """At the end of the run, a last look for what it left: the list itself has to show that nothing is there."""
    run = Run(secrets.token_hex(4))
    yield run

    async def last_look(step: Step) -> list[str]:
        async with http.borrowed():
            return await sweep(step, LIVE, run.mark)

    for step, values in run.touched.items():
        with override_settings(**values):
            left = asyncio.run(last_look(step))
        assert not left, f"{', '.join(left)} had to be deleted at {step.provider} after the tests"


@pytest.fixture
async def contract(
    request: pytest.FixtureRequest, step: Step, place: Place, live_run: Run, settings: Any
) -> AsyncIterator[Contract]:
    """The step in its place; skipped where the vendor is real and no key for it is set."""
    if place is LIVE:
        values = live_settings(step.provider, os.environ)
        if values is None:
            pytest.skip(f"set LIVE_{ACCOUNTS[step.provider].key} to try the real {step.label}")
        for name, value in values.items():
            setattr(settings, name, value)
        if step not in live_run.touched:
            live_run.touched[step] = values
            await sweep(step, LIVE, live_run.mark)
    else:
        request.getfixturevalue("vendor_settings")
    tried = Contract(step, place, live_run.mark)
    yield tried
    try:
        for name, value in (values or {}).items() if place is LIVE else ():
            setattr(settings, name, value)  # a test may have set a wrong key
        await tried.clean()
    finally:
        await http.close_clients()


def everywhere(steps: list[Step]) -> pytest.MarkDecorator:
    """Every step in both places."""
    return pytest.mark.parametrize(
        ("step", "place"),
        [
            pytest.param(step, place, id=f"{step.provider}-{step.kind}-{place.name}", marks=marks)
            for step in steps
            for place, marks in ((LOCAL, ()), (LIVE, (pytest.mark.live, pytest.mark.timeout(600))))
        ],
    )
