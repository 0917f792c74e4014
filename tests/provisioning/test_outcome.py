"""Every answer a vendor can give has one class, and it is the class of the table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.outcome import Hint, Outcome, Seen, Verb, Wire, classify, retry_after

ANSWERS = range(100, 600)


# The table, row by row and from the first that fits: verbs, hints, statuses, what it is then. Written from the promise,
# not from the code, and without its order of questions: each cell of verb, hint and status is spelt out.
C, R, D = Verb.CREATE, Verb.READ, Verb.DELETE
ALL = set(ANSWERS)
GOOD, REFUSED = set(range(200, 300)), set(range(400, 500))
ABSENT, KEY, BUSY = {404, 410}, {401, 403}, {423, 429}
Row = tuple[set[Verb], set[Hint], set[int], Outcome]
ROWS: list[Row] = [
    ({D}, set(Hint), GOOD | ABSENT, Outcome.GONE),
    ({D}, set(Hint), ALL - GOOD - ABSENT, Outcome.REMEMBER),
    ({C, R}, set(Hint), GOOD, Outcome.DONE),
    ({C, R}, set(Hint), {503}, Outcome.LATER),
    ({C, R}, set(Hint), ALL - GOOD - REFUSED - {503}, Outcome.AMBIGUOUS),
    ({C, R}, {Hint.QUOTA}, REFUSED, Outcome.REJECTED),
    ({C, R}, {Hint.THROTTLED}, REFUSED, Outcome.LATER),
    ({C, R}, {Hint.NONE, Hint.NAME_TAKEN, Hint.BAD_KEY}, BUSY, Outcome.LATER),
    ({C, R}, {Hint.NONE, Hint.NAME_TAKEN, Hint.BAD_KEY}, {408}, Outcome.AMBIGUOUS),
    ({C, R}, {Hint.NONE, Hint.NAME_TAKEN, Hint.BAD_KEY}, KEY, Outcome.CONFIG),
    ({C, R}, {Hint.BAD_KEY}, REFUSED - KEY - BUSY - {408}, Outcome.CONFIG),
    ({C}, {Hint.NAME_TAKEN}, REFUSED - KEY - BUSY - {408}, Outcome.EXISTS),
    ({C}, {Hint.NONE}, REFUSED - KEY - BUSY - {408}, Outcome.REJECTED),
    ({R}, {Hint.NONE, Hint.NAME_TAKEN}, ABSENT, Outcome.GONE),
    ({R}, {Hint.NONE, Hint.NAME_TAKEN}, REFUSED - ABSENT - KEY - BUSY - {408}, Outcome.REJECTED),
]
SILENCE = {
    (C, Wire.UNSENT): Outcome.NOT_SENT,
    (R, Wire.UNSENT): Outcome.NOT_SENT,
    (D, Wire.UNSENT): Outcome.REMEMBER,
    (C, Wire.LOST): Outcome.AMBIGUOUS,
    (R, Wire.LOST): Outcome.AMBIGUOUS,
    (D, Wire.LOST): Outcome.REMEMBER,
}


def expected(seen: Seen) -> Outcome:
    """What the table says."""
    if seen.wire is not Wire.REPLIED:
        return SILENCE[seen.verb, seen.wire]
    told = CELLS[seen.verb, seen.hint, seen.status]
    return Outcome.AMBIGUOUS if told is Outcome.DONE and not seen.readable else told


CELLS = {
    (verb, hint, status): outcome
    for verbs, hints, statuses, outcome in ROWS
    for verb in verbs
    for hint in hints
    for status in statuses
}


def test_the_table_has_each_case_once() -> None:
    assert len(CELLS) == len(Verb) * len(Hint) * len(ANSWERS)
    assert len(CELLS) == sum(len(verbs) * len(hints) * len(statuses) for verbs, hints, statuses, _ in ROWS)


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("hint", Hint)
@pytest.mark.parametrize("readable", [True, False])
def test_every_status_has_the_class_of_the_table(verb: Verb, hint: Hint, readable: bool) -> None:
    for status in ANSWERS:
        seen = Seen(verb, status=status, readable=readable, hint=hint)
        assert classify(seen) is expected(seen), seen


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("wire", [Wire.UNSENT, Wire.LOST])
def test_silence_has_the_class_of_the_table_whatever_else_is_said_of_it(verb: Verb, wire: Wire) -> None:
    for status in (0, *ANSWERS):
        for hint in Hint:
            for readable in (True, False):
                seen = Seen(verb, wire=wire, status=status, readable=readable, hint=hint)
                assert classify(seen) is expected(seen), seen


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 999])
@pytest.mark.parametrize("hint", Hint)
def test_i6_a_status_that_is_none_proves_nothing(status: int, hint: Hint) -> None:
    assert classify(Seen(Verb.CREATE, status=status, hint=hint)) is Outcome.AMBIGUOUS
    assert classify(Seen(Verb.DELETE, status=status, hint=hint)) is Outcome.REMEMBER


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_i6_a_success_that_cannot_be_read_is_never_taken_for_a_refusal(status: int) -> None:
    assert classify(Seen(Verb.CREATE, status=status, readable=False)) is Outcome.AMBIGUOUS


@pytest.mark.parametrize("status", [*range(500, 503), *range(504, 600), *range(300, 400), 408])
def test_i6_what_may_have_made_something_is_searched_for_first(status: int) -> None:
    assert classify(Seen(Verb.CREATE, status=status)) is Outcome.AMBIGUOUS


@pytest.mark.parametrize("status", [200, 202, 204, 404, 410])
def test_i8_deleting_what_is_gone_is_done(status: int) -> None:
    assert classify(Seen(Verb.DELETE, status=status, readable=False)) is Outcome.GONE


@pytest.mark.parametrize("status", [301, 400, 401, 403, 409, 423, 429, 500, 503])
def test_i9_any_other_answer_to_a_delete_is_remembered(status: int) -> None:
    assert classify(Seen(Verb.DELETE, status=status)) is Outcome.REMEMBER


NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("1", 1.0),
        (" 30 ", 30.0),
        ("2.5", 2.5),
        ("-5", 0.0),
        ("999999999", 3600.0),
        ("inf", 3600.0),
        ("-inf", 0.0),
        ("1e400", 3600.0),
        ("9" * 400, 3600.0),
        ("nan", None),
        ("-nan", None),
        ("0x10", None),
        ("Sat, 31 Dec 2016 23:59:60 GMT", None),
        ("Wed, 99 Foo 2026 25:61:61 GMT", None),
        ("Mon, 04 May 2026 12:01:30", 90.0),
        ("Mon, 04 May 2026 14:01:30 +0200", 90.0),
        ("Mon, 04 May 99999 12:00:00 GMT", None),
        ("Mon, 04 May 99999999999 12:00:00 GMT", None),
        ("Mon, 04 May 2026 12:00:00 +99999999999999", None),
        ("2026-05-04T12:01:30Z", None),
        ("soon", None),
        ("1; 2", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
    ],
)
def test_retry_after_is_read_in_both_forms_and_capped(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=NOW) == seconds


@given(st.text(max_size=200) | st.floats().map(str) | st.integers().map(str) | st.datetimes().map(format_datetime))
def test_no_retry_after_header_breaks_the_reader(header: str) -> None:
    value = retry_after(header)
    assert value is None or 0.0 <= value <= 3600.0
