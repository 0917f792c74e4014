"""What an app is about, in the person's own words: "a tracker for my books" is about books and is called so."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from localcloud.anthropic.grammar.lexicon import LANGUAGES, Language
from localcloud.anthropic.grammar.text import Prepared
from localcloud.anthropic.names import is_plural, plural, sentence_case, singular

_ENTRY = {
    "en": ("entry", "entries"),
    "de": ("Eintrag", "Einträge"),
    "fr": ("entrée", "entrées"),
    "es": ("entrada", "entradas"),
}
# Words for an app as such. They say nothing about what it is for.
_GENERIC = (
    r"list|app|application|tool|(?:web)?sites?|page|form|database|system|records?|tracker|log|overview|collection|"
    r"program|software|dashboard|portal|track|liste|anwendung|appli|aplicación|lista"
)
_NOTHING = (
    r"simple|little|small|nice|new|basic|quick|great|good|beautiful|web|full-?stack|crud|single|mini|tiny|personal|"
    r"online|digital|it|them|this|that|things?|stuff|everything|something|me|us|you|here|data|information|info|"
    r"entries|records|items|einfache[nrs]?|kleine[nrs]?|petite?|simples?|pequeñ[oa]|sencill[oa]"
)
_ASKING = (
    r"build|make|create|write|give|me|us|please|i|we|want|need|a|can|you|would|like|to|develop|design|set|up|baue?n?|"
    r"erstelle?n?|mach|bitte|ich|möchte|brauche|will|je|veux|voudrais|crée[rz]?|fais|quiero|crea|crear|haz|necesito|"
    r"hazme|créame|mir|moi"
)
_EACH = re.compile(
    r"\b(?:each|every)\s+(?!(?:of|one|other|new|day|week|month|year|time)\b)(?P<thing>[\w-]+(?: [\w-]+)??)\s+"
    r"(?:has|have|needs?|should|must|gets?|comes|is described|consists|with|(?:i|we) (?:want|need|would))\b",
    re.IGNORECASE,
)
_HOW_MANY = re.compile(
    r"\b(?:how many|the (?:total )?number of) (?P<thing>[\w-]+(?: [\w-]+)??)"
    r"(?: (?:there (?:are|is)|i have|we have|are in)\b|$)",
    re.IGNORECASE,
)
_CHATTER = r"hello|hi|hey|thanks|thank you|ok|okay|yes|no|test"
_WORD = r"[^\W_][\w'’&/+.-]*|[\ue000-\uf8ff]"
# One word that is itself the kind of app: guestbook, waitlist, Gästeliste.
_ONE_WORD = r"\w{3,}(?:list|book|log|sheet|board|liste|buch|verwaltung|verzeichnis|planer|kartei)"


@dataclass(frozen=True, slots=True)
class Thing:
    """What is recorded, in the person's words, and the title that goes with it."""

    one: str
    many: str
    title: str


def entry(code: str) -> Thing:
    """The thing of an app that says nothing of its own: entries."""
    return Thing(*_ENTRY[code], title="")


