"""No known secret leaves in any spelling, whole or in part, by whichever way a session says something (I-15)."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from provisioning import services as provisioning
from sessions_app import events, pages, services, state
from sessions_app.agent.stream import Parser
from sessions_app.models import Session, Version
from sessions_app.redaction import redact, redact_data, spellings
from sessions_app.visitors import Visitor

VALUE = "npg_s3cret+value/of~Ada!42"


def _padded(before: str) -> str:
    """Base64 of a line that holds the value, so that it begins at any of the three places of a group."""
    return base64.b64encode(f"{before}{VALUE}\nNEXT=1\n".encode()).decode()


@pytest.mark.parametrize(
    "written",
    [
        base64.b64encode(VALUE.encode()).decode(),
        base64.urlsafe_b64encode(VALUE.encode()).decode(),
        _padded("K=x"),
        _padded("KE=x"),
        _padded("KEY=x"),
        quote(VALUE, safe=""),
        quote(VALUE, safe="").lower().replace("ada", "Ada"),
        quote(VALUE),
        quote_plus(f"a {VALUE}"),
        json.dumps(VALUE),
        json.dumps(json.dumps(VALUE)),
        VALUE.encode().hex(),
        VALUE.encode().hex().upper(),
    ],
)
def test_no_long_part_of_a_value_survives_however_it_was_written(written: str) -> None:
    left = redact(f"before {written} after", [VALUE])
    assert "•••" in left
    # A group of Base64 at either border also holds bits of its neighbours and may stay.
    core = written.strip('\\"')[6:-6] if len(written) < 45 else written[10:38]
    assert core not in left
    assert VALUE not in left


@pytest.mark.parametrize("break_", ["\n", "\r\n", "\n    "])
def test_no_value_survives_that_a_tool_broke_into_lines(break_: str) -> None:
    lines = f"ONE=first of the file\nPASSWORD={VALUE}\nNEXT=and more that follows after it\n".encode()
    for written in (base64.b64encode(lines).decode(), lines.hex(), f"PASSWORD={VALUE} and more"):
        for width in (11, 60, 64, 76):
            broken = break_.join(written[at : at + width] for at in range(0, len(written), width))
            left = redact(f"before {broken} after\n\nAnd so on", [VALUE])
            assert left.count("•••") == 1
            assert left.startswith("before ")
            assert left.endswith(" after\n\nAnd so on")
            kept = "".join(left.split())
            assert redact(kept, [VALUE]) == kept


def feed(**block: Any) -> list[tuple[str, dict[str, Any]]]:
    kind = "user" if block["type"] == "tool_result" else "assistant"
    return Parser().feed(json.dumps({"type": kind, "message": {"id": "m", "content": [block]}})).events


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at", [8_990, 9_000 - 10, 12_000 - 10, 20_000 - 10])
def test_a_long_output_is_cut_after_its_secrets_are_out(session: Session, at: int) -> None:
    """Wherever in the output it stands: no half of it is left beside a cut."""
    (password,) = provisioning.secret_values(session)
    output = "x" * at + password + "y" * 30_000
    ((kind, data),) = feed(type="tool_result", tool_use_id="t", content=output)
    stored = events.append(session.pk, kind, {"turn": 1, **data}).data["output"]
    assert password[:6] not in stored
    assert password[-6:] not in stored
    assert len(stored) < 13_000


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at", range(130, 162, 4))
def test_a_tools_summary_is_cut_after_its_secrets_are_out(session: Session, at: int) -> None:
    (password,) = provisioning.secret_values(session)
    command = "c" * at + password + " | head"
    ((kind, data),) = feed(type="tool_use", id="t", name="Bash", input={"command": command})
    stored = events.append(session.pk, kind, {"turn": 1, **data}).data
    assert len(stored["summary"]) <= 160
    assert password[:6] not in json.dumps(stored)


@pytest.mark.django_db(transaction=True)
def test_a_prompt_that_holds_a_secret_is_kept_without_it(session: Session) -> None:
    (password,) = provisioning.secret_values(session)
    services.turn_submit(session, "a" * 70 + password + " is my password")
    session.refresh_from_db()
    turn = session.turns.get()
    assert password not in turn.prompt
    for told in (session.title, turn.prompt, str(services.session_state(session)), str(events.after(session.pk, 0))):
        assert password[:6] not in told
    assert password[:6] not in str(pages.apps_of(Visitor(session.visitor_hash)))


@pytest.mark.django_db(transaction=True)
def test_the_list_of_versions_is_redacted_as_the_state_is(session: Session) -> None:
    (password,) = provisioning.secret_values(session)
    Version.objects.create(session=session, number=1, sha="a" * 40, tree="b" * 40, message=f"use {password}")
    assert password not in str(state.versions_state(session))


def test_what_is_nested_without_an_end_is_taken_and_cut() -> None:
    deep: object = [VALUE]
    for _ in range(5000):
        deep = {"a": [deep]}
    seen = json.dumps(redact_data({"near": VALUE, "deep": deep}, spellings([VALUE])))
    assert VALUE not in seen
    assert len(seen) < 2000
