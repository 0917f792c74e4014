"""Words of a person turned into names of a program: columns, tables, singular and plural.

A name that leaves here is `[a-z][a-z0-9_]*`, no keyword of SQL, and none that the app uses itself, whatever came in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection

# Reserved in PostgreSQL (appendix C of its manual), and the columns every table has anyway.
RESERVED = frozenset(
    """all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
    from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
    returning right select session_user similar some symmetric system_user table tablesample then to trailing true
    union unique user using variadic verbose when where window with
    id created_at updated_at constructor prototype""".split()  # noqa: SIM905
)
TAKEN_TABLES = frozenset({"app_migrations", "app_settings", "settings", "status", "pg_catalog", "information_schema"})
LONGEST = 40
_SPELLED = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "&": " and ", "%": " percent "}
)

_IRREGULAR = {
    "people": "person", "children": "child", "men": "man", "women": "woman", "mice": "mouse", "geese": "goose",
    "feet": "foot", "teeth": "tooth", "data": "datum", "criteria": "criterion", "media": "medium", "lives": "life",
    "knives": "knife", "wives": "wife", "leaves": "leaf", "loaves": "loaf", "shelves": "shelf", "halves": "half",
    "movies": "movie", "cookies": "cookie", "series": "series", "species": "species", "news": "news", "sheep": "sheep",
    "heroes": "hero", "potatoes": "potato", "tomatoes": "tomato", "shoes": "shoe", "toes": "toe", "ties": "tie",
    "pies": "pie", "zombies": "zombie", "hobbies": "hobby", "buses": "bus", "viruses": "virus", "gases": "gas",
    "quizzes": "quiz", "photos": "photo", "menus": "menu",
    "houses": "house", "courses": "course", "expenses": "expense",
    "purchases": "purchase", "licenses": "license", "exercises": "exercise", "cases": "case", "nurses": "nurse",
    "horses": "horse", "causes": "cause", "phrases": "phrase", "databases": "database", "caches": "cache",
    "releases": "release", "leases": "lease", "invoices": "invoice", "responses": "response", "noises": "noise",
    "bases": "base", "roses": "rose", "cheeses": "cheese", "sizes": "size", "prizes": "prize", "mazes": "maze",
}  # fmt: skip
_SINGULAR = frozenset(
    ["canvas", "atlas", "alias", "bias", "christmas", "chaos", "cosmos", "thermos", "rhinoceros", "asparagus"]
)
_TO_PLURAL = {one: many for many, one in _IRREGULAR.items()}


def snake(words: str) -> str:
    """`Última visita (kg)` → `ultima_visita_kg`; empty when no Latin letter or digit is left."""
    spelled = (
        re.sub(r"\be-mail", "email", words.lower())
        .translate(_SPELLED)
        .replace("ä", "ae")
        .replace("ö", "oe")
        .replace("ü", "ue")
    )
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    plain = re.sub(r"(?<=[a-z])'(?=[st]\b)", "", plain)
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def column_name(words: str, taken: Collection[str]) -> str:
    """A column name for `words` that is not in `taken`; the column name of a column name is itself."""
    name = snake(words)[:LONGEST].strip("_") or "field"
    if not name[0].isalpha():
        name = f"field_{name}"[:LONGEST].strip("_")
    if name in RESERVED:
        name = f"{name}_value"
    return _unique(name, taken)


def table_name(words: str) -> str:
    """A table name for the plural of what is recorded; the table name of a table name is itself."""
    name = snake(words)[:LONGEST].strip("_") or "entries"
    if not name[0].isalpha():
        name = f"list_{name}"[:LONGEST].strip("_")
    if name.startswith("pg_"):
        name = f"list_{name}"[:LONGEST].strip("_")
    return f"{name}_list" if name in RESERVED or name in TAKEN_TABLES else name


def numbered(name: str, number: int) -> str:
    """`name` with a number at its end, no longer than a name may be."""
    return f"{name[: LONGEST - len(f'_{number}')].rstrip('_')}_{number}"


def _unique(name: str, taken: Collection[str]) -> str:
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = numbered(name, number), number + 1
    return candidate


def singular(words: str) -> str:
    """English singular of the last word: `model trains` → `model train`. A word that is no plural stays."""
    return _last(words, _one)


def plural(words: str) -> str:
    """English plural of the last word: `box` → `boxes`. A plural stays."""
    return _last(words, _many)


def is_plural(word: str) -> bool:
    """Does this English word look like a plural?"""
    return _one(word.lower()) != word.lower()


def _last(words: str, change: Callable[[str], str]) -> str:
    head, _, last = words.rpartition(" ")
    acronym = re.fullmatch(r"([A-Z]{2,})s?", last)
    if acronym:  # RSVP, RSVPs
        changed = acronym[1] + ("s" if change is _many else "")
    else:
        changed = change(last.lower())
        if last[:1].isupper():
            changed = changed[:1].upper() + changed[1:]
    return f"{head} {changed}".strip()


def _one(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _SINGULAR or word.endswith(("ss", "us", "is")) or len(word) < 4 or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if re.search(r"[dlmnprt]uses$", word):  # statuses, bonuses
        return word[:-2]
    if word.endswith(("ches", "shes", "sses", "xes", "zzes")):
        return word[:-2]
    return word[:-1]


def _many(word: str) -> str:
    if word in _TO_PLURAL:
        return _TO_PLURAL[word]
    if word in _IRREGULAR or _one(word) != word:
        return word
    if word.endswith("y") and word[-2:-1] not in ("a", "e", "i", "o", "u", ""):
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word + "s"


def sentence_case(words: str) -> str:
    """First letter upper, the rest as the person wrote it."""
    return words[:1].upper() + words[1:]
