"""Where in a sentence the list of fields stands, and what is left of the sentence around it.

Each pattern names one way of putting it; the first that fits wins. `head` is where the thing itself is named, `list`
is handed to `fields`.
"""

from __future__ import annotations

import re
from functools import cache

from localcloud.anthropic.grammar.lexicon import LANGUAGES

_GIVE = (
    r"leave|leaves|enter|enters|submit|submits|give|gives|fill in|put in|type in|provide|provides|choose|pick|"
    r"register with|sign up with|write"
)
_STORE = (
    r"tracks?|records?|logs?|stores?|saves?|notes?|keeps?|collects?|captures?|remembers?|lists?|"
    r"write down|note down"
)
_PURPOSE = re.compile(
    r",?\s+(?:so (?:that )?(?:i|we|you|they)|in order to|because|to help|which (?:i|we)|for (?:my|our) own)\b.*$|"
    r",?\s+(?:damit|pour que|para que)\b.*$",
    re.IGNORECASE,
)
# "people leave their name, …": who gives the values is no part of the first of them.
_GIVERS = re.compile(
    rf"^(?:(?:they|we|you|i|people|everyone|(?:[\w-]+ ){{0,2}}?[\w-]+s?) (?:can "
    rf"|could |should |will |must )?)?(?:{_GIVE})"
    r"(?: down)?\s+(?=\S)|^(?:each |every |all )?[\w-]+s (?:with|having|have)\s+(?=\S)",
    re.IGNORECASE,
)


# `<each>` and `<with>` stand for the words of the language.
_WAYS = {
    # as in: … Fields: title, author
    "fields": (
        r"^(?P<head>.*?)(?:\b(?:the |these |following |its |their ){0,3}"
        r"(?:fields|columns|attributes|properties|felder|spalten|champs|campos)\b"
        r"(?: are| is| should be| sind| sont| son)?(?: called| named)?\s*[:,]?\s+(?P<list>.+))$"
    ),
    # "each book has a title", "for each run I want to record the date"
    "each": (
        r"^(?P<head>.*?\b(?:<each>)\s+(?:of (?:them|these) |one |[\w'-]+ ){0,3}?(?:<with>|"
        r"should have|must have|gets?|comes with|is described by|consists of|(?:i|we) (?:want|need|would like) to "
        r"(?:note|record|store|track|keep|log|save|enter)|(?:i |we |you |people |users )?"
        r"(?:note|record|store|track|keep|log|save|enter|give)))\s*:?\s+(?P<list>.+)$"
    ),
    # "where people leave their name and a message"
    "given": (
        r"^(?P<head>.*?\b(?:where|so that|in which|for|that lets?|lets?|let|allows?|allow|enables?)\s+"
        rf"(?:\w+ ){{1,3}}?(?:can |could |may |to )?(?:{_GIVE}))(?: down)?\s+"
        r"(?P<list>(?:their|his|her|a|an|the|my|your|its)\s.+|.+(?:,| and ).+)$"
    ),
    # "guests leave a name and a note"
    "givers": (
        rf"^(?P<head>(?:[\w-]+ ){{0,2}}[\w-]+s (?:can |should |must |will )?(?:{_GIVE}))(?: down)?\s+"
        r"(?P<list>[^:]+(?:,| and ).+)$"
    ),
    # "track the title, author and rating of each book"
    "of each": (
        rf"^(?P<head>.*?)\b(?:{_STORE})\s+(?!of\b)(?:the |its |their )?(?P<list>[^,]+(?:,| and ).+?)\s+"
        r"(?P<tail>(?:of|for|about|per|on)\s+(?:each|every|all|my|our|the|a|an)\s+[\w' -]+)$"
    ),
    # as in: each quokka's name, weight and colour
    "whose": r"^(?P<head>.*?\b(?:each|every|a|an|the)\s+[\w-]+)(?:'s|s')\s+(?P<list>[^:]+(?:,| and ).+)$",
    "colon": r"^(?P<head>[^:(]*?[^\s:])\s*:\s+(?P<list>.*(?:[,;(/:=]|\s[-–—]\s|\b(?:and|as|yesno)\b).*)$",
    "with": (r"^(?P<head>(?>(?:(?:i|we|you)\s+(?:also\s+|really\s+)?\w+\s+)?).*?)(?<!\w)(?:<with>)"
r"\s*:?\s+(?P<list>.+)$"),
    # as in: contacts (name, e-mail, phone)
    "parentheses": r"^(?P<head>[^(),]{1,300}?)\s*\((?P<list>[^()]*,[^()]*(?:\([^()]*\)[^()]*)*)\)\s*$",
    "more": (
        r"^(?P<head>(?:it|they|each|every|each one|also|i also want|please|and)\b[^,]*?\b(?:has|have|needs?|"
        r"should have|with|include|stores?|records?|want|add|also))\s+(?P<list>.+)$"
    ),
    # "a form that collects name, e-mail and size"
    "that stores": (
        rf"^(?P<head>.*?\b(?:that |which |to |who )(?:{_STORE}|asks? for|takes?))\s+(?P<list>(?:[^,]+,)+.+)$"
    ),
    # as in: catalogue them by country and year
    "them by": (
        r"^(?P<head>.*?\b(?:catalog(?:u?e)?|list|track|organi[sz]e|record|log|file) "
        r"(?:them|it|these|each|(?:my|our|the) [\w-]+)) (?:by|with) (?P<list>.+)$"
    ),
    "dash": r"^(?P<head>[^,]{3,40}?)\s+[–—-]\s+(?P<list>[^,]+,.+)$",
    # later sentences: "Collect name and size", "Amount, category and a note"
    "later verb": (
        rf"^(?P<head>(?:please )?(?:{_STORE}|ask for))\s+(?P<list>.+(?:,| and ).+)$"
    ),
    "later list": r"^(?P<head>)(?P<list>[^,]+,.+)$",
    # "recipes; title; minutes"
    "first semicolon": r"^(?P<head>(?:an? |the |my )?\w+(?: \w+){0,3});\s+(?P<list>[^;]+;.+)$",
    # "recipes, name, minutes"
    "first comma": r"^(?P<head>(?:an? |the |my )?\w+(?: \w+){0,3}),\s+(?P<list>[^,]+,.+)$",
}  # fmt: skip


@cache
def _patterns(code: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    language = LANGUAGES[code]
    filled = (
        (name, way.replace("<each>", language.each).replace("<with>", language.with_)) for name, way in _WAYS.items()
    )
    return tuple((name, re.compile(way, re.IGNORECASE)) for name, way in filled)


def find_list(sentence: str, code: str, *, first: bool) -> tuple[str, str]:
    """The rest of a sentence and the list of fields in it, which is empty when it has none.

    `first` says whether this is the first sentence, which has to name the thing itself.
    """
    for name, pattern in _patterns(code):
        if name in ("later verb", "later list") and first:
            continue
        match = pattern.match(sentence)
        if match is None or not match["list"].strip(" ,."):
            continue
        tail = match.groupdict().get("tail") or ""
        fields = _PURPOSE.sub("", match["list"])
        return f"{match['head']} {tail}".strip(), _GIVERS.sub("", fields)
    return sentence, ""
