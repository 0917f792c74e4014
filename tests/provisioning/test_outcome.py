"""Every answer a vendor can give has one class, and it is the class of the table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.outcome import Hint, Outcome, Seen, Verb, Wire, classify, retry_after

ANSWERS = range(100, 600)


def expected(seen: Seen) -> Outcome:
    """The table again, written row by row instead of by reasoning."""
    status = seen.status
    if seen.verb is Verb.DELETE:
        done = seen.wire is Wire.REPLIED and (status in range(200, 300) or status in (404, 410))
        return Outcome.GONE if done else Outcome.REMEMBER
    if seen.wire is not Wire.REPLIED:
        return {Wire.UNSENT: Outcome.NOT_SENT, Wire.LOST: Outcome.AMBIGUOUS}[seen.wire]
    if status in range(200, 300):
        return Outcome.DONE if seen.readable else Outcome.AMBIGUOUS
    if status == 503:
        return Outcome.LATER
    if status not in range(400, 500):
        return Outcome.AMBIGUOUS
    by_hint = {Hint.QUOTA: Outcome.REJECTED, Hint.THROTTLED: Outcome.LATER}
    by_status = {
        423: Outcome.LATER,
        429: Outcome.LATER,
        408: Outcome.AMBIGUOUS,
        401: Outcome.CONFIG,
        403: Outcome.CONFIG,
    }
    if seen.hint in by_hint:
        return by_hint[seen.hint]
    if status in by_status:
        return by_status[status]
    if seen.hint is Hint.BAD_KEY:
        return Outcome.CONFIG
    if seen.verb is Verb.READ:
        return Outcome.GONE if status in (404, 410) else Outcome.REJECTED
    return Outcome.EXISTS if seen.hint is Hint.NAME_TAKEN else Outcome.REJECTED


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("hint", Hint)
@pytest.mark.parametrize("readable", [True, False])
def test_every_status_has_the_class_of_the_table(verb: Verb, hint: Hint, readable: bool) -> None:
    for status in ANSWERS:
        seen = Seen(verb, status=status, readable=readable, hint=hint)
        assert classify(seen) is expected(seen), seen


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("wire", [Wire.UNSENT, Wire.LOST])
def test_silence_has_the_class_of_the_table(verb: Verb, wire: Wire) -> None:
    seen = Seen(verb, wire=wire)
    assert classify(seen) is expected(seen)


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
        ("nan", None),
        ("soon", None),
        ("1; 2", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
    ],
)
def test_retry_after_is_read_in_both_forms_and_capped(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, now=NOW) == seconds


@given(st.text(max_size=200))
def test_no_retry_after_header_breaks_the_reader(header: str) -> None:
    value = retry_after(header)
    assert value is None or 0.0 <= value <= 3600.0
