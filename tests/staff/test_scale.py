"""With a month of a busy installation in the tables: as many queries as with a handful, and no table read whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from staff import groups
from tests.conftest import _empty
from tests.staff import scale

pytestmark = [pytest.mark.django_db, pytest.mark.long, pytest.mark.timeout(900)]

FEW = 60
_LARGE = {
    "sessions_app_event", "provisioning_resource", "provisioning_credential", "sessions_app_turn",
    "sessions_app_version", "gateway_modelcall", "sessions_app_session", "staff_entry",
}  # fmt: skip


@pytest.fixture(scope="module")
def counted(django_db_setup: None, django_db_blocker: pytest.Module) -> Iterator[dict[str, int]]:
    """How many queries each page takes with a few sessions; with what is loaded after that, it must not be more."""
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        groups.ensure()
        sam = User.objects.create_user("sam", is_staff=True)
        sam.groups.add(Group.objects.get(name="admin"))
        try:
            scale.load(FEW)
            few: dict[str, int] = {}
            for address in scale.ADDRESSES:  # a list that shows no row asks less, so its whole counts for its filters
                path = address.partition("?")[0]
                few[path] = max(few.get(path, 0), len(_queries(address)))
            scale.load()
            yield few
        finally:
            _empty()


def _queries(address: str) -> list[str]:
    client = Client()
    client.force_login(User.objects.get(username="sam"))

    def ask() -> None:
        assert client.get(address).status_code == 200

    return scale.queries_of(ask)


@pytest.mark.parametrize("address", scale.ADDRESSES)
def test_a_page_asks_no_more_of_a_large_database_and_reads_no_large_table_whole(
    counted: dict[str, int], address: str
) -> None:
    asked = _queries(address)
    assert len(asked) <= counted[address.partition("?")[0]]
    for sql in asked:
        assert not scale.read_whole(sql) & _LARGE, sql
