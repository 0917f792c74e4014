"""The sentence made ready for reading: quotes and addresses set aside, sentences apart, list marks as separators.

What is set aside stands in the text as one private-use character and comes back by `Prepared.restore`, so a comma or
an "and" inside a quoted name never splits it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

MAX_CHARACTERS = 3000
_FIRST = 0xE000

_QUOTED = re.compile(
    r"“([^”\n]{1,120})”|„([^“”\n]{1,120})[“”]|«\s*([^»\n]{1,120}?)\s*»|\"([^\"\n]{1,120})\"|"
    r"(?<![\w])['‘]([^'’\n]{1,80})['’](?!\w)|`([^`\n]{1,80})`"
)
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+|https?://\S+")
_YES_NO = re.compile(
    (
        r"\b(?:yes|ja|oui|s[ií]|y|true|on)\s*[/|]\s*(?:no|nein|non|n|false|off)\b|"
        r"\byes or no\b|\byes-no\b|\bja oder nein\b|\boui ou non\b|\bs[ií] o no\b|"
        r"\btrue or false\b"
    ),
    re.IGNORECASE,
)
_BULLET = re.compile(r"^[ \t]*(?:[-*•–—]|\d{1,2}[.)])[ \t]+", re.MULTILINE)
_ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|z\.\s?b|p\.\s?ex|p\.\s?ej|etc|incl|approx|vs)\.", re.IGNORECASE)


@dataclass(slots=True)
class Prepared:
    """Text with its set-aside parts."""

    text: str
    kept: list[str] = field(default_factory=list)

    def restore(self, words: str) -> str:
        """`words` with every set-aside part back in its place, without the quotes."""
        return "".join(
            self.kept[ord(char) - _FIRST] if _FIRST <= ord(char) < _FIRST + len(self.kept) else char for char in words
        )

    def is_quote(self, words: str) -> bool:
        """Is this exactly one part that was quoted?"""
        return len(words.strip()) == 1 and _FIRST <= ord(words.strip()) < _FIRST + len(self.kept)


def prepare(prompt: str) -> Prepared:
    """Make a prompt of any size and content ready: at most 3000 characters of it, without control characters."""
    text = unicodedata.normalize("NFC", prompt[:MAX_CHARACTERS])
    text = "".join(
        char if char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs") else " " for char in text
    )
    prepared = Prepared("")

    def keep(match: re.Match[str]) -> str:
        if len(prepared.kept) >= 200:
            return match[0]
        prepared.kept.append(next((group for group in match.groups() if group is not None), match[0]).strip())
        return chr(_FIRST + len(prepared.kept) - 1)

    text = _ADDRESS.sub(keep, text)
    text = _QUOTED.sub(lambda match: keep(match) if any(g and g.strip() for g in match.groups()) else match[0], text)
    text = _ABBREVIATIONS.sub(lambda match: match[0].replace(".", ""), text)
    text = _YES_NO.sub("yesno", text)
    text = re.sub(
        r"\b(?:between|zwischen|entre) (-?\d+(?:\.\d+)?) (?:and|und|et|y) (?=-?\d)",
        r"from \1 to ",
        text,
        flags=re.IGNORECASE,
    )
    prepared.text = re.sub(r"[ \t]+", " ", _marks(text)).strip()
    return prepared


def _marks(text: str) -> str:
    """Line ends, bullets and marks of other scripts as commas, semicolons and full stops; runs are cut short."""
    text = _BULLET.sub("; ", text)
    text = re.sub(r"\n\s*\n", ". ", text)
    text = re.sub(r":\s*\n?\s*;", ": ", text)
    text = re.sub(r"\s*\n\s*;", ";", text)
    text = (
        text.replace("\n", ". ")
        .replace("、", ", ")
        .replace("，", ", ")
        .replace("。", ". ")
        .replace("；", "; ")
        .replace("：", ": ")
    )
    text = text.replace("（", "(").replace("）", ")").replace("’", "'")
    # Nobody means the same word or mark many times over, and every pattern is spared the run.
    text = re.sub(r"\b([\w'-]{1,40})(?:\s+\1\b){2,}", r"\1 \1", text, flags=re.IGNORECASE)
    text = re.sub(r"([,;])(?:\s*[,;])+", r"\1", text)
    return re.sub(r"([.!?])(?:\s*[.!?])+", r"\1", text)


def sentences(text: str) -> list[str]:
    """The sentences of prepared text, without their closing marks."""
    parts = re.split(r"(?<=[^\d])[.!?]+(?=\s(?!\s*\()|$)|(?<=\d)[.!?]+(?=\s+[A-ZÄÖÜ]|$)", text)
    return [part.strip(" ;,") for part in parts if part and part.strip(" ;,.!?")]
