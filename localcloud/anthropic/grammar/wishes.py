"""What a sentence asks for besides fields: mail, order, totals, search, colours, a name — each cut out once it is read.

Cutting matters: "e-mail me when one is added" must not become a field called "E-mail".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from localcloud.anthropic.grammar.text import Prepared
from localcloud.anthropic.names import sentence_case

ACCENTS = {
    "red": "rot|rote[nmrs]?|rouge|roj[oa]",
    "orange": "naranja|orangen?",
    "amber": "yellow|gold|gelb|jaune|amarill[oa]",
    "green": "grün|grüne[nmrs]?|verte?|verde",
    "teal": "turquoise|cyan|türkis|turquesa",
    "blue": "blau|blaue[nmrs]?|bleue?|azul|navy",
    "indigo": "violet|purple|lila|violett|morado|púrpura",
    "pink": "magenta|rosa|rose",
    "brown": "braun|marron|marrón",
    "gray": "grey|grau|gris|black|schwarz|noir|negro|monochrome",
}
_COLOUR = "|".join(f"{name}|{others}" for name, others in ACCENTS.items())
_LOOK = (
    r"theme|accent|design|look|style|background|buttons?|interface|ui|colou?r(?: "
    r"scheme)?s?|thema|farben?|thème|couleurs?|tema|color(?:es)?|mode|modus|"
    r"modo"
)
_END = (
    r"(?=\s*[.;]|,?\s+(?:with|having|including|mit|avec|con)\b|,\s+(?:each|and\s+each)\b|"
    r",\s+(?:and\s+)?(?:sort|order|show|make|search|newest|in)\b|$)"
)
_JOIN = (
    r"(?:[,;]?\s*(?:\b(?:and|but|then|also|which|that|it|should|will|please|"
    r"so that|when done|to|can|und|soll|et|y|que|bitte)\b[ ,]{0,3}){0,5})"
)
_NOTE = (
    r"(?:e-?mails?|mails?|messages?|notifications?|confirmations?|receipts?|"
    r"reminders?|alerts?|invitations?|notes?|correos?|courriels?|benachrichtigung(?:en)?|"
    r"bestätigung(?:en)?)"
)
_WHO = (
    r"(?:[\ue000-\uf8ff]|(?:me|us|them|him|her|everyone|everybody|people|each|"
    r"every|all|the|my|our|to|whoever|a|an|mich|uns|mir|moi|nous)\b)"
)

_MAIL = [
    re.compile(
        (
            rf"{_JOIN}\b(?:send|sends|sending|schick(?:e|t|en)?|sende[nt]?|envoie[rs]?|"
            rf"envoyer|env[ií]a(?:me|r|rme|nos)?|enviar|mandar?(?:me)?|manda)\b(?:-moi|"
            rf"-nous)?[^.;]{{0,160}}?\b{_NOTE}\b[^.;]{{0,160}}?{_END}"
        ),
        re.IGNORECASE,
    ),
    re.compile(
        (
            rf"{_JOIN}\b(?:e-?mail|mail|notify|alert|inform|remind|benachrichtige?[tn]?|"
            rf"informiere|prévenir|prévenez|avísa(?:me|nos))s?(?:ing)?\s+{_WHO}[^.;]{{0,160}}?{_END}"
        ),
        re.IGNORECASE,
    ),
    re.compile(
        (
            rf"{_JOIN}\b(?:i|we|they|the \w+|people|guests|customers|users|ich|wir) (?:should "
            rf"|will |shall |must |want to )?(?:get|gets|receive|receives|be sent|bekomme[nt]?|"
            rf"erhalte[nt]?)\b[^.;]{{0,160}}?\b{_NOTE}\b[^.;]{{0,160}}?{_END}"
        ),
        re.IGNORECASE,
    ),
    re.compile(
        (
            rf"{_JOIN}\b(?:with|get|receive|gets|by)? ?(?:an? )?e-?mail (?:notifications?|"
            rf"confirmations?|alerts?|reminders?)\b[^.;,]*?{_END}"
        ),
        re.IGNORECASE,
    ),
    re.compile(
        (
            rf"{_JOIN}\b(?:(?:be|get|gets|is|are|am) (?:notified|e-?mailed|informed|alerted|"
            rf"mailed))\b[^.;]{{0,160}}?{_END}"
        ),
        re.IGNORECASE,
    ),
]
_SORT = re.compile(
    rf"{_JOIN}\b(?:(?:sort|order|arrang)(?:e|ed|s|ing|able)?(?: (?:it|them|the "
    rf"list|the \w+|entries|everything))?(?: by| on|ed by)|"
    r"sortier(?:t|e|en)(?: sie| es| die \w+)? nach|nach(?=[^.;,]*sortier)|triées?(?: "
    r"les \w+)? par|trier(?: les \w+)? par|ordenad[oa]s? por|ordenar(?: \w+){0,2} "
    r"por)"
    r"\s+(?P<key>[^.;,]+?)(?P<way>,?\s+(?:ascending|descending|asc|desc|(?:the "
    r")?(?:highest|lowest|largest|smallest|newest|oldest|latest|earliest|biggest|"
    r"best|soonest)(?: first| on top)?|"
    r"first|a to z|z to a|aufsteigend|absteigend|croissante?|décroissante?|ascendente|"
    r"descendente))?(?=\s*(?:[.;,]|\band\b|\bsortiert\b|$))",
    re.IGNORECASE,
)
_FIRST = re.compile(
    rf"{_JOIN}\b(?:show(?:n|ing)? |list(?:ed|ing)? |with |display(?:ed|ing)? "
    rf")?(?:the |die |les |los |las )?(?P<way>newest|latest|most recent|recent|"
    rf"oldest|earliest|highest|lowest|largest|smallest|best|cheapest|neueste[nrs]?|"
    rf"älteste[nrs]?|plus récente?s?|plus anciene?s?|más recientes?|más nuev[oa]s|"
    rf"más antigu[oa]s)"
    r"(?: (?P<key>\w+))??(?: (?:ones?|entries|items))?\s*(?:first|on top|at "
    r"the top|zuerst|oben|d'abord|en premier|primero)\b",
    re.IGNORECASE,
)
_ALPHABET = re.compile(
    (
        rf"{_JOIN}\b(?:in )?(?:sort(?:ed)? )?(?:alphabetical(?:ly)?(?: order| sorted|"
        rf" sort)?|alphabetisch(?: sortiert)?|par ordre alphabétique|alfabéticamente)\b"
    ),
    re.IGNORECASE,
)
_TOTAL = re.compile(
    rf"{_JOIN}(?:\b(?:show(?:s|ing)?|see|display(?:s|ing)?|with|calculates?|computes?|"
    rf"give me|know|have|add|zeige?|mit|affiche[rz]?|muestra|avec|con)\s+)?(?:an? "
    rf"|the |running |overall |grand |der |die |le |el |una? |eine? ){{0,5}}"
    r"(?:\b(?:total|sum|totals|gesamtsumme|summe|somme|suma)\s+(?:of|for|at|"
    r"over|in|amount|cost|price|spent|value|sum|der|des|de|du|del)\b[^.;,]*|"
    r"\btotals\b|\b(?:grand|running|overall) total\b[^.;,]*|\bhow much\b[^.;,]*\b(?:total|"
    r"altogether|in all|overall|spent)\b|\badds? (?:it|them|everything) up\b|"
    r"\bgesamtsumme\b)",
    re.IGNORECASE,
)
_SEARCH_WORD = r"search(?:able|ing)?|suchfeld|suche|suchen|durchsuchbar|recherche|rechercher|búsqueda|buscar|buscador"
_SEARCH = re.compile(
    rf"{_JOIN}(?:\b(?:with|have|has|add|include|make it|i (?:can|want to)|let "
    rf"me|be able to|mit|avec|con|should be|and|also)"
    rf"\s+|,\s*)(?:(?:a|an|the|it|be|to|eine?|une?|una?|el|la|le|die)\s+){{0,5}}(?:{_SEARCH_WORD})\b"
    r"(?:[ -]?(?:box|bar|field|function|feature|for|by|through|in|over|the|them|"
    r"list|it|all|by name)){0,5}(?=\s*(?:[.;,]|\band\b|$))|"
    rf"\bsearch[ -](?:box|bar|function)\b|\bsearchable\b|(?:^|(?<=[.;] ))(?:{_SEARCH_WORD})(?=\s*(?:[.;,]|$))",
    re.IGNORECASE,
)
_DARK = r"dark|light|dunkle?[nmrs]?|helle?[nmrs]?|sombre|claire?|oscur[oa]|clar[oa]"
_SCHEME = re.compile(
    rf"{_JOIN}(?:\b(?:make|in|use|using|mache?n?|mets|haz|put|switch|turn|set|with)\s+"
    r"(?:(?:it|the|app|page|to|a|an|everything|all|look|be|es|alles|die|das|le|la|lo|tout|todo)\s+)*)"
    rf"(?P<scheme>{_DARK})(?:er)?(?:[ -](?:{_LOOK})){{0,5}}(?:\s+(?:again|please|"
    rf"wieder))?(?=\s*(?:[.;,]|and\b|und\b|et\b|y\b|$))|"
    rf"{_JOIN}(?:\b(?:an?|the)\s+)?\b(?P<look>{_DARK})[ -]?(?:{_LOOK})\b",
    re.IGNORECASE,
)
_ACCENT = re.compile(
    rf"{_JOIN}(?:(?:\b(?:make|paint|colou?r|turn|mach|mache?n?|mets|haz|färbe)\b(?: "
    rf"(?:it|everything|the app|the \w+|es|alles|die \w+|das \w+|l'app\w*|le "
    rf"tout|la app|todo|lo))?(?: (?:all|look|be|in|en))?|\bin|\buse|\busing|\bwith "
    rf"an?|\ben|\bchange (?:the )?colou?r to|\b(?:colou?r|farbe|couleur):?(?: "
    rf"(?:to|is|should be))?)"
    rf"\s+(?:a |an |the |nice |einem? )?(?:dark |light |bright |deep |pale )?(?P<first>{_COLOUR})"
    rf"\b(?!\s*(?:,|or\b|/|oder\b|ou\b))(?:\s+(?:{_LOOK})){{0,5}}|\b(?P<second>{_COLOUR})\s+(?:{_LOOK})"
    rf"\b)",
    re.IGNORECASE,
)
_NAME_END = (
    r"(?=\s*[.;,:!?)]|\s+(?:with|that|where|which|to|for|and|so|in which|who|"
    r"mit|der|die|das|und|avec|qui|et|con|que|y|having|each|it|i)\b|$)"
)
_APP_WORD = (
    r"(?:app|application|tool|site|website|page|tracker|list|log|form|diary|"
    r"journal|it|this|that|database|system|board|book|guestbook|planner|thing|"
    r"one|anwendung|seite|liste|es|appli|formulaire|página|aplicación|lista|"
    r"\w+(?:list|book|log|tracker))"
)
_CALLED = re.compile(
    (
        rf"(?P<before>\b{_APP_WORD})?[ ,]*\b(?P<verb>called|named|titled|entitled|"
        rf"call it|name it|title it|call (?:this|the \w+)|namens|nenne? (?:es|sie|"
        rf"die \w+)|genannt|mit dem (?:titel|namen)|appelée?|nommée?|appelle[- ]?(?:la|"
        rf"le)|intitulée?|llamad[oa]|llámal[oa]|titulad[oa]|with the (?:title|name)|"
        rf"(?:make|set|change) the (?:app(?:'s)? )?(?:title|name)|rename (?:it|this|"
        rf"the \w+|\w+) (?:to|as|into)|(?:change|set) the (?:title|"
        rf"name)(?: of \w+(?: \w+)?)? to|umbenennen in)\s+(?:to |as |simply |just "
        rf"|in |en )?(?P<name>[\ue000-\uf8ff]|[^\s.;,:!?][^.;,:!?\n]{{0,59}}?){_NAME_END}"
    ),
    re.IGNORECASE,
)
_HIDDEN = (
    r"(?:(?-i:[A-Z][A-Z0-9]*_(?:[A-Z0-9]+_)*(?:URL|KEY|TOKEN|SECRET|PASSWORD|ID)\b)|"
    r"\.env\b|dot ?env|environment variables?|env vars?|api[ -]?keys?|connection strings?|"
    r"database (?:url|password)s?|system prompt|access tokens?|private keys?|your (?:\w+ )?(?:keys?|password|token)|"
    r"(?:the|your|its|all|any|every|server|my|die|deine?n?|alle|les|tes|vos|las|tus)\s+(?:\w+\s+)?"
    r"(?:passwords?|secrets?|credentials?|schlüssel|mots? de passe|clés?|contraseñas?|claves?)\b|"
    r"umgebungsvariablen|zugangsdaten|geheimnisse|credenciales)"
)
_SECRET = re.compile(
    rf"{_JOIN}(?:\b(?:just|can you|could you|please|bitte|now|first)\s+){{0,5}}\b(?:print|"
    rf"show|shows|reveal|display|displays|tell|give|dump|output|leak|expose|send|"
    rf"e-?mail|cat|echo|what(?:'s| is| are)|zeige?|gib|nenne|verrate|montre|affiche|"
    rf"donne|muestra|enseña|dime|da)\b[^;.\n]{{0,80}}?{_HIDDEN}[^;\n]{{0,120}}?(?=\s*;|"
    rf"\.\s|\.$|,? and (?:build|make|keep|track|a\b)|$)"
)


@dataclass(slots=True)
class Wishes:
    """What was asked for, and the text without it. Field references are still words."""

    rest: str
    title: str = ""
    secret: bool = False
    mail_to: str = ""  # "", "owner" or "field"
    mail_address: str = ""
    sort_key: str = ""
    sort_descending: bool | None = None
    totals: list[str] = field(default_factory=list)
    search: bool = False
    accent: str = ""
    scheme: str = ""


def read_wishes(prepared: Prepared) -> Wishes:
    """Read and cut every wish in `prepared.text`."""
    wishes = Wishes(prepared.text)
    _secrets(wishes)
    _mail(wishes, prepared)
    _title(wishes, prepared)
    _order(wishes)
    _looks(wishes)
    while match := _TOTAL.search(wishes.rest):
        wishes.totals.append(match[0].strip())
        _cut(wishes, match)
    if match := _SEARCH.search(wishes.rest):
        wishes.search = True
        _cut(wishes, match)
    return wishes


def _cut(wishes: Wishes, match: re.Match[str]) -> None:
    joined = " " if match[0].strip()[:1] not in ",;" else ", "
    wishes.rest = re.sub(r"\s+([,;.])", r"\1", wishes.rest[: match.start()] + joined + wishes.rest[match.end() :])
    wishes.rest = re.sub(r"[\s,]+(?:and|und|et|y)\s*(?=[,.;]|$)|^(?:and|und|et|y)\s*$", "", wishes.rest)
    wishes.rest = re.sub(r"(?:,\s*)+(?=[,.;]|$)", "", re.sub(r" {2,}", " ", wishes.rest)).strip(" ,;")


def _secrets(wishes: Wishes) -> None:
    pattern = re.compile(_SECRET.pattern, re.IGNORECASE)
    for _ in range(5):
        match = pattern.search(wishes.rest)
        if match is None:
            return
        wishes.secret = True
        _cut(wishes, match)


def _mail(wishes: Wishes, prepared: Prepared) -> None:
    for pattern in _MAIL:
        for _ in range(4):
            match = pattern.search(wishes.rest)
            if match is None:
                break
            words = match[0].lower()
            address = next(
                (prepared.kept[ord(c) - 0xE000] for c in match[0] if 0xE000 <= ord(c) < 0xE000 + len(prepared.kept)), ""
            )
            owner = re.search(
                (
                    r"\b(?:me|us|i|we|my|our|owner|admin|mich|mir|uns|ich|moi|m'|nous|env[ií]ame|"
                    r"avísame|mándame|enviarme)\b"
                ),
                words,
            )
            if "@" in address:
                wishes.mail_to, wishes.mail_address = "owner", address
            elif not wishes.mail_to:
                wishes.mail_to = "owner" if owner else "field"
            _cut(wishes, match)


def _title(wishes: Wishes, prepared: Prepared) -> None:
    for match in _CALLED.finditer(wishes.rest):
        named_only = match["verb"].lower() in (
            "called",
            "named",
            "titled",
            "entitled",
            "namens",
            "genannt",
            "with the title",
            "with the name",
        ) or match["verb"].lower().startswith(("appelé", "nommé", "llamad"))
        if (
            named_only
            and not match["before"]
            and not prepared.is_quote(match["name"])
            and not match["name"][:1].isupper()
        ):
            continue
        if (
            named_only
            and not match["before"]
            and re.search(
                r"\b(?:field|number|date|text|column|choice|time|checkbox|feld|champ|campo|no)\s*$",
                wishes.rest[: match.start("verb")],
                re.IGNORECASE,
            )
        ):
            continue
        name = prepared.restore(match["name"]).strip(" -–")
        if name:
            wishes.title = sentence_case(name)[:80]
            cut = re.compile(re.escape(wishes.rest[match.start("verb") : match.end()]))
            found = cut.search(wishes.rest, match.start("verb"))
            if found:
                _cut(wishes, found)
            return


def _order(wishes: Wishes) -> None:
    if match := _SORT.search(wishes.rest):
        wishes.sort_key = match["key"].strip()
        wishes.sort_descending = _descending(match["way"] or "") if match["way"] else None
        if ending := re.search(
            r"\s+(ascending|descending|asc|desc|(?:highest|lowest|newest|oldest|latest|earliest)(?: first)?)$",
            wishes.sort_key,
            re.IGNORECASE,
        ):
            wishes.sort_key, wishes.sort_descending = wishes.sort_key[: ending.start()], _descending(ending[1])
        _cut(wishes, match)
    elif match := _FIRST.search(wishes.rest):
        wishes.sort_key = match["key"] or (
            ""
            if re.match(r"(?i)newest|latest|most|recent|oldest|earliest|neu|ält|plus|más", match["way"])
            else "*number"
        )
        wishes.sort_descending = _descending(match["way"])
        wishes.sort_key = wishes.sort_key or "created_at"
        _cut(wishes, match)
    elif match := _ALPHABET.search(wishes.rest):
        wishes.sort_key, wishes.sort_descending = "*text", False
        _cut(wishes, match)


def _descending(way: str) -> bool:
    return bool(
        re.search(
            r"desc|newest|latest|recent|highest|largest|biggest|best|z to a|absteigend|décroiss|neueste|nuev",
            way,
            re.IGNORECASE,
        )
    )


def _looks(wishes: Wishes) -> None:
    if match := _SCHEME.search(wishes.rest):
        said = match["scheme"] or match["look"]
        wishes.scheme = "dark" if re.match(r"(?i)dark|dunk|sombre|osc", said) else "light"
        _cut(wishes, match)
    if match := _ACCENT.search(wishes.rest):
        said = (match["first"] or match["second"]).lower()
        wishes.accent = next(name for name, others in ACCENTS.items() if re.fullmatch(f"{name}|{others}", said))
        _cut(wishes, match)
