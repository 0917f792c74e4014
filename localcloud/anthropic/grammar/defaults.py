"""Fields of an app whose sentence names none, by the kind of app it asks for."""

from __future__ import annotations

import re
from dataclasses import replace

from localcloud.anthropic.grammar.lexicon import NAME_WORDS
from localcloud.anthropic.grammar.pieces import Found
from localcloud.anthropic.grammar.thing import Thing
from localcloud.anthropic.names import sentence_case

_TO_DO = re.compile(r"\b(?:to-?dos?|tasks?|checklist|chores)\b", re.IGNORECASE)
_VOTE = re.compile(r"\b(?:polls?|ballots?|voting (?:app|form|page|tool|sheet))\b", re.IGNORECASE)
_SIGN_UP = re.compile(
    r"\b(?:sign[- ]?ups?|registration|subscri\w+|rsvps?|wait(?:ing)?[ -]?list|mailing list|newsletter)\b", re.IGNORECASE
)
_LETTER = re.compile(
    r"\b(?:contact (?:us |me )?(?:form|page)|(?:enquiry|inquiry|feedback|message) form)\b", re.IGNORECASE
)
_GUESTS = re.compile(r"\b(?:guest ?book|message (?:board|wall))\b", re.IGNORECASE)
_PAGE = re.compile(
    r"\b(?:(?:web ?site|web ?page|home ?page|landing page|site) (?:for|about|of)|blog)\b"
    r"(?P<about>(?: (?!that\b|where\b|which\b|with\b|to\b)[\w'&-]+){0,5})",
    re.IGNORECASE,
)


def to_do(found: list[Found], text: str) -> list[Found]:
    """Things to do need words to do them by and a box to tick, said or not."""
    if not _TO_DO.search(text):
        return found
    if not any(item.type in ("text", "longtext") for item in found):
        found = [Found("Task", "text"), *found]
    return found if any(item.type == "boolean" for item in found) else [*found, Found("Done", "boolean")]


def usual_fields(text: str, code: str, *, amount: str = "") -> list[Found]:
    """The fields of that kind of app; `amount` is the label of a number it needs besides."""
    if code == "en" and not amount:
        for pattern, fields in (
            (_VOTE, [Found("Name", "text"), Found("Vote", "text")]),
            (_LETTER, [Found("Name", "text"), Found("E-mail", "email", required=True), Found("Message", "longtext")]),
            (_GUESTS, [Found("Name", "text"), Found("Message", "longtext")]),
            (_SIGN_UP, [Found("Name", "text"), Found("E-mail", "email")]),
            (_PAGE, [Found("Title", "text"), Found("Text", "longtext")]),
        ):
            if pattern.search(text):
                return fields
    name, notes, _ = NAME_WORDS[code]
    return [Found(name, "text"), Found(amount, "number") if amount else Found(notes, "longtext")]


def usual_thing(thing: Thing | None, text: str, code: str) -> Thing | None:
    """What such an app calls its entries, where the sentence names only the app: a vote, a message, a post."""
    if code != "en":
        return thing
    if thing and _LETTER.search(text):
        return replace(thing, one="message", many="messages")
    if thing and _VOTE.search(text):
        return replace(thing, one="vote", many="votes")
    if page := _PAGE.search(text):
        return Thing("post", "posts", sentence_case(page[0].strip())[:60])
    return thing
