"""Fields put as questions: "who booked it", "how many hours they can help", "how much it cost", "paid or not"."""

from __future__ import annotations

import re
from dataclasses import replace

from localcloud.anthropic.grammar.hints import PARTICIPLES
from localcloud.anthropic.grammar.lexicon import Language
from localcloud.anthropic.grammar.pieces import Found, label_of
from localcloud.anthropic.grammar.text import Prepared
from localcloud.anthropic.names import is_plural

# Past tense and participle where they differ; the person says the one, the label needs the other.
_PARTICIPLE = {
    "took": "taken", "wrote": "written", "gave": "given", "broke": "broken", "drove": "driven", "chose": "chosen",
    "did": "done", "saw": "seen", "spoke": "spoken", "stole": "stolen", "drew": "drawn",
    "flew": "flown", "ate": "eaten",
}  # fmt: skip
_WHO = re.compile(
    rf"^who (?:has |have |had )?(?P<verb>\w+ed|{PARTICIPLES}|{'|'.join(_PARTICIPLE)})(?: (?:it|them|this|that))?$",
    re.IGNORECASE,
)
_MANY = re.compile(r"^(?:for |in |at |by )?how many (?P<what>\S.*)$", re.IGNORECASE)
# "hours they can help" needs its clause, "people come" does not.
_SUBJECT = re.compile(r"(?:they|he|she|it|i|we|you|the|my|our|of|per|in|a)\b", re.IGNORECASE)
_MUCH = re.compile(
    r"^(?:for )?how much (?:(?:money )?(?:it|they|he|she|i|we|you|the [\w-]+) )?(?:has |have |had |was |is |were )?"
    r"(?P<verb>costs?|paid|pay|spent|spend|earned|owes?|owed|charged|gave|donated|saved)\b.*$",
    re.IGNORECASE,
)
_OR_NOT = re.compile(
    r"^(?:(?:is|are|was|were) )?(?:it (?:is |was )?)?(?P<what>\w[\w -]*?) or (?:not|no)$", re.IGNORECASE
)


def read_question(words: str, found: Found, language: Language, prepared: Prepared) -> Found | None:
    """The field that an English question stands for; None for words that are no such question."""
    if language.code != "en":
        return None
    if match := _WHO.match(words):
        verb = _PARTICIPLE.get(match["verb"].lower(), match["verb"])
        return replace(found, type=found.type or "text", label=label_of(f"{verb} by", language, prepared))
    if match := _MUCH.match(words):
        return replace(found, type="money", label=label_of(words, language, prepared))
    if match := _MANY.match(words):
        first, _, rest = match["what"].partition(" ")
        counted = first if is_plural(first) and not _SUBJECT.match(rest) else match["what"]
        return replace(found, type="number", label=label_of(counted, language, prepared))
    if (match := _OR_NOT.match(words)) and not words.lower().startswith("whether"):
        return replace(found, type="boolean", label=label_of(match["what"], language, prepared))
    return None