@cache
def _patterns(
    code: str,
) -> tuple[tuple[re.Pattern[str], Callable[[re.Match[str], Prepared, Language], Thing | None]], ...]:
    language = LANGUAGES[code]
    own = rf"(?!(?:{language.stop})(?![\w-]))(?:{_WORD})"
    phrase = rf"(?P<thing>(?:{own}(?:\s+|$|(?=[,:;.(]))){{1,4}})"
    before = rf"(?:(?:{language.article}|new|all|different|various|neue[nr]?|[\w-]+'s)\s+){{0,4}}"
    free = rf"(?:(?!(?:{language.stop}|{language.article})(?![\w-]))(?:{_WORD})\s+){{0,3}}?"
    compound = (
        rf"(?<!\w)(?P<compound>{free}(?P<thing>(?!(?:{language.stop}|{language.article})(?![\w-]))(?:{_WORD}))[\s-]+"
        rf"(?P<collection>{language.collection}))\b(?!\s+(?:{language.collection})\b(?!\s+(?:{language.of})\b))"
        r"(?:\s+(?:app|tool|page))?"
    )
    ways = (
        (rf"(?<!\w)(?P<thing>{_ONE_WORD})\b", _one_word),
        # "a feedback form for my talk": what the form is for is not what it holds
        (rf"{compound}(?=\s+(?:for|für|pour|para)\s+(?:an?|the|my|our|meine?n?|unsere?n?|mon|ma|mi)\s)", _compound),
        (rf"\b(?P<collection>{language.collection})\s+for\s+(?:my|our|the|an?)\s+{phrase}", _place),
        ((rf"\b(?:{language.collection})\s+(?:app |tool |page |site |form |where i |which |that |to )?"
         rf"(?:{language.of})\s+{before}{phrase}"), _plain),
        (rf"\b(?:{language.keep})\s+{before}{phrase}", _plain),
        ((rf"\b(?:let|allow|enable|help)s?\s+(?:people|everyone|us|me|(?:my|our|the)\s+[\w-]+|[\w-]+s)\s+(?:to\s+)?"
         rf"(?!(?:{language.stop}|know|have|see|leave|give)\b)[a-z]+\s+{before}{phrase}"), _plain),
        (compound, _compound),
        (rf"\b(?:{language.each})\s+(?!(?:day|week|month|year|time|morning|evening|night)\b){before}{phrase}", _plain),
        (rf"\b(?:for|of|about|für|von|pour|de|para|sobre)\s+{before}{phrase}", _about),
        (rf"\b(?:my|our|meine[rn]?|unsere[rn]?|mes|mis|nos|nuestr[ao]s)\s+{phrase}", _about),
    )  # fmt: skip
    return tuple((re.compile(pattern, re.IGNORECASE), read) for pattern, read in ways)


def find_thing(heads: list[str], prepared: Prepared, code: str) -> Thing | None:
    """The thing that the parts of the sentences outside their lists name, or None."""
    language = LANGUAGES[code]
    for head in heads:
        for pattern, read in _patterns(code):
            for match in pattern.finditer(head):
                if thing := read(match, prepared, language):
                    return _counted(thing, heads, prepared, language)
    return None


def _counted(thing: Thing, heads: list[str], prepared: Prepared, language: Language) -> Thing:
    """What is kept, called as the sentence itself calls one of it: "each book has", "show how many books there are"."""
    if language.code != "en":
        return thing
    for head in heads:
        if match := _EACH.search(head) or _HOW_MANY.search(head):
            words = _tidy(match["thing"], language)
            if words and not re.fullmatch(rf"(?:{_GENERIC}|{_NOTHING}|{language.stop})", words, re.IGNORECASE):
                named = _named(prepared.restore(words), language)
                return Thing(named.one, named.many, thing.title)
    return thing


def leftover(heads: list[str], prepared: Prepared, code: str) -> Thing | None:
    """No pattern fits: what the first sentence says once the asking is gone, such as `Recipes`; None for small talk."""
    language = LANGUAGES[code]
    for head in heads:
        pair = re.fullmatch(rf"(?:(?:{language.article}) )?([\w-]+ (?:{language.and_}) [\w-]+)", head, re.IGNORECASE)
        if pair:  # "lost and found"
            return Thing(*_ENTRY[code], title=sentence_case(prepared.restore(pair[1])))
        words = _tidy(re.split(rf"\b(?:{language.stop})\b", head + " ", maxsplit=1, flags=re.IGNORECASE)[0], language)
        words = words if re.search(r"\w", words) else _tidy(head, language)
        said = prepared.restore(words).strip()
        if not re.search(r"[^\W\d_]{2,}", said) or re.fullmatch(
            rf"(?:{_NOTHING}|{language.article}|{_CHATTER}|app|application|tool|website|site)", said, re.IGNORECASE
        ):
            continue
        short = " ".join(said.split()[:5])
        generic = re.fullmatch(rf"(?:{_GENERIC})", short, re.IGNORECASE)
        if code == "en" and is_plural(short.split()[-1]) and not generic:
            return _named(short, language)
        return Thing(*_ENTRY[code], title=sentence_case(short[:60]))
    return None


def _plain(match: re.Match[str], prepared: Prepared, language: Language) -> Thing | None:
    words = _tidy(match["thing"], language)
    empty = rf"(?:{_GENERIC}|{language.each}|{language.stop}|{_NOTHING})"
    if not words or re.fullmatch(empty, words, re.IGNORECASE):
        return None
    if re.fullmatch(r"library|collection|inventory|archive|catalog(?:ue)?|directory|register", words, re.IGNORECASE):
        return Thing(*_ENTRY[language.code], title=sentence_case(words))
    named = _named(prepared.restore(words), language)
    mine = re.search(r"\b(?:my|our)\s+$", match.string[: match.start("thing")], re.IGNORECASE)
    if mine and language.code == "en" and not is_plural(words.split()[-1]):  # "track my sleep"
        return Thing(named.one, named.many, sentence_case(prepared.restore(words)))
    return named


