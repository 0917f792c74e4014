"""A list of fields as people write it: "a title, a rating (number), whether it was read, and a status of new or old".

Three passes: split at commas and "and" outside parentheses, gather the options of choices that the split tore apart,
then read each piece: a type named outright wins over a type the words suggest.
"""

from __future__ import annotations

import re
from dataclasses import replace

from localcloud.anthropic.grammar.asked import read_question
from localcloud.anthropic.grammar.beside import NAMED, beside
from localcloud.anthropic.grammar.choices import RANGE, STRONG, choice, options_of
from localcloud.anthropic.grammar.hints import hinted_type, named_type
from localcloud.anthropic.grammar.lexicon import BARE_LABELS, LANGUAGES, Language
from localcloud.anthropic.grammar.pieces import Found, label_of, split, strip_article
from localcloud.anthropic.grammar.text import Prepared
from localcloud.anthropic.names import column_name
from localcloud.anthropic.spec import MAX_FIELDS, Field, FieldType

_FLAG_WORDS = {"required": True, "mandatory": True, "pflicht": True, "obligatoire": True, "obligatorio": True,
               "optional": False, "facultatif": False, "opcional": False}  # fmt: skip
_CURRENCY = {"€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "usd": "USD", "dollar": "USD",
             "dollars": "USD", "£": "GBP", "gbp": "GBP", "pounds sterling": "GBP", "chf": "CHF", "franken": "CHF",
             "yen": "JPY", "¥": "JPY", "jpy": "JPY", "inr": "INR", "₹": "INR", "rupees": "INR"}  # fmt: skip
# "choose a size and leave their name": a verb of giving is no part of the label.
_GIVING = re.compile(
    r"^(?:leaves?|enters?|gives?|fills? in|chooses?|picks?|types?|writes?) (?=(?:their|his|her|its|an?|the|my|your)\s)",
    re.IGNORECASE,
)
_WHETHER = re.compile(
    r"^(?:whether|if|ob|si)(?: or not)? (?:it'?s?|they|he|she|i|we|you|the \w+|that|es|sie|er|ich|il|elle|je|on)?\s*"
    r"(?:(?:is|are|was|were|has been|have been|has|have|had|'ve|'s|ist|wurde|est|a été|ai|está|ha sido) )?"
    r"(?:already |been |or not )*(?P<rest>.+?)(?: or not| already| it| them| ist| sind|"
r" wurden?| habe?)?$", re.IGNORECASE)  # fmt: skip
_WHEN = re.compile(
    r"^when (?:it|they|he|she|i|we|the \w+)(?:'?s)? (?:(?:was|were|is|are|has been|have been|had|have|last) )*"
    r"(?P<rest>.+?)(?: it| them)?$",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"^(?:is|was|has|have|did|are|were) (?:it|they|he|she|i|we|you|this|that) (?:been |already )*(?P<rest>[^?]+)\??$",
    re.IGNORECASE,
)


def read_fields(text: str, prepared: Prepared, code: str) -> list[Found]:
    """Every field that a list in the language `code` names, in its order."""
    language = LANGUAGES[code]
    pieces = split(text, language)
    semicolons = any(piece.before == ";" for piece in pieces)
    found: list[Found] = []
    index = 0
    while index < len(pieces):
        taken, item = choice(pieces, index, language, prepared, semicolons=semicolons)
        if item is None:
            taken, item = 1, _single(pieces[index].words, language, prepared)
        if item is not None and item.label:
            found.append(item)
        index += taken
    return found


def _single(words: str, language: Language, prepared: Prepared) -> Found | None:
    """Read one piece that is no spread-out choice."""
    found = Found("")
    if inner := re.search(r"\s*[(\[]([^()\[\]]*)[)\]]\s*", words):
        found = _aside(inner[1], found, language, prepared)
        words = (words[: inner.start()] + " " + words[inner.end() :]).strip()
    words, found = _flags(words, found)
    words = _GIVING.sub("", words)
    words = strip_article(words, language)
    if re.fullmatch(language.article, words, re.IGNORECASE):  # of something that was read already, such as a mail
        return None
    if match := re.search(r"\s+as (?:an? )?(number|decimal|integer|text|date)$", words, re.IGNORECASE):
        words, found = words[: match.start()], replace(found, type=named_type(match[1]))
    if match := re.search(r"\s+in (€|\$|£|¥|₹|[a-z°%²³/]+(?: sterling)?)$", words, re.IGNORECASE):
        found = _in_unit(match[1], found)
        words = words[: match.start()]
    if words.endswith("?") and found.type is None:
        found = replace(found, type="boolean")
    if match := re.match(rf"{RANGE.pattern} (?=\w)", words, re.IGNORECASE):
        found = replace(found, minimum=float(match[1]), maximum=float(match[2]))
        words = words[match.end() :]
    if match := re.search(rf"(?:\s+|^){RANGE.pattern}$", words, re.IGNORECASE):
        found = replace(found, minimum=float(match[1]), maximum=float(match[2]))
        words = words[: match.start()]
    if match := re.fullmatch(r"(.+?)\s+(\w{2,}(?:/\w{2,})+)", words):
        options = options_of(match[2], language, prepared)
        if len(options) > 2 or (len(options) == 2 and "and/or" not in words and len(match[2]) > 6):
            return replace(
                found,
                type="choice",
                options=options,
                label=label_of(
                    re.sub(r"\s+(?:with|of|as|being|is|from)$", "", beside(match[1])[0]), language, prepared
                ),
            )
    if match := re.search(r"\s+out of (\d{1,6})$", words, re.IGNORECASE):
        found = replace(found, minimum=0.0, maximum=float(match[1]))
        words = words[: match.start()]
    return _said(words, found, language, prepared) or _typed(words, found, language, prepared)


