"""Small edits between two texts of one file, each replacing words that occur exactly once."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_NUMBERED = re.compile(r"^\s*\d+(?:\t|→)", re.MULTILINE)


def file_text(result: str) -> str:
    """The text of a file as the agent's Read tool shows it: line numbers and trailing notes taken off."""
    lines = [line for line in result.split("\n") if _NUMBERED.match(line)]
    return "\n".join(_NUMBERED.sub("", line, count=1) for line in lines)


def edits(old: str, new: str) -> list[tuple[str, str]] | None:
    """Pairs (old words, new words) that, applied in order, turn `old` into `new`; None when rewriting is simpler."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    hunks = [code for code in SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes() if code[0] != "equal"]
    changed = sum(high - low + top - bottom for _, low, high, bottom, top in hunks)
    if not hunks or len(hunks) > 6 or changed > max(12, len(before)):
        return None
    pairs: list[tuple[str, str]] = []
    current = old
    shift = 0
    for _, low, high, bottom, top in hunks:
        lines = current.splitlines(keepends=True)
        start, end = low + shift, high + shift
        pair = _unique(lines, start, end, after[bottom:top])
        if pair is None:
            return None
        pairs.append(pair)
        current = "".join([*lines[:start], *after[bottom:top], *lines[end:]])
        shift += (top - bottom) - (high - low)
    return pairs if current == new else None


def _unique(lines: list[str], start: int, end: int, replacement: list[str]) -> tuple[str, str] | None:
    """Widen lines[start:end] by neighbours until the words occur once in the file."""
    text = "".join(lines)
    for _ in range(12):
        words = "".join(lines[start:end])
        if words.strip() and text.count(words) == 1:
            return words, "".join(replacement)
        if start == 0 and end == len(lines):
            return None
        if start > 0:
            start -= 1
            replacement = [lines[start], *replacement]
        if end < len(lines):
            replacement = [*replacement, lines[end]]
            end += 1
    return None
