"""What every app of the builder does anyway: add, edit, delete, search, browse. Asking for it names no field."""

from __future__ import annotations

import re

_VERB = (
    r"add|edit|delete|remove|update|change|modify|correct|create|list|view|see|browse|read|manage|search|find|look up|"
    r"filter|sort|mark|tick|check off|tick off|cross off|scroll|click|open|save|show|display|post|"
    r"hinzufügen|bearbeiten|löschen|ändern|suchen|ajouter|modifier|supprimer|chercher|añadir|editar|borrar|buscar"
)
_WHO = r"(?:i|we|you|they|he|she|it|people|everyone|everybody|anyone|users?|(?:the |my |our |all )?[\w-]+s)"
_MAY = r"(?:can|could|should|may|must|will|want to|need to|would like to|should be able to|(?:am|are) able to)"
_OPENER = re.compile(
    rf"^(?:and |also |please |then ){{0,3}}(?:{_WHO} (?:also )?{_MAY}(?: also)? (?:be able to )?|"
    rf"(?:let|allow|enable|help)s? {_WHO[:-1]}|me|us|them) (?:to )?|"
    r"(?:it|there) should be (?:possible|a way|an option|easy) to |make it (?:possible|easy) (?:for \w+ )?to |"
    r"(?:it should )?be able to |(?:a|the) (?:possibility|option|ability|way) to |ich (?:kann|möchte|will) )?",
    re.IGNORECASE,
)
_ACTION = re.compile(rf"^(?:{_OPENER.pattern[1:]})(?:also )?(?:{_VERB})\b", re.IGNORECASE)
# "add, edit and delete repairs": one thing is done to them, they are managed.
_CHAIN = re.compile(
    rf"\b(?:{_VERB})(?: (?:them|it|new ones))?(?:,? (?:and|or|und|et|y|/) (?:also )?|, ?|/|\s?&\s?)"
    rf"(?:(?:{_VERB})(?: (?:them|it))?(?:,? (?:and|or|und|et|y) |, ?|/|\s?&\s?)){{0,6}}(?:{_VERB})\b",
    re.IGNORECASE,
)
_SEARCHED = re.compile(r"\b(?:search|find|look up|suchen|chercher|buscar)\b", re.IGNORECASE)


def managed(text: str) -> tuple[str, bool]:
    """`text` with every chain of ordinary operations as the one word "manage", and whether one was to search."""
    searched = any(_SEARCHED.search(match[0]) for match in _CHAIN.finditer(text))
    return _CHAIN.sub("manage", text), searched


def is_ordinary(sentence: str) -> bool:
    """Does the sentence ask only for what can be done with entries anyway?"""
    if re.search(r"[:;(]", sentence):
        return False
    opened = _OPENER.match(sentence)
    asked = bool(opened and opened[0].strip())
    parts = [part for part in re.split(r",\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+", sentence) if part.strip()]
    return asked and all(_ACTION.match(part.strip()) for part in parts)
