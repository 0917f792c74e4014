"""A sentence becomes the app its own words describe: title, table, columns and their types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.anthropic.grammar.sentence import read_sentence
from localcloud.anthropic.names import RESERVED, plural, singular
from localcloud.anthropic.spec import AppSpec, dump, parse

# Invented words: nothing here can be in a list of known nouns.
_HEADS = ("bl", "cr", "dr", "fl", "gr", "kr", "pl", "sn", "tr", "v", "w", "z", "qu", "m", "n")
_MIDDLES = ("ab", "ig", "ob", "ump", "orf", "ent", "amp", "olt", "ind", "ung")
_TAILS = ("le", "et", "on", "er", "y", "op", "ick", "ot", "ar", "um")
invented = st.builds(
    lambda a, b, c: a + b + c, st.sampled_from(_HEADS), st.sampled_from(_MIDDLES), st.sampled_from(_TAILS)
)
KINDS = ("text", "number", "date", "boolean", "choice", "email")


@dataclass(frozen=True)
class Wanted:
    """One field as the sentence means it."""

    label: str
    kind: str
    options: tuple[str, ...] = ()


@st.composite
def wishes(draw: st.DrawFn) -> tuple[str, list[Wanted]]:
    """A noun, and one to six fields with different labels."""
    words = draw(st.lists(invented, min_size=10, max_size=10, unique=True))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    options = tuple(words[7:10])
    fields = [Wanted(words[1 + index], kind, options if kind == "choice" else ()) for index, kind in enumerate(kinds)]
    return words[0], fields


_TYPE_NAMES = {"text": "text", "number": "number", "date": "date", "boolean": "yes/no", "email": "e-mail"}


def _in_parentheses(field: Wanted) -> str:
    return f"{field.label} ({', '.join(field.options) or _TYPE_NAMES[field.kind]})"


def _as_a(field: Wanted) -> str:
    if field.options:
        return f"{field.label} as one of {field.options[0]}, {field.options[1]} or {field.options[2]}"
    return f"{field.label} as {'an' if field.kind == 'email' else 'a'} {_TYPE_NAMES[field.kind]}"


def _colon(field: Wanted) -> str:
    return f"{field.label}: {'/'.join(field.options) or _TYPE_NAMES[field.kind]}"


def _called(field: Wanted) -> str:
    if field.options:
        return f"a choice field called {field.label} ({'/'.join(field.options)})"
    return f"{'an' if field.kind == 'email' else 'a'} {_TYPE_NAMES[field.kind]} field called {field.label}"


def _dash(field: Wanted) -> str:
    return f"{field.label} - {'choice of ' + ', '.join(field.options) if field.options else _TYPE_NAMES[field.kind]}"


def _listed(parts: list[str], joiner: str = ", ") -> str:
    return parts[0] if len(parts) == 1 else f"{joiner.join(parts[:-1])}{joiner.strip()} and {parts[-1]}"


PHRASINGS: dict[str, Callable[[str, list[Wanted]], str]] = {
    "tracker": lambda noun, fields: (
        f"Build a tracker for my {plural(noun)} with {_listed([_in_parentheses(f) for f in fields])}."
    ),
    "each has": lambda noun, fields: (
        f"I want to keep a list of {plural(noun)}. Each {noun} has {_listed([_as_a(f) for f in fields])}"
    ),
    "fields": lambda noun, fields: f"An app to record {plural(noun)}. Fields: {'; '.join(_colon(f) for f in fields)}",
    "called": lambda noun, fields: (
        f"please make an app for managing {plural(noun)} that have {_listed([_called(f) for f in fields])}"
    ),
    "lines": lambda noun, fields: f"Track {plural(noun)}:\n" + "\n".join(f"- {_dash(f)}" for f in fields),
    "database": lambda noun, fields: (
        f"Database of {plural(noun)} with columns {_listed([_in_parentheses(f) for f in fields])}"
    ),
    "for each": lambda noun, fields: (
        f"I'd like to log my {plural(noun)}. "
        f"For each {noun} I want to note {_listed([_in_parentheses(f) for f in fields])}."
    ),
}


def read(prompt: str) -> AppSpec:
    reading = read_sentence(prompt)
    assert reading.spec is not None, prompt
    return reading.spec


@pytest.mark.parametrize("phrasing", PHRASINGS)
@given(wish=wishes())
@settings(max_examples=60, deadline=None)
def test_title_columns_and_types_are_those_of_the_sentence(phrasing: str, wish: tuple[str, list[Wanted]]) -> None:
    noun, fields = wish
    prompt = PHRASINGS[phrasing](noun, fields)
    spec = read(prompt)
    assert spec.title.lower() == plural(noun), prompt
    assert spec.table == plural(noun), prompt
    assert [(item.name, item.type, item.options) for item in spec.fields] == [
        (wanted.label, wanted.kind, wanted.options) for wanted in fields
    ], prompt


ORDINARY = (
    "Let me add, edit and delete {many}.",
    "I can search.",
    "Neighbours can add {many} and mark them as lent.",
    "Everyone should be able to browse, filter and sort the {many}.",
    "It should be possible to change or remove a {one}.",
)


@pytest.mark.parametrize("asked", ORDINARY)
@given(wish=wishes())
@settings(max_examples=15, deadline=None)
def test_asking_for_what_every_list_can_do_adds_no_field(asked: str, wish: tuple[str, list[Wanted]]) -> None:
    noun, fields = wish
    prompt = PHRASINGS["database"](noun, fields) + ". " + asked.format(one=noun, many=plural(noun))
    spec = read(prompt)
    assert [item.name for item in spec.fields] == [wanted.label for wanted in fields], prompt
    assert spec.title.lower() == plural(noun), prompt


FEATURES = (
    "live {word}s",
    "warnings when a {word} is late",
    "a login page",
    "charts of the {word}s",
    "a button to print it",
)


@pytest.mark.parametrize("feature", FEATURES)
@given(wish=wishes())
@settings(max_examples=15, deadline=None)
def test_a_wish_for_behaviour_is_no_field_and_is_not_forgotten(feature: str, wish: tuple[str, list[Wanted]]) -> None:
    noun, fields = wish
    asked = feature.format(word=noun)
    prompt = f"A list of {plural(noun)} with {', '.join(_in_parentheses(field) for field in fields)} and {asked}"
    reading = read_sentence(prompt)
    assert reading.spec is not None
    assert [item.name for item in reading.spec.fields] == [wanted.label for wanted in fields], prompt
    assert reading.beyond == (asked,)


@given(noun=invented, verb=st.sampled_from(["mended", "booked", "took", "bought"]))
@settings(max_examples=20, deadline=None)
def test_a_question_is_a_field_named_by_its_answer(noun: str, verb: str) -> None:
    spec = read(
        f"A log with title, who {verb} it, when it was planted, how many {plural(noun)} we need and {noun} or not"
    )
    by = "taken" if verb == "took" else verb
    assert [(item.name, item.type) for item in spec.fields] == [
        ("title", "text"),
        (f"{by}_by", "text"),
        ("planted_on", "date"),
        (f"{plural(noun)}_we_need", "number"),
        (noun, "boolean"),
    ]


@given(words=st.lists(invented, min_size=2, max_size=2, unique=True))
@settings(max_examples=20, deadline=None)
def test_the_word_after_each_is_what_one_entry_is_called(words: list[str]) -> None:
    place, thing = words
    spec = read(f"A {thing} library for our {place}. Every {thing} has a name and a colour.")
    assert (spec.title, spec.one, spec.table) == (f"{thing.capitalize()} library", thing, plural(thing))


@given(wish=wishes())
@settings(max_examples=30, deadline=None)
def test_a_spec_survives_being_written_and_read(wish: tuple[str, list[Wanted]]) -> None:
    spec = read(PHRASINGS["tracker"](*wish))
    assert parse(dump(spec)) == spec


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("purchase date", "date"),
        ("date of birth", "date"),
        ("due date", "date"),
        ("bought on", "date"),
        ("date bought", "date"),
        ("a date it came in", "date"),
        ("the date I finished it", "date"),
        ("day of the week", "text"),
        ("how much it cost", "money"),
        ("returned", "boolean"),
        ("due back", "date"),
        ("last read", "date"),
        ("bottles left", "number"),
        ("hours slept", "number"),
        ("amount in ml", "number"),
        ("apartment number", "text"),
        ("start time", "time"),
        ("contact e-mail", "email"),
        ("phone number", "phone"),
        ("number of guests", "number"),
        ("weight in kg", "number"),
        ("price", "money"),
        ("cost in €", "money"),
        ("notes", "longtext"),
        ("website", "url"),
        ("payment method", "text"),
        ("invoice number", "text"),
        ("whether it was paid", "boolean"),
        ("a rating from 1 to 5", "number"),
        ("is it broken?", "boolean"),
    ],
)
def test_a_field_without_a_type_gets_the_one_its_words_suggest(label: str, kind: str) -> None:
    spec = read(f"A list of quokkas with name, {label}, colour")
    assert spec.fields[1].type == kind


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("a status of new, used or old", ("new", "used", "old")),
        ("status (new, used or old)", ("new", "used", "old")),
        ("status new/used/old", ("new", "used", "old")),
        ("a status which is one of new, used and old", ("new", "used", "old")),
        ("a status that can be new, used, or old", ("new", "used", "old")),
        ("status either new or old", ("new", "old")),
        ("a choice field called status with options new, used, old", ("new", "used", "old")),
        ("status ('a, b', \"c and d\")", ("a, b", "c and d")),
    ],
)
def test_a_choice_keeps_its_options_together(words: str, options: tuple[str, ...]) -> None:
    spec = read(f"A list of wugs with name; {words}; and a colour")
    assert [(item.name, item.options) for item in spec.fields] == [("name", ()), ("status", options), ("colour", ())]


@pytest.mark.parametrize(
    ("sentence", "title"),
    [
        ("A plant diary", "Plant diary"),
        ("Build an app called Green Thumb to track plants", "Green Thumb"),
        ('a list of plants named "Leaf & Stem" with name', "Leaf & Stem"),
        ("inventory of tools with name", "Tools"),
        ("CRM for leads storing company and stage", "Leads"),
        ("Track the title and author of each book", "Books"),
    ],
)
def test_the_title_is_in_the_persons_words(sentence: str, title: str) -> None:
    assert read(sentence).title == title


def test_a_wish_for_mail_is_no_field() -> None:
    spec = read("A guestbook where people leave name and message. E-mail me when someone signs.")
    assert [item.name for item in spec.fields] == ["name", "message"]
    assert spec.mail is not None
    assert spec.mail.to == "owner"


@pytest.mark.parametrize("said", ["a mail to the owner when it is due", "an e-mail to the owner"])
def test_of_a_mail_named_among_the_fields_no_article_is_left_over(said: str) -> None:
    spec = read(f"A tool library for our street: who has which tool, since when, and {said}")
    assert spec.mail is not None
    assert [len(field.label) > 2 for field in spec.fields] == [True] * len(spec.fields)


def test_an_address_in_the_sentence_is_where_mail_goes() -> None:
    spec = read("Track orders with customer and amount and notify ada@example.org for each new one")
    assert spec.mail is not None
    assert (spec.mail.to, spec.mail.address) == ("owner", "ada@example.org")
    assert [item.name for item in spec.fields] == ["customer", "amount"]


def test_a_confirmation_goes_to_the_address_in_the_form() -> None:
    spec = read("An RSVP form with name, e-mail and guests; send a confirmation to the guest")
    assert spec.mail is not None
    assert (spec.mail.to, spec.mail.field) == ("field", "email")
    assert spec.field_named("email") is not None


def test_a_confirmation_without_an_address_adds_one_to_the_form() -> None:
    spec = read("A sign-up sheet with name and class. Send a welcome mail to each person")
    assert spec.mail is not None
    assert spec.field_named(spec.mail.field) is not None


def test_order_total_search_and_colours_are_read() -> None:
    spec = read(
        "Expenses with amount in € and date, sorted by date descending, with a "
        "search box. Show the total of the amounts. Make it green, dark mode."
    )
    assert (spec.sort.field, spec.sort.descending) == ("date", True)
    assert spec.totals == ("amount",)
    assert spec.search
    assert (spec.accent, spec.scheme, spec.currency) == ("green", "dark", "EUR")
    assert [item.name for item in spec.fields] == ["amount", "date"]


def test_a_yes_no_at_the_end_of_a_sentence_ends_it() -> None:
    spec = read("A todo list with task and done yes/no. Search. Make it green.")
    assert [(item.name, item.type) for item in spec.fields] == [("task", "text"), ("done", "boolean")]
    assert spec.search
    assert spec.accent == "green"


def test_a_field_may_be_called_like_a_wish() -> None:
    spec = read("Lamps with name, light (yes/no), search term, colour (red, green or blue), total (number)")
    assert [item.name for item in spec.fields] == ["name", "light", "search_term", "colour", "total"]


@given(label=st.sampled_from(sorted(RESERVED)))
@settings(max_examples=40, deadline=None)
def test_no_column_is_a_keyword(label: str) -> None:
    spec = read(f"A list of wugs with colour; '{label}' (text)")
    assert all(item.name not in RESERVED for item in spec.fields)


def test_labels_that_spell_the_same_get_columns_of_their_own() -> None:
    spec = read("A list of wugs with 'über' (text); 'ueber' (text); 'Ueber!' (text)")
    assert len({item.name for item in spec.fields}) == 3


@given(st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_text_at_all_is_read_without_failing(prompt: str) -> None:
    reading = read_sentence(prompt)
    if reading.spec is not None:
        assert parse(dump(reading.spec)) == reading.spec


@pytest.mark.parametrize(
    "word", ["and ", "a list of and ", "send a ", "the ", "(", ", ", "one of ", "make it ", "or ", "und "]
)
def test_a_huge_prompt_is_read_quickly(word: str) -> None:
    read_sentence(word * (100_000 // len(word)))  # the run's own timeout would stop what does not end


def test_singular_and_plural_meet() -> None:
    for one, many in [
        ("box", "boxes"),
        ("city", "cities"),
        ("person", "people"),
        ("gizmo", "gizmos"),
        ("class", "classes"),
        ("status", "statuses"),
    ]:
        assert plural(one) == many
        assert singular(many) == one
    assert (plural("RSVP"), singular("RSVPs")) == ("RSVPs", "RSVP")
