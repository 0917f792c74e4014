"""Keys rotate while everything runs, and nothing is lost (I-17)."""

from __future__ import annotations

import base64
import json
import os
import random
import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from provisioning.models import Credential, RepositoryToken, Resource
from provisioning.rekeying import BATCH, rekey
from provisioning.secrets import Secret, Unreadable
from tests.fixtures.ground import begin

MANY = 3 * BATCH


def key(kid: str) -> str:
    return f"{kid}:{base64.b64encode(os.urandom(32)).decode()}"


def _store(count: int) -> list[Any]:
    """Credentials with numbered values under the ring of the moment: their ids."""
    session = begin()
    row = Resource.objects.filter(session_id=session.pk, provider="neon").get()
    made = []
    for number in range(count):
        credential = Credential(resource=row, name=f"N{number}", expires_at=session.expires_at)
        credential.seal(Secret(f"value {number}"))
        made.append(credential)
    Credential.objects.bulk_create(made)
    return [credential.pk for credential in made]


class Traffic(threading.Thread):
    """Reads values, and replaces every second one with a new value, as a running installation does."""

    def __init__(self, ids: list[Any]) -> None:
        super().__init__()
        self.ids, self.over, self.replaced = ids, threading.Event(), dict[Any, str]()
        self.trouble: list[Exception] = []
        self.reads = 0

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self._touch(random.choice(self.ids))
        except (Unreadable, DatabaseError) as error:  # told by the test, not by a thread that nobody looks at
            self.trouble.append(error)
        finally:
            connection.close()

    def _touch(self, pk: Any) -> None:
        Credential.objects.get(pk=pk).reveal()
        self.reads += 1
        if random.random() < 0.5:
            value = f"new {self.reads}"
            with transaction.atomic():
                credential = Credential.objects.select_for_update(no_key=True).get(pk=pk)
                credential.seal(Secret(value))
                credential.save(update_fields=["ciphertext", "fingerprint"])
            self.replaced[pk] = value


@pytest.mark.django_db(transaction=True)
def test_i17_keys_rotate_under_load_and_the_old_one_can_go(settings: Any) -> None:
    old, new = key("old"), key("new")
    settings.MK0R_ENCRYPTION_KEYS = old
    ids = _store(MANY)
    settings.MK0R_ENCRYPTION_KEYS = f"{new},{old}"
    traffic = Traffic(ids)
    traffic.start()
    found = rekey()
    traffic.over.set()
    traffic.join(30)
    assert traffic.trouble == []
    assert traffic.reads > 0
    assert found.unreadable == []
    assert MANY - len(traffic.replaced) <= found.resealed <= MANY
    assert rekey().resealed == 0
    settings.MK0R_ENCRYPTION_KEYS = new
    for number, pk in enumerate(ids):
        expected = traffic.replaced.get(pk, f"value {number}")
        assert Credential.objects.get(pk=pk).reveal().expose() == expected


@pytest.mark.django_db(transaction=True)
def test_i17_what_no_key_opens_is_named_and_left_and_the_rest_is_rotated(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    old, lost, new = key("old"), key("lost"), key("new")
    settings.MK0R_ENCRYPTION_KEYS = lost
    (stuck,) = _store(1)
    before = Credential.objects.get(pk=stuck).ciphertext
    settings.MK0R_ENCRYPTION_KEYS = old
    ids = _store(3)
    settings.MK0R_ENCRYPTION_KEYS = f"{new},{old}"
    with pytest.raises(SystemExit):
        call_command("rotate_keys", json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["resealed"] == 3
    assert len(told["unreadable"]) == 1
    assert str(stuck) in told["unreadable"][0]
    assert Credential.objects.get(pk=stuck).ciphertext == before
    assert all(Credential.objects.get(pk=pk).ciphertext.startswith("v1:new:") for pk in ids)


@pytest.mark.django_db(transaction=True)
def test_i17_tokens_of_repositories_rotate_with_the_rest(settings: Any) -> None:
    old, new = key("old"), key("new")
    settings.MK0R_ENCRYPTION_KEYS = old
    session = begin()
    row = Resource.objects.filter(session_id=session.pk, provider="github").get()
    kept = RepositoryToken(resource=row, fresh_until=session.expires_at, expires_at=session.expires_at)
    kept.seal(Secret("ghs_" + "x" * 600))
    kept.save()
    settings.MK0R_ENCRYPTION_KEYS = f"{new},{old}"
    assert rekey().resealed == 1
    settings.MK0R_ENCRYPTION_KEYS = new
    assert RepositoryToken.objects.get(pk=kept.pk).reveal().expose() == "ghs_" + "x" * 600
