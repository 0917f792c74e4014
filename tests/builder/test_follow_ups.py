"""A sentence about an app that exists changes that app, and says so when it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.anthropic import planner
from localcloud.anthropic.conversation import ToolResult
from localcloud.anthropic.grammar.followup import Change, read_followup
from localcloud.anthropic.grammar.sentence import Reading, read_sentence
from localcloud.anthropic.plan import Findings
from localcloud.anthropic.spec import SPEC_FILE, AppSpec, BadSpec, dump, parse


@pytest.fixture
def shelf() -> AppSpec:
    spec = read_sentence("A book list with title, author, rating (number) and status (new, used or old)").spec
    assert spec is not None
    return spec


def names(change: Change) -> list[str]:
    return [item.name for item in change.spec.fields]


@pytest.mark.parametrize(
    ("sentence", "name", "kind"),
    [
        ("add a phone number", "phone_number", "phone"),
        ("Please also track the price in €", "price", "money"),
        ("also a due date", "due_date", "date"),
        ("can you add a column for genre (fiction, poetry)?", "genre", "choice"),
        ("each book needs a cover link", "cover_link", "url"),
        ("every entry should have a comment", "comment", "longtext"),
        ("add a yes/no field called lent out", "lent_out", "boolean"),
        ("I'd like to store the publisher too", "publisher", "text"),
        ("füge eine Telefonnummer hinzu", "telefonnummer", "phone"),
        ("ajoute une date d'achat", "date_d_achat", "date"),
    ],
)
def test_a_field_is_added(shelf: AppSpec, sentence: str, name: str, kind: str) -> None:
    change = read_followup(sentence, shelf)
    assert names(change) == ["title", "author", "rating", "status", name]
    assert [item.type for item in change.added] == [kind]


def test_three_wishes_in_one_sentence_all_come_true(shelf: AppSpec) -> None:
    change = read_followup("add a phone number, make it green and call it Visitors", shelf)
    assert names(change)[-1] == "phone_number"
    assert (change.spec.accent, change.spec.title) == ("green", "Visitors")
    assert change.unknown == []


@pytest.mark.parametrize(
    "sentence", ["call it Library", "rename it to Library", "change the app's name to Library", 'call it "Library"']
)
def test_the_app_is_renamed(shelf: AppSpec, sentence: str) -> None:
    change = read_followup(sentence, shelf)
    assert change.spec.title == "Library"
    assert change.spec.table == shelf.table


def test_renaming_a_field_keeps_its_column(shelf: AppSpec) -> None:
    change = read_followup("rename rating to score", shelf)
    assert change.spec.title == shelf.title
    assert [(item.name, item.label) for item in change.spec.fields][2] == ("rating", "Score")


def test_a_removed_field_keeps_its_column_and_gets_it_back(shelf: AppSpec) -> None:
    without = read_followup("remove the rating", shelf).spec
    assert [item.name for item in without.fields] == ["title", "author", "status"]
    assert [item.name for item in without.retired] == ["rating"]
    again = read_followup("add a rating (number)", without).spec
    assert [item.name for item in again.fields] == ["title", "author", "status", "rating"]
    assert again.retired == ()


def test_a_field_of_another_type_gets_a_column_of_its_own(shelf: AppSpec) -> None:
    change = read_followup("make rating a text", shelf)
    assert [(old.name, new.name, new.type) for old, new in change.converted] == [("rating", "rating_2", "text")]
    assert names(change) == ["title", "author", "rating_2", "status"]


def test_options_are_added_and_replaced(shelf: AppSpec) -> None:
    added = read_followup("add 'lost' to the status options", shelf).spec
    assert added.fields[3].options == ("new", "used", "old", "lost")
    replaced = read_followup("status should be one of good, bad or ugly", shelf).spec
    assert replaced.fields[3].options == ("good", "bad", "ugly")


@pytest.mark.parametrize(
    ("sentence", "field", "descending"),
    [
        ("sort by rating, highest first", "rating", True),
        ("sort by title", "title", False),
        ("oldest first", "created_at", False),
        ("alphabetical", "title", False),
    ],
)
def test_the_order_changes(shelf: AppSpec, sentence: str, field: str, descending: bool) -> None:
    sort = read_followup(sentence, shelf).spec.sort
    assert (sort.field, sort.descending) == (field, descending)


def test_mail_is_switched_on_and_off(shelf: AppSpec) -> None:
    on = read_followup("send me a mail when a book is added", shelf).spec
    assert on.mail is not None
    assert on.mail.to == "owner"
    assert read_followup("remove the e-mails", on).spec.mail is None


@pytest.mark.parametrize(
    "sentence",
    [
        (
            "Guests with whether they come to the party in the large green garden on Saturday and whether they come to "
            "the party in the large green garden on Sunday"
        ),
        "A list of PG films with title and year",
        "A list of samples with 2nd measurement of the temperature outside at noon",
    ],
)
def test_an_app_with_long_names_is_known_again(sentence: str) -> None:
    spec = read_sentence(sentence).spec
    assert spec is not None
    assert parse(dump(spec)) == spec
    wider = read_followup("add a comment", spec).spec
    assert parse(dump(wider)) == wider


def test_an_app_that_follows_one_of_the_same_long_name_is_known_again(shelf: AppSpec) -> None:
    old = replace(shelf, table="quarterly_maintenance_appointment_sheets")
    found = Findings(root="/app", files=frozenset({f"server/migrations/0001_{old.table}.sql"}), spec=dump(old))
    plan = planner._new_app(Reading(old), found, old)
    writing = plan.send([ToolResult("unreadable", failed=True)] * len(next(plan).calls))
    [kept] = [call.input["content"] for call in writing.calls if call.input["file_path"].endswith(SPEC_FILE)]
    assert parse(kept).table != old.table


def test_dark_and_light(shelf: AppSpec) -> None:
    dark = read_followup("make it dark", shelf).spec
    assert dark.scheme == "dark"
    assert read_followup("make it light again", dark).spec.scheme == "light"


def test_a_wish_for_behaviour_becomes_no_field_and_is_told(shelf: AppSpec) -> None:
    change = read_followup("add a page count and a login page", shelf)
    assert names(change)[-1] == "page_count"
    assert change.unknown == ["a login page"]
    alone = read_followup("add live charts", shelf)
    assert (alone.spec, alone.notes, alone.unknown) == (shelf, [], ["live charts"])


def test_a_field_is_made_required_and_optional(shelf: AppSpec) -> None:
    required = read_followup("make author required", shelf).spec
    assert required.fields[1].required
    assert not read_followup("make the author optional", required).spec.fields[1].required


@pytest.mark.parametrize("sentence", ["do a barrel roll", "undo that", "delete everything", "asdf qwer", "🦔"])
def test_what_is_not_understood_changes_nothing(shelf: AppSpec, sentence: str) -> None:
    change = read_followup(sentence, shelf)
    assert change.spec == shelf
    assert not change.notes
    assert change.new_app is None


@pytest.mark.parametrize(
    "sentence", ["Build a calculator", "Build a plant tracker with name, height and watered (yes/no)"]
)
def test_an_order_for_another_app_is_one(shelf: AppSpec, sentence: str) -> None:
    assert read_followup(sentence, shelf).new_app is not None


def test_a_wish_for_secrets_is_left_out_and_the_rest_done(shelf: AppSpec) -> None:
    change = read_followup("add notes and print the DATABASE_URL", shelf)
    assert change.secret
    assert names(change)[-1] == "notes"
    assert len(change.added) == 1


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_leads_to_a_spec_that_can_be_kept(prompt: str) -> None:
    base = read_sentence("A book list with title, author, rating (number) and status (new, used or old)").spec
    assert base is not None
    spec = read_followup(prompt, base).spec
    assert parse(dump(spec)) == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"title": 1}',
        "null",
        "[" * 5000,
        '{"title":"x","kind":"rm -rf"}',
        dump(AppSpec("x")).replace('"entries"', '"x; drop table y"'),
    ],
)
def test_a_spec_somebody_else_wrote_is_refused(text: str) -> None:
    with pytest.raises(BadSpec):
        parse(text)
