"""What the console's tests share: a member of each group, sessions with real legs at localcloud, and their jobs run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import Browser

from provisioning import http
from provisioning import services as provisioning
from sessions_app import services
from sessions_app.models import Session
from sessions_app.process import sessions
from staff import groups, undertakings
from staff.actors import Actor
from staff.models import Undertaking
from tests.fixtures.cloud import CloudUnderTest
from tests.staff.browsing import chromium_at, web

PASSWORD = "correct horse battery staple"


@pytest.fixture
def member(transactional_db: None) -> Callable[[str], User]:
    """Makes a member of staff: of the group of that name, or a superuser."""
    groups.ensure()
    return account


def account(group: str) -> User:
    """A new account in that group, which exists, or a superuser's. Its name is the group's."""
    if group == "superuser":
        return User.objects.create_superuser(group, password=PASSWORD)
    user = User.objects.create_user(group, password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def site(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """Address of a web process on the test's database, with vendors that nobody asks."""
    with web(tmp_path) as address:
        yield address


@pytest.fixture
def chrome(chromium: str) -> Iterator[Browser]:
    """A Chromium of the test's own."""
    with chromium_at(chromium) as browser:
        yield browser


@pytest.fixture
def signed_in(member: Callable[[str], User]) -> Callable[[str], Client]:
    """A browser in which such a member is signed in."""

    def make(group: str) -> Client:
        client = Client()
        client.force_login(member(group))
        return client

    return make


@pytest.fixture
def actor(member: Callable[[str], User]) -> Callable[[str], Actor]:
    """Such a member, acting."""
    return lambda group: Actor(group, "192.0.2.7", member(group))


@pytest.fixture
async def live(transactional_db: None, vendor_settings: CloudUnderTest) -> AsyncIterator[Session]:
    """An open session whose five legs are up at localcloud; its key to the vendors is the installation's own."""
    session = await begun()
    yield session
    await http.close_clients()


async def begun() -> Session:
    """Begin one and bring it to rest."""
    session: Session = await database_sync_to_async(services.session_begin)(None)
    await provisioning.converge(session.pk)
    return session


async def carried_out(undertaking: Undertaking, *ending: Session) -> Undertaking:
    """Run an undertaking's job, and those of the sessions it ends, until all have ended."""

    async def see_through(session: Session) -> None:
        while (await Session.objects.aget(pk=session.pk)).state != Session.State.CLOSED:
            await sessions.converge(session.pk)
            await asyncio.sleep(0.1)

    await asyncio.gather(undertakings.carry_out(undertaking.pk, 0), *(see_through(one) for one in ending))
    await undertaking.arefresh_from_db()
    return undertaking


def errands(undertaking: Undertaking) -> list[dict[str, Any]]:
    """What became of each of its things."""
    return list(undertaking.errands.order_by("number").values("label", "state", "words", "link"))
