"""A list of fields as people write it: "a title, a rating (number), whether it was read, and a status of new or old".

Three passes: split at commas and "and" outside parentheses, gather the options of choices that the split tore apart,
then read each piece: a type named outright wins over a type the words suggest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from localcloud.anthropic.grammar.beside import NAMED, beside
from localcloud.anthropic.grammar.hints import hinted_type, named_type
from localcloud.anthropic.grammar.lexicon import BARE_LABELS, LANGUAGES, Language
from localcloud.anthropic.grammar.text import Prepared
from localcloud.anthropic.names import column_name, sentence_case
from localcloud.anthropic.spec import MAX_FIELDS, Field, FieldType

_STRONG = (
    r"(?:\(?(?:which |that )?(?:is |can be |could be |may be |must be |being |as )?)?(?:an? |the )?"
    r"(?:one of|either|any of|(?:a )?(?:choice|choices|selection|pick|drop-?down|enum|options?|list)"
    r"(?: list| menu| field)?\s*(?:of|between|from|among|with|:|=)|"
    r"with (?:the )?(?:options|choices|values|possibilities)|mit den (?:optionen|"
    r"werten)|avec les (?:options|choix)|con (?:las )?opciones|"
    r"select(?:ed)? from|chosen from|picked from|can be|could be|may be|entweder|eine?s? von|auswahl(?: aus| von)?|"
    r"l'un de|parmi|choix entre|choix de|uno de|una de|elegir entre|opciones)"
)
_WEAK = r"(?:(?<=\s)(?:of|as|is|are|from|being|like|such as|von|als|de|–|—|-)|[=:])"
_OPENER = re.compile(
    rf"^(?P<label>.*?)\s*(?:(?P<strong>(?:[-–—:=]\s*|\b){_STRONG})\s*:?|(?P<weak>{_WEAK}))\s+(?P<first>\S.*)$",
    re.IGNORECASE,
)
_RANGE = re.compile(
    (
        r"(?:from |between |von |de |entre )?(-?\d+(?:\.\d+)?)\s*(?:-|–|to|and|bis|"
        r"à|a|y)\s*(-?\d+(?:\.\d+)?)(?: stars?| points?)?"
    ),
    re.IGNORECASE,
)
_FLAG_WORDS = {"required": True, "mandatory": True, "pflicht": True, "obligatoire": True, "obligatorio": True,
               "optional": False, "facultatif": False, "opcional": False}  # fmt: skip
_CURRENCY = {"€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "$": "USD", "usd": "USD", "dollar": "USD",
             "dollars": "USD", "£": "GBP", "gbp": "GBP", "pounds sterling": "GBP", "chf": "CHF", "franken": "CHF",
             "yen": "JPY", "¥": "JPY", "jpy": "JPY", "inr": "INR", "₹": "INR", "rupees": "INR"}  # fmt: skip
_WHETHER = re.compile(
    r"^(?:whether|if|ob|si)(?: or not)? (?:it'?s?|they|he|she|i|we|you|the \w+|that|es|sie|er|ich|il|elle|je|on)?\s*"
    r"(?:(?:is|are|was|were|has been|have been|has|have|had|'ve|'s|ist|wurde|est|a été|ai|está|ha sido) )?"
    r"(?:already |been |or not )*(?P<rest>.+?)(?: or not| already| ist| sind|"
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


def read_fields(text: str, prepared: Prepared, code: str) -> list[Found]:
    """Every field that a list in the language `code` names, in its order."""
    language = LANGUAGES[code]
    pieces = split(text, language)
    semicolons = any(piece.before == ";" for piece in pieces)
    found: list[Found] = []
    index = 0
    while index < len(pieces):
        taken, item = _choice(pieces, index, language, prepared, semicolons=semicolons)
        if item is None:
            taken, item = 1, _single(pieces[index].words, language, prepared)
        if item is not None and item.label:
            found.append(item)
        index += taken
    return found


def _choice(
    pieces: list[Piece], index: int, language: Language, prepared: Prepared, *, semicolons: bool
) -> tuple[int, Found | None]:
    """Read a choice that begins at `index`; gives how many pieces it spans, or no field."""
    words = _strip_article(pieces[index].words, language)
    match = _OPENER.match(words)
    if match is None:
        return 1, None
    strong, first = bool(match["strong"]), match["first"]
    if not strong and (named_type(first) or "yesno" in first.lower()):
        return 1, None
    rest = _span(pieces, index, first, language, strong=strong, semicolons=semicolons)
    if rest is None:
        return 1, None
    options = _options(rest[1], language, prepared)
    if len(options) < 2 or _RANGE.fullmatch(rest[1].strip()):
        return 1, None
    label = re.sub(r"\s*(?:,|:|–|-|=|which|that|is|can|as)$", "", match["label"].strip())
    label, _ = beside(label)
    return rest[0], Found(_label(label or BARE_LABELS["choice"], language, prepared), "choice", options)


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


def _options(text: str, language: Language, prepared: Prepared) -> tuple[str, ...]:
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


def _single(words: str, language: Language, prepared: Prepared) -> Found | None:
    """Read one piece that is no spread-out choice."""
    found = Found("")
    if inner := re.search(r"\s*[(\[]([^()\[\]]*)[)\]]\s*", words):
        found = _aside(inner[1], found, language, prepared)
        words = (words[: inner.start()] + " " + words[inner.end() :]).strip()
    words, found = _flags(words, found)
    words = _strip_article(words, language)
    if match := re.search(r"\s+as (?:an? )?(number|decimal|integer|text|date)$", words, re.IGNORECASE):
        words, found = words[: match.start()], replace(found, type=named_type(match[1]))
    if match := re.search(r"\s+in (€|\$|£|¥|₹|[a-z°%²³/]+(?: sterling)?)$", words, re.IGNORECASE):
        found = _in_unit(match[1], found)
        words = words[: match.start()]
    if words.endswith("?") and found.type is None:
        found = replace(found, type="boolean")
    if match := re.match(rf"{_RANGE.pattern} (?=\w)", words, re.IGNORECASE):
        found = replace(found, minimum=float(match[1]), maximum=float(match[2]))
        words = words[match.end() :]
    if match := re.search(rf"(?:\s+|^){_RANGE.pattern}$", words, re.IGNORECASE):
        found = replace(found, minimum=float(match[1]), maximum=float(match[2]))
        words = words[: match.start()]
    if match := re.fullmatch(r"(.+?)\s+(\w{2,}(?:/\w{2,})+)", words):
        options = _options(match[2], language, prepared)
        if len(options) > 2 or (len(options) == 2 and "and/or" not in words and len(match[2]) > 6):
            return replace(
                found,
                type="choice",
                options=options,
                label=_label(re.sub(r"\s+(?:with|of|as|being|is|from)$", "", beside(match[1])[0]), language, prepared),
            )
    if match := re.search(r"\s+out of (\d{1,6})$", words, re.IGNORECASE):
        found = replace(found, minimum=0.0, maximum=float(match[1]))
        words = words[: match.start()]
    if match := _WHEN.match(words):
        rest = match["rest"]
        return replace(found, type="date", label=_label(f"{rest} on" if " " not in rest else rest, language, prepared))
    if match := _WHETHER.match(words) or _ASKED.match(words):
        return replace(found, type="boolean", label=_label(match["rest"], language, prepared))
    return _typed(words, found, language, prepared)


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
    label = _label(label, language, prepared)
    if not label:
        label = BARE_LABELS[kind or "text"]
    guess: FieldType = (
        kind or ("number" if found.minimum is not None else None) or hinted_type(label, language.code) or "text"
    )
    if found.currency:
        guess = "money"
    elif found.unit and guess == "text":
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
    if match := _RANGE.fullmatch(inside):
        return replace(found, minimum=float(match[1]), maximum=float(match[2]))
    named, _, rest = inside.partition(":") if ":" in inside else inside.partition(",")
    if (kind := named_type(named)) and kind != "choice" and rest.strip():
        return _aside(rest, replace(found, type=kind), language, prepared)
    inside = re.sub(rf"^(?:{_STRONG})\s*:?\s*", "", inside, flags=re.IGNORECASE)
    inside = re.sub(
        r"^(?:choice|dropdown|options?|enum|select|auswahl|choix)\s*[:,–-]?\s*", "", inside, flags=re.IGNORECASE
    )
    options = _options(inside, language, prepared)
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


def _strip_article(words: str, language: Language) -> str:
    pattern = re.compile(rf"^(?:(?:{language.article}|{language.and_})\s+|[ld]'|:\s*)", re.IGNORECASE)
    while (match := pattern.match(words)) and match.end() < len(words):
        words = words[match.end() :].strip()
    return words


def _label(words: str, language: Language, prepared: Prepared) -> str:
    if prepared.is_quote(words):
        return prepared.restore(words)[:80].strip()
    words = _strip_article(words.strip(" .:;,-–—!?\"'"), language)
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
