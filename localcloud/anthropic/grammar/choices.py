"""A field with a few values to choose from: "a status of new or old", "size (S, M, L)", "either tea or coffee"."""

from __future__ import annotations

import re

from localcloud.anthropic.grammar.beside import beside
from localcloud.anthropic.grammar.hints import hinted_type, named_type
from localcloud.anthropic.grammar.lexicon import BARE_LABELS, Language
from localcloud.anthropic.grammar.pieces import Found, Piece, label_of, strip_article
from localcloud.anthropic.grammar.text import Prepared

STRONG = (
    r"(?:\(?(?:which |that )?(?:is |can be |could be |may be |must be |being |as )?)?(?:an? |the )?"
    r"(?:one of|either|any of|(?:a )?(?:choice|choices|selection|pick|drop-?down|enum|options?|list)"
    r"(?: list| menu| field)?\s*(?:of|between|from|among|with|:|=)|"
    r"with (?:the )?(?:options|choices|values|possibilities)|mit den (?:optionen|"
    r"werten)|avec les (?:options|choix)|con (?:las )?opciones|"
    r"(?:select(?:ed)?|chosen?|choose|pick(?:ed)?) from|can be|could be|may be|entweder|eine?s? von|"
    r"auswahl(?: aus| von)?|"
    r"l'un de|parmi|choix entre|choix de|uno de|una de|elegir entre|opciones)"
)
_WEAK = r"(?:(?<=\s)(?:of|as|is|are|from|being|like|such as|von|als|de|–|—|-)|[=:])"
_OPENER = re.compile(
    rf"^(?P<label>.*?)\s*(?:(?P<strong>(?:[-–—:=]\s*|\b){STRONG})\s*:?|(?P<weak>{_WEAK}))\s+(?P<first>\S.*)$",
    re.IGNORECASE,
)
RANGE = re.compile(
    (
        r"(?:from |between |von |de |entre )?(-?\d+(?:\.\d+)?)\s*(?:-|–|to|and|bis|"
        r"à|a|y)\s*(-?\d+(?:\.\d+)?)(?: stars?| points?)?"
    ),
    re.IGNORECASE,
)


def choice(
    pieces: list[Piece], index: int, language: Language, prepared: Prepared, *, semicolons: bool
) -> tuple[int, Found | None]:
    """Read a choice that begins at `index`; gives how many pieces it spans, or no field."""
    words = strip_article(pieces[index].words, language)
    match = _OPENER.match(words)
    if match is None:
        return 1, None
    strong, first = bool(match["strong"]), match["first"]
    if not strong and (named_type(first) or "yesno" in first.lower()):
        return 1, None
    rest = _span(pieces, index, first, language, strong=strong, semicolons=semicolons)
    if rest is None:
        return 1, None
    options = options_of(rest[1], language, prepared)
    if len(options) < 2 or RANGE.fullmatch(rest[1].strip()):
        return 1, None
    label = re.sub(r"\s*(?:,|:|–|-|=|which|that|is|can|as)$", "", match["label"].strip())
    label, _ = beside(label)
    return rest[0], Found(label_of(label or BARE_LABELS["choice"], language, prepared), "choice", options)


def _span(
    pieces: list[Piece], index: int, first: str, language: Language, *, strong: bool, semicolons: bool
) -> tuple[int, str] | None:
    """How far the options reach: to the piece with "or", or, after a strong opener, over the bare words that follow."""
    has_or = re.compile(rf"(?:^|\s)(?:{language.or_})\s|[/|]", re.IGNORECASE)
    if has_or.search(first):
        return 1, first
    gathered = [first]
    for offset, piece in enumerate(pieces[index + 1 :], start=1):
        if piece.before == ";" or (piece.before == "and" and not strong and not has_or.search(piece.words)):
            break
        if has_or.search(piece.words) and not _OPENER.match(piece.words) and "(" not in piece.words:
            return offset + 1, ", ".join([*gathered, piece.words])
        if not semicolons and (_starts_field(piece.words, language) or "(" in piece.words):
            break
        gathered.append(piece.words)
        if piece.before == "and":
            break
    closed = semicolons or strong
    return (len(gathered), ", ".join(gathered)) if closed and len(gathered) > 1 else None


def _starts_field(words: str, language: Language) -> bool:
    return (
        bool(re.match(rf"(?:{language.article}|whether|if|ob|si)\b", words, re.IGNORECASE))
        or hinted_type(words, language.code) is not None
    )


def options_of(text: str, language: Language, prepared: Prepared) -> tuple[str, ...]:
    parts = re.split(
        rf"\s*[,/|;]\s*(?:(?:{language.or_}|{language.and_})\s+)?|\s+(?:{language.or_}|{language.and_})\s+",
        text,
        flags=re.IGNORECASE,
    )
    options: list[str] = []
    for part in parts:
        option = prepared.restore(
            re.sub(r"^(?:either|entweder|soit)\s+", "", part.strip(" .)("), flags=re.IGNORECASE)
        ).strip()[:60]
        if option and option.lower() not in (known.lower() for known in options):
            options.append(option)
    return tuple(options[:30])
