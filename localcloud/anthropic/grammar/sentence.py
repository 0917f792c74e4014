"""One sentence (or a few) read as a whole new app: what is recorded, its fields, its title, or a small tool instead."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from localcloud.anthropic.grammar.fields import Found, name_fields, read_fields
from localcloud.anthropic.grammar.lexicon import LANGUAGES, NAME_WORDS, Language, detect
from localcloud.anthropic.grammar.text import Prepared, prepare, sentences
from localcloud.anthropic.grammar.tools import read_tool
from localcloud.anthropic.grammar.wishes import Wishes, read_wishes
from localcloud.anthropic.names import is_plural, plural, sentence_case, singular, table_name
from localcloud.anthropic.spec import AppSpec, Field, Mail, Scheme, Sort


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence was taken to mean. `spec` is None when nothing in it asks for an app."""

    spec: AppSpec | None
    language: str = "en"
    secret: bool = False
    guessed_fields: bool = False  # the sentence named none
    guessed_entity: bool = False


@dataclass(frozen=True, slots=True)
class Thing:
    """What is recorded, in the person's words, and the title that goes with it."""

    one: str
    many: str
    title: str


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
    found, heads = _fields_of(wishes.rest, prepared, language)
    thing = _thing(heads, prepared, language)
    if thing is None and (found or not wishes.secret):
        thing = _leftover(heads, prepared, language)
    if thing is None and not found:
        return Reading(None, language.code, wishes.secret)
    guessed = not found
    fields = _complete(name_fields(_to_do(found, prepared.text)), language)
    fields, mail = with_recipient(fields, wishes, language.code)
    named = thing or Thing(*_entry(language.code), title=wishes.title or sentence_case(_short(prepared, heads)))
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
    return Reading(spec, language.code, wishes.secret, guessed, thing is None)


def _scheme(wishes: Wishes) -> Scheme:
    return "dark" if wishes.scheme == "dark" else "light" if wishes.scheme == "light" else "auto"


def _entry(code: str) -> tuple[str, str]:
    return {
        "en": ("entry", "entries"),
        "de": ("Eintrag", "Einträge"),
        "fr": ("entrée", "entrées"),
        "es": ("entrada", "entradas"),
    }[code]


def _currency(prompt: str, code: str) -> str:
    for mark, currency in (("€", "EUR"), ("£", "GBP"), ("$", "USD"), ("¥", "JPY"), ("₹", "INR"), ("CHF", "CHF")):
        if mark in prompt:
            return currency
    return "USD" if code == "en" else "EUR"


def _short(prepared: Prepared, heads: list[str]) -> str:
    words = prepared.restore(heads[0] if heads else prepared.text).split()
    return " ".join(words[:6]).strip(" .,:;")[:60] or "Entries"


def _fields_of(text: str, prepared: Prepared, language: Language) -> tuple[list[Found], list[str]]:
    """Fields of every sentence that lists some, and the rest of each sentence: where the thing itself is named."""
    found: list[Found] = []
    heads: list[str] = []
    for sentence in sentences(text):
        head, lists = _regions(sentence, language, first=not heads)
        heads.append(head)
        for part in lists:
            found += read_fields(part, prepared, language.code)
    return found, heads


