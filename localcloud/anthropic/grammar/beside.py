"""A type named right beside a label: "weight as a number", "a date field called due", "number: weight", "name text"."""

from __future__ import annotations

import re

from localcloud.anthropic.grammar.hints import named_type
from localcloud.anthropic.spec import FieldType

BOX = r"(?:field|value|input|column|box|feld|champ|campo|spalte)"
NAMED = r"(?:called|named|labell?ed|titled|for|namens|genannt|appelée?|nommée?|llamad[oa]|of|:)"
_CALLED = NAMED.replace("|of|:", "").replace("|for|", "|")
_AFTER = re.compile(
    r"(.+?)\s*(?:\bas (?:an? )?|\bof type |\btype |[:=]\s*|\s[-–—]\s*|\bals (?:eine? )?|\bcomme |\bcomo )(.+)",
    re.IGNORECASE,
)
_BOXED = re.compile(rf"(.+?) (\S+(?: \S+)?) {BOX}", re.IGNORECASE)
_TRAILING = re.compile(
    r"(.+) (text|string|textarea|text area|checkbox|flag|toggle|boolean|dropdown|integer|numeric|decimal|field|column)",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"(numeric|boolean|checkbox|text|integer|decimal|string|long text|money)(?: (?:field|value|for|column))? (.+)",
    re.IGNORECASE,
)
# Types that are no name for a field by themselves; "date" and "phone" are.
_BARE = frozenset(["text", "number", "money", "boolean", "choice", "string", "integer", "checkbox", "dropdown"]) | {
    "long text"
}
_WIDE = ("boolean", "text", "longtext", "choice")


def beside(words: str) -> tuple[str, FieldType | None]:
    """The label without the type, and the type; the words as they are and None when none is named."""
    if (match := _AFTER.fullmatch(words)) and (kind := named_type(match[2])):
        return match[1], kind
    for pattern, kinds in (
        (rf"(.+?) {BOX}(?: {NAMED})? (.+)", None),
        (rf"(.+?) {_CALLED} (.+)", None),
        (r"(.+?): ?(.+)", None),
        (r"(.+?)(?: for| f[üu]r| pour| para) (.+)", _WIDE),
    ):
        match = re.fullmatch(pattern, words, re.IGNORECASE)
        kind = named_type(match[1]) if match else None
        if match and kind and (kinds is None or kind in kinds):
            return match[2], kind
    if (match := _BOXED.fullmatch(words)) and (kind := named_type(match[2])):
        return match[1], kind
    if match := _TRAILING.fullmatch(words):
        return match[1], named_type(match[2])
    if match := _LEADING.fullmatch(words):
        return match[2], named_type(match[1])
    if kind := named_type(words):
        plain = re.sub(r"^(?:an? |the )", "", words, flags=re.IGNORECASE)
        return ("" if plain.lower() in _BARE else words), kind
    return words, None
