"""Git's pkt-line framing, and the two messages of a push that matter here: the commands asked for, and a refusal.

Format: https://git-scm.com/docs/gitprotocol-common and gitprotocol-pack (reference update request, report status).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

_MAX_COMMANDS = 64
_MAX_ASIDES = 1000  # packets that say something else; each is a read while everybody else waits
_OBJECT = re.compile(rb"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_SHALLOW = re.compile(rb"shallow (?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_REF = re.compile(rb"refs/[^\x00-\x20\x7f~^:?*\[\\]{1,200}\Z")  # what git itself forbids in a name


class BadFraming(Exception):
    """The body is not a push as git sends it."""


@dataclass(frozen=True, slots=True)
class Command:
    """One ref the push wants to change. `new` is None for a deletion."""

    old: str | None
    new: str | None
    ref: str


@dataclass(frozen=True, slots=True)
class Push:
    """The head of a push: its commands, the client's capabilities, and where in the body the pack begins."""

    commands: list[Command]
    capabilities: frozenset[str]
    pack_at: int


def _packet(body: BinaryIO) -> bytes | None:
    """The next packet's payload; None for a flush."""
    head = body.read(4)
    try:
        length = int(head, 16)
    except ValueError:
        raise BadFraming("a length is not hexadecimal") from None
    if len(head) != 4 or length in {1, 2, 3}:
        raise BadFraming("a packet's length is wrong")
    if length == 0:
        return None
    payload = body.read(length - 4)
    if len(payload) != length - 4:
        raise BadFraming("a packet is cut off")
    return payload


def read_push(body: BinaryIO) -> Push:
    """Read the commands at the head of a `git-receive-pack` request.

    Raises:
        BadFraming: it is not one, or holds more commands than a person's push does.
    """
    commands: list[Command] = []
    capabilities: frozenset[str] = frozenset()
    asides = 0
    while (payload := _packet(body)) is not None:
        line, nul, given = payload.rstrip(b"\n").partition(b"\0")
        if nul and not commands:
            capabilities = frozenset(given.decode("ascii", "replace").split())
        if _SHALLOW.match(line) and not commands:  # where a shallow clone's history ends; says nothing of what is new
            asides = _counted(asides)
            continue
        commands.append(_command(line))
        if len(commands) > _MAX_COMMANDS:
            raise BadFraming(f"a push may change at most {_MAX_COMMANDS} refs")
    if "push-options" in capabilities:
        while _packet(body) is not None:
            asides = _counted(asides)
    return Push(commands, capabilities, body.tell())


def _counted(asides: int) -> int:
    if asides == _MAX_ASIDES:
        raise BadFraming(f"a push may come with at most {_MAX_ASIDES} options and ends of history")
    return asides + 1


def _command(line: bytes) -> Command:
    parts = line.split(b" ", 2)
    if len(parts) != 3 or not _OBJECT.match(parts[0]) or not _OBJECT.match(parts[1]) or not _REF.match(parts[2]):
        raise BadFraming("a command is not `old new ref`")
    try:
        ref = parts[2].decode()
    except UnicodeDecodeError:
        raise BadFraming("a ref's name is not UTF-8") from None
    if ".." in ref:
        raise BadFraming("a ref's name is not allowed")
    old, new = (None if set(part) == {ord("0")} else part.decode() for part in parts[:2])
    return Command(old, new, ref)


def packet(payload: bytes) -> bytes:
    """`payload` as one packet."""
    return b"%04x%s" % (len(payload) + 4, payload)


def refusal(push: Push, reason: str, explanation: str) -> bytes:
    """The answer that makes git print `explanation` and mark every ref `remote rejected (reason)`."""
    report = packet(b"unpack ok\n")
    for command in push.commands:
        report += packet(f"ng {command.ref} {reason}\n".encode())
    report += b"0000"
    if "side-band-64k" not in push.capabilities:
        return report
    told = "".join(f"{line}\n" for line in explanation.splitlines()).encode()[:60_000]
    return packet(b"\x02" + told) + packet(b"\x01" + report) + b"0000"