def _regions(sentence: str, language: Language, *, first: bool) -> tuple[str, list[str]]:
    """Split a sentence into what is before its list of fields, and the list."""
    patterns = [
        (
            r"^(?P<head>.*?)(?:\b(?:the |these |following |its |their ){0,3}(?:fields|columns|"
            r"attributes|properties|felder|spalten|champs|campos)\b(?: are| is| should "
            r"be| sind| sont| son)?(?: called| named)?\s*[:,]?\s+(?P<list>.+))$"
        ),
        (
            rf"^(?P<head>.*?\b(?:{language.each})\s+(?:of (?:them|these) |one |[\w'-]+ "
            rf"){{0,3}}?(?:{language.with_}|should have|must have|gets?|comes with|is "
            rf"described by|consists of|i (?:want|need|would like) to (?:note|record|"
            rf"store|track|keep|log|save|enter)|i (?:note|record|store|track|keep|log|"
            rf"save|enter)|(?:we|you|people|users) (?:note|record|store|enter|give)))\s*:?\s+(?P<list>.+"
            rf")$"
        ),
        (
            r"^(?P<head>.*?\b(?:where|so that|in which|for|that lets?|lets?|let|allows?|"
            r"allow|enables?)\s+(?:\w+ ){1,3}?(?:can |could |may |to )?(?:leave|enter|"
            r"submit|give|fill in|put in|type in|provide|leaves|enters|submits|register "
            r"with|sign up with|write))(?: down)?\s+(?P<list>(?:their|his|her|a|an|the|"
            r"my|your|its)\s.+|.+(?:,| and ).+)$"
        ),
        (
            r"^(?P<head>.*?)\b(?:tracks?|track|records?|logs?|stores?|saves?|notes?|"
            r"keeps?|collects?|remembers?|lists?|write down|note down)\s+(?:the |its "
            r"|their )?(?P<list>[^,]+(?:,| and ).+?)\s+(?P<tail>(?:of|for|about|per|"
            r"on)\s+(?:each|every|all|my|our|the|a|an)\s+[\w' -]+)$"
        ),
        r"^(?P<head>.*?\b(?:each|every|a|an|the)\s+[\w-]+)(?:'s|s')\s+(?P<list>.+(?:,| and ).+)$",
        r"^(?P<head>[^:]*?[^\s:])\s*:\s+(?P<list>.+)$",
        rf"^(?P<head>.*?)(?<!\w)(?:{language.with_})\s*:?\s+(?P<list>.+)$",
        r"^(?P<head>[^(),]{1,300}?)\s*\((?P<list>[^()]*,[^()]*(?:\([^()]*\)[^()]*)*)\)\s*$",
        (
            r"^(?P<head>(?:it|they|each|every|each one|also|i also want|please|and)\b[^,]*?\b(?:has|"
            r"have|needs?|should have|with|include|stores?|records?|want|add|also))\s+(?P<list>.+)$"
        ),
        (
            r"^(?P<head>.*?\b(?:that |which |to |who )(?:collects?|captures?|asks? for|"
            r"takes?|records?|stores?|logs?|saves?))\s+(?P<list>(?:[^,]+,)+.+)$"
        ),
        r"^(?P<head>[^,]{3,40}?)\s+[–—-]\s+(?P<list>[^,]+,.+)$",
        r"^(?P<head>(?:an? |the |my )?\w+(?: \w+){0,3}),\s+(?P<list>[^,]+,.+)$",
    ]
    for index, pattern in enumerate(patterns):
        match = re.match(pattern, sentence, re.IGNORECASE)
        if match is None or not match["list"].strip(" ,."):
            continue
        if index == 10 and not first:
            continue
        tail = match.groupdict().get("tail") or ""
        head = f"{match['head']} {tail}".strip()
        return head, [_until_purpose(match["list"])]
    return sentence, []


def _until_purpose(text: str) -> str:
    """A list without the reason that trails it: "…, so that I can plan my week"."""
    return re.sub(
        (
            r",?\s+(?:so (?:that )?(?:i|we|you|they)|in order to|because|to help|which "
            r"(?:i|we)|for (?:my|our) own)\b.*$|,?\s+(?:damit|pour que|para que)\b.*$"
        ),
        "",
        text,
        flags=re.IGNORECASE,
    )


def _thing(heads: list[str], prepared: Prepared, language: Language) -> Thing | None:
    """Find the name of what is recorded in the parts of the sentences that list no fields."""
    word = r"[^\W_][\w'’&/+.-]*|[\ue000-\uf8ff]"
    phrase = rf"(?P<thing>(?:(?!(?:{language.stop})\b)(?:{word})(?:\s+|$|(?=[,:(]))){{1,4}})"
    before = rf"(?:(?:{language.article}|new|all|different|various|neue[nr]?)\s+){{0,4}}"
    head_word = rf"(?:(?!(?:{language.stop}|{language.article})\b)(?:{word})\s+){{0,3}}?"
    patterns = [
        (
            rf"\b(?:{language.collection})\s+(?:app |tool |page |site |form |where i "
            rf"|which |that |to )?(?:{language.of})\s+{before}{phrase}"
        ),
        rf"\b(?:{language.keep})\s+{before}{phrase}",
        (
            rf"(?<!\w)(?P<compound>{head_word}(?P<thing>(?:{word}))[\s-]+(?P<collection>{language.collection})"
            rf")\b(?:\s+(?:app|tool|page))?"
        ),
        rf"\b(?:{language.each})\s+{before}{phrase}",
        rf"\b(?:for|of|about|für|von|pour|de|para|sobre)\s+{before}{phrase}",
        rf"\b(?:my|our|meine[rn]?|unsere[rn]?|mes|mis|nos|nuestr[ao]s)\s+{phrase}",
    ]
    ordered = sorted(enumerate(patterns), key=lambda pair: pair[0])
    for head in heads:
        for number, pattern in ordered:
            thing = _match(pattern, head, number, prepared, language)
            if thing is not None:
                return thing
    return None


def _match(pattern: str, head: str, number: int, prepared: Prepared, language: Language) -> Thing | None:
    for match in re.finditer(pattern, head, re.IGNORECASE):
        words = _tidy(match["thing"], language)
        if not words or re.fullmatch(
            rf"(?:{_GENERIC}|{language.each}|{language.stop}|{_NOTHING})", words, re.IGNORECASE
        ):
            continue
        restored = prepared.restore(words)
        if number == 2:
            compound = _tidy(match["compound"], language)
            kept = re.sub(
                r"\s+(?:app|application|tool|website|site|web ?app|program|software)$",
                "",
                compound,
                flags=re.IGNORECASE,
            )
            before = re.sub(rf"[\s-]+(?:{language.collection})$", "", compound, flags=re.IGNORECASE)
            return _compound(
                prepared.restore(kept), prepared.restore(before or words), language, shortened=kept != compound
            )
        return _named(restored, language)
    return None