def _place(match: re.Match[str], prepared: Prepared, language: Language) -> Thing | None:
    """ "an inventory for my wine cellar" holds no cellars."""
    words = _tidy(match["thing"], language)
    empty = rf"(?:{_GENERIC}|{language.stop}|{_NOTHING})"
    if language.code != "en" or not words or re.fullmatch(empty, words, re.IGNORECASE) or is_plural(words.split()[-1]):
        return None
    return Thing(*_ENTRY["en"], title=sentence_case(prepared.restore(f"{words} {match['collection'].lower()}"))[:60])


def _about(match: re.Match[str], prepared: Prepared, language: Language) -> Thing | None:
    """ "a feedback box for our office" is a feedback box; "something for my garden" says no more than the garden."""
    named = _tidy(match.string[: match.start()], language)
    said = named and not re.fullmatch(rf"(?:{_GENERIC}|{_NOTHING}|{_ASKING})", named, re.IGNORECASE)
    place = re.search(r"\bfor\s+(?:my|our|the|an?)\s+$", match.string[: match.start("thing")], re.IGNORECASE)
    one = not is_plural(match["thing"].split()[-1])
    return None if said and place and one and language.code == "en" else _plain(match, prepared, language)


def _one_word(match: re.Match[str], prepared: Prepared, language: Language) -> Thing | None:
    word = prepared.restore(match["thing"])
    if word.lower() in (
        "notebook",
        "facebook",
        "textbook",
        "ebook",
        "keyboard",
        "dashboard",
        "backlog",
        "catalog",
        "dialog",
    ):
        return None
    return Thing(*_ENTRY[language.code], title=sentence_case(word))


def _compound(match: re.Match[str], prepared: Prepared, language: Language) -> Thing | None:
    """ "plant diary" records plants and is called so; "reading list" records items."""
    whole = _tidy(match["compound"], language)
    kept = re.sub(
        r"\s+(?:app|application|tool|website|site|web ?app|program|software)$", "", whole, flags=re.IGNORECASE
    )
    about = prepared.restore(re.sub(rf"[\s-]+(?:{language.collection})$", "", whole, flags=re.IGNORECASE))
    if not about or re.fullmatch(_NOTHING, about, re.IGNORECASE):
        return None
    if re.fullmatch(_GENERIC, about, re.IGNORECASE) and re.fullmatch(_GENERIC, match["collection"], re.IGNORECASE):
        return None  # "a list app" says nothing, "a tool library" does
    thing = _named(about, language)
    counted = rf"\b(?:each|every|per|new|one)\s+{re.escape(about)}\b(?!\s+(?:{language.collection}))"
    if language.code == "en" and about.lower().endswith("ing") and not re.search(counted, prepared.text, re.IGNORECASE):
        thing = Thing(f"{_lower(about)} item", f"{_lower(about)} items", "")
    return Thing(thing.one, thing.many, thing.title if kept != whole else sentence_case(prepared.restore(kept)[:60]))


def _tidy(words: str, language: Language) -> str:
    """Words without the asking in front of them: "please make me a simple …"."""
    words = words.strip(" .,:;()'\"")
    pattern = re.compile(rf"^(?:(?:{language.article}|{_NOTHING}|{_ASKING})\s+)", re.IGNORECASE)
    while (match := pattern.match(words)) and match.end() < len(words):
        words = words[match.end() :]
    return words


def _named(words: str, language: Language) -> Thing:
    words = words[:60]
    if language.code != "en":
        return Thing(words, words, sentence_case(words))
    if words.lower().endswith("ing") and " " not in words:
        return Thing(_lower(words), _lower(words), sentence_case(words))
    one = singular(words)
    if len(words.split()) > 2:  # "meeting room bookings" are bookings
        return Thing(one.split()[-1], plural(one.split()[-1]), sentence_case(plural(one)))
    return Thing(_lower(one), _lower(plural(one)), sentence_case(plural(one)))


def _lower(words: str) -> str:
    """Lower the first letter of an ordinary word; names and acronyms keep theirs."""
    return words[:1].lower() + words[1:] if words[1:2].islower() or len(words) == 1 else words
