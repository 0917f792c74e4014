"""One piece of a list of fields: cut out of the list, and its label made clean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.anthropic.grammar.lexicon import Language
from localcloud.anthropic.grammar.text import Prepared
from localcloud.anthropic.names import sentence_case
from localcloud.anthropic.spec import FieldType


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the list: its words, and the separator in front of it (`,` `;` `and`)."""

    words: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What one piece says, before names are made unique."""

    label: str
    type: FieldType | None = None
    options: tuple[str, ...] = ()
    required: bool | None = None
    unit: str = ""
    currency: str = ""
    minimum: float | None = None
    maximum: float | None = None


def split(text: str, language: Language) -> list[Piece]:
    """Cut a list at `,` `;` and the language's "and", but never inside parentheses."""
    pattern = re.compile(
        rf"\s*(?:([,;])\s*(?:(?:{language.and_})\s+)?|\s(?:{language.and_})\s(?:also\s)?)", re.IGNORECASE
    )
    pieces: list[Piece] = []
    depth, start, before, index = 0, 0, "", 0
    while index < len(text):
        char = text[index]
        depth = max(0, depth + (char in "([{") - (char in ")]}"))
        match = pattern.match(text, index) if depth == 0 else None
        if match and match.end() > index:
            pieces.append(Piece(text[start:index].strip(), before))
            joined = re.search(rf"\b(?:{language.and_})\s*$|&\s*$", match[0], re.IGNORECASE)
            before = "and" if joined and match[1] != ";" else match[1]
            start = index = match.end()
        else:
            index += 1
    pieces.append(Piece(text[start:].strip(), before))
    return [piece for piece in pieces if piece.words]


def strip_article(words: str, language: Language) -> str:
    pattern = re.compile(rf"^(?:(?:{language.article}|{language.and_})\s+|[ld]'|:\s*)", re.IGNORECASE)
    while (match := pattern.match(words)) and match.end() < len(words):
        words = words[match.end() :].strip()
    return words


def label_of(words: str, language: Language, prepared: Prepared) -> str:
    if prepared.is_quote(words):
        return prepared.restore(words)[:80].strip()
    words = strip_article(words.strip(" .:;,-–—!?\"'"), language)
    words = re.sub(
        (
            r"\s+for (?:my|our|the|me|us|it|each|every|all|them)\b.*$|\s+(?:so|because|"
            r"while|please|too|as well|etc|bitte|in it)(?:\b.*)?$|\s+(?:that|which|where|"
            r"who) (?!is\b).*$"
        ),
        "",
        words,
        flags=re.IGNORECASE,
    )
    words = re.sub(r"\s+(?:field|column|feld|champ)s?$", "", words, flags=re.IGNORECASE)
    return sentence_case(prepared.restore(words).strip(" .:;,-–—")[:80])
