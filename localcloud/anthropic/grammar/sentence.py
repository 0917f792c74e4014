"""One sentence (or a few) read as a whole new app: what is recorded, its fields, its title, or a small tool instead."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from localcloud.anthropic.grammar.defaults import to_do, usual_fields, usual_thing
from localcloud.anthropic.grammar.features import AMOUNT, asked_feature, counts_down, without_features
from localcloud.anthropic.grammar.fields import name_fields, read_fields
from localcloud.anthropic.grammar.lexicon import LANGUAGES, NAME_WORDS, Language, detect
from localcloud.anthropic.grammar.lists import find_list
from localcloud.anthropic.grammar.operations import is_ordinary, managed
from localcloud.anthropic.grammar.pieces import Found
from localcloud.anthropic.grammar.text import Prepared, prepare, sentences
from localcloud.anthropic.grammar.thing import entry, find_thing, leftover
from localcloud.anthropic.grammar.tools import read_tool
from localcloud.anthropic.grammar.wishes import Wishes, read_wishes
from localcloud.anthropic.names import sentence_case, singular, table_name
from localcloud.anthropic.spec import AppSpec, Field, Mail, Scheme, Sort


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence was taken to mean. `spec` is None when nothing in it asks for an app."""

    spec: AppSpec | None
    language: str = "en"
    secret: bool = False
    guessed_fields: bool = False  # the sentence named none
    beyond: tuple[str, ...] = ()  # what was asked for that the builder cannot make, in the person's words


def read_sentence(prompt: str) -> Reading:
    """Read a prompt as the order for a new app."""
    prepared = prepare(prompt)
    language = LANGUAGES[detect(prepared.text)]
    wishes = read_wishes(prepared)
    if tool := read_tool(wishes.rest, prepared.restore(wishes.rest), language.code):
        title = wishes.title or tool.title
        return Reading(
            replace(tool, title=title, accent=wishes.accent, scheme=_scheme(wishes)), language.code, wishes.secret
        )
    if not re.search(r"\w{2,}", wishes.rest) and not wishes.title:
        return Reading(None, language.code, wishes.secret)
    rest, searched = managed(wishes.rest)
    wishes.search = wishes.search or searched
    found, heads, beyond = _fields_of(_ASIDE.sub(r"\1 (yesno)", rest), prepared, language)
    thing = find_thing(heads, prepared, language.code)
    if thing is None and (found or not wishes.secret):
        thing = leftover(heads, prepared, language.code)
    if thing is None and not found:
        return Reading(None, language.code, wishes.secret)
    guessed = not found
    thing = usual_thing(thing, rest, language.code) if guessed else thing
    amount = AMOUNT[language.code] if counts_down(beyond) else ""
    if guessed and amount:
        found = usual_fields(rest, language.code, amount=amount)
    elif amount and not any(item.type == "number" for item in found):
        found = [*found, Found(amount, "number")]
    found = to_do(found, prepared.text) or usual_fields(rest, language.code)
    fields = _complete(name_fields(found))
    fields, mail = with_recipient(fields, wishes, language.code)
    named = thing or replace(entry(language.code), title=sentence_case(_short(prepared, heads)))
    spec = AppSpec(
        title=(wishes.title or named.title)[:80],
        language=language.code,
        one=named.one[:60],
        many=named.many[:60],
        table=table_name(named.many),
        fields=fields,
        mail=mail,
        search=wishes.search,
        accent=wishes.accent,
        scheme=_scheme(wishes),
        currency=next((item.currency for item in found if item.currency), _currency(prompt, language.code)),
        totals=tuple(item.name for item in fields if item.type in ("money", "number")) if wishes.totals else (),
    )
    spec = replace(spec, totals=chosen_totals(wishes, spec), sort=chosen_sort(wishes, spec) or Sort())
    return Reading(
        spec, language.code, wishes.secret, guessed, tuple(prepared.restore(words)[:120] for words in beyond)
    )


# "name, dish, vegetarian?"
_ASIDE = re.compile(
    r"(?<=[,;])(\s*(?:and )?(?!(?:please|thanks|ok|okay|right|yes|no)\b)[\w-]+(?: [\w-]+)?)\?(?=\s*(?:[,;.]|$))",
    re.IGNORECASE,
)


def _scheme(wishes: Wishes) -> Scheme:
    return "dark" if wishes.scheme == "dark" else "light" if wishes.scheme == "light" else "auto"


