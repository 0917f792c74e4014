"""What a sentence wants the app to do beyond keeping entries: "with live results", "warn me when few are left".

A field is a noun with at most a qualifier. A wish for behaviour carries a clause ("warnings when …"), an adjective of
behaviour ("live", "automatic"), or is a word for a part of software ("login", "charts").
"""

from __future__ import annotations

import re

from localcloud.anthropic.grammar.hints import hinted_type
from localcloud.anthropic.grammar.lexicon import Language
from localcloud.anthropic.grammar.pieces import split

_CLAUSE = re.compile(
    r"^(?P<what>.+?)\s+(?:when(?:ever)?|if|once|as soon as|unless|while|wenn|sobald|falls|quand|lorsque|cuando)\s+\S",
    re.IGNORECASE,
)
_MANNER = re.compile(
    r"^(?:an? |the |some )?(?:live|real[- ]?time|automatic|automated|interactive|instant|animated|responsive|"
    r"user-friendly|mobile[- ]friendly|clean|modern|shareable|collaborative|push) \w+",
    re.IGNORECASE,
)
_PART = re.compile(
    r"^(?:an? |the |some |simple |basic |nice |pretty |secure |user |admin |password |e-?mail |google |social |photo |"
    r"image |file |picture |pdf |csv |excel |bar |pie |line |dark |calendar |map |month(?:ly)? |week(?:ly)? |kanban |"
    r"drag[- ]and[- ]drop )*"
    r"(?:log-?ins?|authentication|user accounts|password protection|permissions|notifications|warnings|alerts|"
    r"reminders|charts?|graphs?|diagrams?|statistics|stats|exports?|imports?|pagination|filters|filtering|sorting|"
    r"drag[- ]and[- ]drop|dark mode|uploads?|uploading|checkout|chat|multi-?language support|offline mode|"
    r"leaderboards?|high ?scores?|sound effects|animations|(?:calendar|map|grid|kanban) view|admin (?:page|area|panel)|"
    r"qr codes|(?:a |the )?(?:way|ability|option|possibility|button) (?:to|for) .+|"
    r"log-?in(?: page| screen)?|diagrammen?|anmeldung|statistiken?|connexion|graphiques?|gráficos?|estadísticas)"
    r"(?: (?:of|for|by|over|per|to|with|as|von|pro|par|por) .+)?$",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"^(?:and |also |please |it should |it must |it needs to |let me |i (?:can|want to) )*(?:show|draw|plot|display|"
    r"have|has|add|include|with|needs?|export|import|print|calculate|support|warn|remind|alert)\b\s*(?P<what>.*)$",
    re.IGNORECASE,
)
_DOING = re.compile(r"\b(?:export|import|print|warn|remind|alert|plot|draw)\b", re.IGNORECASE)
_RUNS_LOW = re.compile(
    r"\b(?:fewer|less|lower|more) than \d|\b(?:below|under|above|over) \d|\brun(?:s|ning)? (?:low|out)\b|\bleft\b|"
    r"\bweniger als \d|\bmoins de \d|\bmenos de \d",
    re.IGNORECASE,
)
AMOUNT = {"en": "Quantity", "de": "Menge", "fr": "Quantité", "es": "Cantidad"}


def is_feature(words: str, code: str) -> bool:
    """Is this piece of a list a wish for behaviour rather than something to write down?"""
    if re.search(r"[(:\ue000-\uf8ff?]|yesno", words):
        return False
    if clause := _CLAUSE.match(words):
        kept = re.search(
            r"\b(?:if|when) (?:any|applicable|known|needed|possible|available|relevant|different)\b", words
        )
        return not kept and hinted_type(clause["what"], code) in (None, "text")
    return bool(_MANNER.match(words) or _PART.match(words))


def without_features(listed: str, language: Language) -> tuple[str, list[str]]:
    """A list of fields without its wishes for behaviour, and those wishes."""
    pieces = split(listed, language)
    wanted = [piece.words for piece in pieces if is_feature(piece.words, language.code)]
    if not wanted:
        return listed, []
    joined = {",": ", ", ";": "; ", "and": f" {language.and_.split('|')[0]} ", "": ""}
    kept = [piece for piece in pieces if piece.words not in wanted]
    text = "".join((joined[piece.before] if index else "") + piece.words for index, piece in enumerate(kept))
    return text, wanted


def asked_feature(sentence: str, code: str) -> str:
    """The behaviour that a whole sentence without fields asks for; empty when it asks for none."""
    match = _ASKED.match(sentence)
    if match is None:
        return ""
    wanted = is_feature(match["what"], code) or _DOING.match(sentence) or _DOING.search(sentence[: match.start("what")])
    return sentence if wanted else ""


def counts_down(wanted: list[str]) -> bool:
    """Do these wishes compare an amount, so that there has to be one?"""
    return any(_RUNS_LOW.search(words) for words in wanted)
