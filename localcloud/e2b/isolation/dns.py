"""DNS messages, as far as a sandbox's own name server needs them (RFC 1035 §4): one question in, one answer out.

Pure functions. What comes in is written by whoever is inside: it is taken apart strictly and never repeated but for the
question itself.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from dataclasses import dataclass

A, AAAA = 1, 28
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
LIFETIME = 60  # seconds an answer may be kept; an address stays a name's for the sandbox's life
_INTERNET = 1
_HEADER = struct.Struct(">HHHHHH")
_RESPONSE, _OPCODE, _RECURSION_WANTED, _RECURSION_AVAILABLE = 0x8000, 0x7800, 0x0100, 0x0080
_LABEL = re.compile(rb"[A-Za-z0-9_-]{1,63}")
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked. `name` is in lower case without a dot at its end; `raw` is the question as it came."""

    id: int
    name: str
    kind: int
    raw: bytes
    recursion: bool


def read(packet: bytes) -> Question | None:
    """The one question of a query; None for anything else, which deserves no answer."""
    if len(packet) < _HEADER.size or len(packet) > 4096:
        return None
    number, flags, questions, *_ = _HEADER.unpack_from(packet)
    if flags & (_RESPONSE | _OPCODE) or questions != 1:
        return None
    labels, at = [], _HEADER.size
    while at < len(packet) and (length := packet[at]):
        label = packet[at + 1 : at + 1 + length]
        if not _LABEL.fullmatch(label) or len(label) != length:  # also refuses pointers: no label is that long
            return None
        labels.append(label.decode().lower())
        at += 1 + length
    end = at + 5
    name = ".".join(labels)
    if end > len(packet) or len(name) > _LONGEST_NAME:
        return None
    kind, family = struct.unpack_from(">HH", packet, at + 1)
    if family != _INTERNET:
        return None
    return Question(number, name, kind, packet[_HEADER.size : end], bool(flags & _RECURSION_WANTED))


def reply(question: Question, code: int, address: str | None = None) -> bytes:
    """The answer: `code`, with one A record when there is an `address`."""
    flags = _RESPONSE | _RECURSION_AVAILABLE | (_RECURSION_WANTED if question.recursion else 0) | code
    record = b""
    if address is not None:
        data = ipaddress.IPv4Address(address).packed
        record = struct.pack(">HHHIH", 0xC000 | _HEADER.size, A, _INTERNET, LIFETIME, len(data)) + data
    return _HEADER.pack(question.id, flags, 1, 1 if record else 0, 0, 0) + question.raw + record