def _said(words: str, found: Found, language: Language, prepared: Prepared) -> Found | None:
    """A field put as a clause: who, when, how many, whether."""
    if asked := read_question(words, found, language, prepared):
        return asked
    if match := _WHEN.match(words):
        label = match["rest"] if " " in match["rest"] else f"{match['rest']} on"
        return replace(found, type="date", label=label_of(label, language, prepared))
    if match := _WHETHER.match(words) or _ASKED.match(words):
        return replace(found, type="boolean", label=label_of(match["rest"], language, prepared))
    return None


def _typed(words: str, found: Found, language: Language, prepared: Prepared) -> Found:
    """Find a type named outright beside the label, else what the words suggest."""
    label, kind = words, found.type
    if "yesno" in words.lower():
        label, kind = (
            re.sub(
                (
                    rf"\s*(?:[-–:=]|\bas\b|\bis\b)?\s*\b(?:an?|ein|une?)?\s*yesno(?:\s+(?:field|"
                    rf"question|value|checkbox|flag|feld))?(?:\s+{NAMED})?\s*"
                ),
                " ",
                words,
                flags=re.IGNORECASE,
            ).strip(),
            "boolean",
        )
    else:
        label, named = beside(words)
        kind = kind or named
    if (
        (match := re.fullmatch(r"(.+) number", label))
        and kind is None
        and hinted_type(match[1], language.code) == "number"
    ):
        label, kind = match[1], "number"
    label = label_of(label, language, prepared)
    if not label:
        label = BARE_LABELS[kind or "text"]
    guess: FieldType = (
        kind or ("number" if found.minimum is not None else None) or hinted_type(label, language.code) or "text"
    )
    if found.currency:
        guess = "money"
    elif found.unit and guess in ("text", "money"):
        guess = "number"
    if guess == "choice" and not found.options:
        guess = "text"
    return replace(found, label=label, type=guess)


def _aside(inside: str, found: Found, language: Language, prepared: Prepared) -> Found:
    """What stands in parentheses: a type, options, a range, a unit, required or optional."""
    inside, found = _flags(inside.strip(), found)
    if not inside:
        return found
    if "yesno" in inside.lower():
        return replace(found, type="boolean")
    if language.code == "fr" and inside.lower() == "nombre":
        return replace(found, type="number")
    if kind := named_type(inside):
        return replace(found, type=kind)
    if match := RANGE.fullmatch(inside):
        return replace(found, minimum=float(match[1]), maximum=float(match[2]))
    named, _, rest = inside.partition(":") if ":" in inside else inside.partition(",")
    if (kind := named_type(named)) and kind != "choice" and rest.strip():
        return _aside(rest, replace(found, type=kind), language, prepared)
    inside = re.sub(rf"^(?:{STRONG})\s*:?\s*", "", inside, flags=re.IGNORECASE)
    inside = re.sub(
        r"^(?:choice|dropdown|options?|enum|select|auswahl|choix)\s*[:,–-]?\s*", "", inside, flags=re.IGNORECASE
    )
    options = options_of(inside, language, prepared)
    if len(options) > 1:
        return replace(found, type="choice", options=options)
    return _in_unit(re.sub(r"^in ", "", inside), found)


def _in_unit(words: str, found: Found) -> Found:
    if currency := _CURRENCY.get(words.lower().strip()):
        return replace(found, currency=currency)
    return replace(found, unit=words.strip()[:20]) if re.fullmatch(r"[\w°%²³/. ]{1,20}", words) else found


def _flags(words: str, found: Found) -> tuple[str, Found]:
    for word, required in _FLAG_WORDS.items():
        pattern = re.compile(rf"(?:^|[\s,]+){word}(?:[\s,]+|$)", re.IGNORECASE)
        if pattern.search(words):
            words, found = pattern.sub(" ", words, count=1).strip(), replace(found, required=required)
    return words, found


def name_fields(found: list[Found], taken: tuple[str, ...] = ()) -> tuple[Field, ...]:
    """Fields with unique column names; a label said twice is taken once."""
    fields: list[Field] = []
    labels: set[str] = set()
    for item in found[: MAX_FIELDS - len(taken)]:
        if item.label.lower() in labels:
            continue
        labels.add(item.label.lower())
        name = column_name(item.label, (*taken, *(field.name for field in fields)))
        fields.append(
            Field(
                name,
                item.label,
                item.type or "text",
                bool(item.required),
                item.options,
                item.unit,
                item.minimum,
                item.maximum,
            )
        )
    return tuple(fields)