_GENERIC = (
    r"list|app|application|tool|(?:web)?sites?|page|form|database|system|records?|"
    r"tracker|log|overview|collection|program|software|dashboard|portal|track|"
    r"liste|anwendung|appli|aplicación|lista"
)
_NOTHING = (
    r"simple|little|small|nice|new|basic|quick|great|good|beautiful|web|full-?stack|"
    r"crud|single|mini|tiny|personal|online|digital|it|them|this|that|things?|"
    r"stuff|everything|something|me|us|you|here|data|information|info|entries|"
    r"records|items|einfache[nrs]?|kleine[nrs]?|petite?|simples?|pequeñ[oa]|"
    r"sencill[oa]"
)


def _tidy(words: str, language: Language) -> str:
    words = words.strip(" .,:;()'\"")
    pattern = re.compile(
        (
            rf"^(?:(?:{language.article}|{_NOTHING}|build|make|create|write|give|me|us|"
            rf"please|i|we|want|need|a|can|you|would|like|to|develop|design|set|up|baue?n?|"
            rf"erstelle?n?|mach|bitte|ich|möchte|brauche|will|je|veux|voudrais|crée[rz]?|"
            rf"fais|quiero|crea|crear|haz|necesito|hazme|créame|mir|moi)\s+)"
        ),
        re.IGNORECASE,
    )
    while (match := pattern.match(words)) and match.end() < len(words):
        words = words[match.end() :]
    return words


def _named(words: str, language: Language) -> Thing:
    words = words[:60]
    if language.code == "en":
        one, many = singular(words), plural(singular(words))
        if words.lower().endswith("ing") and " " not in words:
            one, many = words, words
        return Thing(_lower(one), _lower(many), sentence_case(many))
    return Thing(words, words, sentence_case(words))


def _compound(title: str, words: str, language: Language, *, shortened: bool) -> Thing:
    """ "plant diary" records plants and is called so; "reading list" records items."""
    thing = _named(words, language)
    if language.code == "en" and words.lower().endswith("ing"):
        thing = Thing(f"{_lower(words)} item", f"{_lower(words)} items", "")
    return Thing(thing.one, thing.many, thing.title if shortened else sentence_case(title[:60]))


def _lower(words: str) -> str:
    """Lower the first letter of an ordinary word; names and acronyms keep theirs."""
    return words[:1].lower() + words[1:] if words[1:2].islower() or len(words) == 1 else words


def _leftover(heads: list[str], prepared: Prepared, language: Language) -> Thing | None:
    """No pattern fits: take what the first head says once the asking is gone, such as `A guestbook` or `Recipes`."""
    for head in heads:
        words = _tidy(re.split(rf"\b(?:{language.stop})\b", head + " ", maxsplit=1, flags=re.IGNORECASE)[0], language)
        words = words if re.search(r"\w", words) else _tidy(head, language)
        restored = prepared.restore(words).strip()
        if re.search(r"[^\W\d_]{2,}", restored) and not re.fullmatch(
            (
                rf"(?:{_NOTHING}|{language.article}|app|application|tool|page|site|website|"
                rf"hello|hi|hey|thanks|thank you|ok|okay|yes|no|test)"
            ),
            restored,
            re.IGNORECASE,
        ):
            short = " ".join(restored.split()[:5])
            if language.code == "en" and is_plural(short.split()[-1]):
                return _named(short, language)
            return Thing(*_entry(language.code), title=sentence_case(short[:60]))
    return None


def _to_do(found: list[Found], text: str) -> list[Found]:
    """Things to do need words to do them by and a box to tick, said or not."""
    if not re.search(r"\b(?:to-?dos?|tasks?|checklist|chores)\b", text, re.IGNORECASE):
        return found
    if not any(item.type in ("text", "longtext") for item in found):
        found = [Found("Task", "text"), *found]
    return found if any(item.type == "boolean" for item in found) else [*found, Found("Done", "boolean")]


def _complete(fields: tuple[Field, ...], language: Language) -> tuple[Field, ...]:
    """Defaults where the sentence named none, and a first field that must be filled in."""
    if not fields:
        name, notes, _ = NAME_WORDS[language.code]
        fields = name_fields([Found(name, "text"), Found(notes, "longtext")])
    if any(item.required for item in fields):
        return fields
    first = next(
        (item for item in fields if item.type == "text"),
        next((item for item in fields if item.type != "boolean"), None),
    )
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
