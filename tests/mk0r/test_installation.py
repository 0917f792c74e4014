"""What an installation keeps: its secrets for good, its ports while they are free, and clear words when it cannot."""

from __future__ import annotations

import json
import os
import random
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from embedded.ports import is_free
from mk0r.local.installation import Ports, Unusable, choose_ports, installation_secrets, kept_ports, open_directory

NONE: frozenset[int] = frozenset()


def _three_in_a_row() -> int:
    """A port with four free ones above it."""
    while True:  # below those that the system gives to connections by itself
        port = random.randrange(20_000, 32_000)
        if all(is_free(port + step) for step in range(7)):
            return port


@pytest.fixture
def first() -> Iterator[int]:
    return _three_in_a_row()


def test_the_wanted_ports_are_taken_without_a_word(tmp_path: Path, first: int) -> None:
    wanted = Ports(first, first + 1, first + 2)
    assert choose_ports(tmp_path, wanted, ours=NONE) == (wanted, [])


def test_each_taken_port_becomes_another_free_one_and_is_said(tmp_path: Path, first: int) -> None:
    with ExitStack() as stack:
        for step in range(3):
            stack.enter_context(socket.create_server(("127.0.0.1", first + step)))
        ports, notes = choose_ports(tmp_path, Ports(first, first + 1, first + 2), ours=NONE)
    chosen = [ports.web, ports.cloud, ports.postgres]
    assert len(set(chosen)) == 3
    assert not set(chosen) & {first, first + 1, first + 2}
    assert [f"Port {first + step} is taken" in note for step, note in enumerate(notes)] == [True, True, True]


def test_ports_once_chosen_stay(tmp_path: Path, first: int) -> None:
    with socket.create_server(("127.0.0.1", first)):
        before, _ = choose_ports(tmp_path, Ports(first, first + 1, first + 2), ours=NONE)
    after, _ = choose_ports(tmp_path, Ports(first, first + 1, first + 2), ours=NONE)
    assert after == before


def test_a_port_that_stays_is_not_said_to_be_taken(tmp_path: Path, first: int) -> None:
    wanted = Ports(first, first + 1, first + 2)
    with socket.create_server(("127.0.0.1", first)):
        before, _ = choose_ports(tmp_path, wanted, ours=NONE)
    _, notes = choose_ports(tmp_path, wanted, ours=NONE)
    assert notes[0] == f"web stays on port {before.web}, which it was given when {first} was taken."


def test_another_wish_than_last_time_counts(tmp_path: Path, first: int) -> None:
    choose_ports(tmp_path, Ports(first, first + 1, first + 2), ours=NONE)
    wanted = Ports(first + 5, first + 1, first + 2)
    assert choose_ports(tmp_path, wanted, ours=NONE) == (wanted, [])
    assert kept_ports(tmp_path) == wanted


def test_a_port_held_by_our_own_leftover_is_kept(tmp_path: Path, first: int) -> None:
    wanted = Ports(first, first + 1, first + 2)
    choose_ports(tmp_path, wanted, ours=NONE)
    with socket.create_server(("127.0.0.1", first)):
        assert choose_ports(tmp_path, wanted, ours=frozenset({first})) == (wanted, [])


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    made = installation_secrets(tmp_path)
    assert installation_secrets(tmp_path) == made
    assert stat.S_IMODE((tmp_path / "installation.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"SECRET_KEY": 1}', "\x00"])
def test_a_spoilt_file_of_secrets_is_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "installation.json").write_text(text)
    with pytest.raises(Unusable, match="restore it"):
        installation_secrets(tmp_path)
    assert (tmp_path / "installation.json").read_text() == text


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps({}))
    with pytest.raises(Unusable, match=f"{os.sep}file{os.sep}var.*Set MK0R_VAR"):
        open_directory(tmp_path / "file" / "var")