def _currency(prompt: str, code: str) -> str:
    for mark, currency in (("€", "EUR"), ("£", "GBP"), ("$", "USD"), ("¥", "JPY"), ("₹", "INR"), ("CHF", "CHF")):
        if mark in prompt:
            return currency
    return "USD" if code == "en" else "EUR"


def _short(prepared: Prepared, heads: list[str]) -> str:
    words = prepared.restore(heads[0] if heads else prepared.text).split()
    return " ".join(words[:6]).strip(" .,:;")[:60] or "Entries"


def _fields_of(text: str, prepared: Prepared, language: Language) -> tuple[list[Found], list[str], list[str]]:
    """Fields of every sentence that lists some, the rest of each sentence, and what is asked for beyond entries."""
    found: list[Found] = []
    heads: list[str] = []
    beyond: list[str] = []
    for sentence in sentences(text):
        if heads and is_ordinary(sentence):
            continue
        head, listed = find_list(sentence, language.code, first=not heads)
        if listed:
            listed, wanted = without_features(listed, language)
            beyond += wanted
            found += read_fields(listed, prepared, language.code) if listed else []
        elif heads and (wish := asked_feature(sentence, language.code)):
            beyond.append(wish)
            continue
        heads.append(head)
    return found, heads, beyond


def _complete(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """A first field that must be filled in, unless the sentence requires one itself."""
    if any(item.required for item in fields):
        return fields
    first = next((item for item in fields if item.type != "boolean"), None)
    return tuple(replace(item, required=True) if item is first else item for item in fields)


def with_recipient(fields: tuple[Field, ...], wishes: Wishes, code: str) -> tuple[tuple[Field, ...], Mail | None]:
    """Who gets the mail. A mail to the person in the form needs an e-mail field: one is added when there is none."""
    if not wishes.mail_to:
        return fields, None
    if wishes.mail_to == "owner":
        return fields, Mail("owner", address=wishes.mail_address)
    known = next((item for item in fields if item.type == "email"), None)
    if known is None:
        added = name_fields([Found(NAME_WORDS[code][2], "email", required=True)], tuple(item.name for item in fields))
        return (*fields, *added), Mail("field", field=added[0].name)
    required = tuple(replace(item, required=True) if item is known else item for item in fields)
    return required, Mail("field", field=known.name)


def matching_field(words: str, fields: tuple[Field, ...]) -> Field | None:
    """The field that these words of a person mean: by label, by column, by a word in common, by plural."""
    plain = re.sub(
        r"^(?:the|a|an|its|their|my|der|die|das|le|la|les|el|los|las|field|column)\s+", "", words.strip().lower()
    )
    plain = re.sub(r"\s+(?:field|column|feld|champ|campo|fields)$", "", plain)
    candidates = {plain, singular(plain), plain.replace("-", "")}
    for item in fields:
        label = item.label.lower()
        if candidates & {label, item.name, item.name.replace("_", " "), singular(label), label.replace("-", "")}:
            return item
    for item in fields:
        if set(plain.split()) & set(item.label.lower().split()) - {"of", "the", "a", "number", "date"}:
            return item
    return next((item for item in fields if item.type == plain or (item.type == "date" and plain == "date")), None)


def chosen_totals(wishes: Wishes, spec: AppSpec) -> tuple[str, ...]:
    """The columns a wish for totals means: those it names, else all money, else all plain amounts."""
    if not wishes.totals:
        return ()
    numeric = tuple(item for item in spec.fields if item.type in ("money", "number"))
    words = " ".join(wishes.totals).lower()
    named = tuple(item.name for item in numeric if re.search(rf"\b{re.escape(singular(item.label.lower()))}", words))
    money = tuple(item.name for item in numeric if item.type == "money")
    return named or money or tuple(item.name for item in numeric)


def chosen_sort(wishes: Wishes, spec: AppSpec) -> Sort | None:
    """The order a wish means, or None when it asks for none that the fields know."""
    if not wishes.sort_key:
        return None
    if wishes.sort_key == "created_at":
        return Sort("created_at", wishes.sort_descending is not False)
    kinds = {"*text": ("text", "longtext"), "*number": ("number", "money")}.get(wishes.sort_key)
    item = (
        next((f for f in spec.fields if f.type in kinds), None)
        if kinds
        else matching_field(wishes.sort_key, spec.fields)
    )
    if item is None:
        newest = re.search(r"creat|added|entr|newest|date added", wishes.sort_key)
        return Sort("created_at", wishes.sort_descending is not False) if newest else None
    return Sort(item.name, bool(wishes.sort_descending))
