"""Reading the agent's stream: what each line amounts to, and that no line can break the reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.agent.claude import LineCutter
from sessions_app.agent.journal import _settled, drafted
from sessions_app.agent.stream import Parser, Step
from sessions_app.agent.summaries import tool_summary
from sessions_app.redaction import spellings
from tests.agent.conftest import INIT, answer, delta, result, text, tool

SAMPLE = Path(__file__).parent / "claude-stream.sample.jsonl"


def read(*lines: dict[str, Any]) -> tuple[Parser, list[Step]]:
    parser = Parser()
    return parser, [parser.feed(json.dumps(line)) for line in lines]


def events_of(steps: list[Step]) -> list[tuple[str, dict[str, Any]]]:
    return [(draft.type, draft.data) for draft in drafted(steps)]


def test_a_recorded_run_becomes_text_tool_result_and_last_word() -> None:
    parser = Parser()
    lines = SAMPLE.read_text().splitlines()
    steps = [parser.feed(line) for line in lines]
    events = events_of(steps)
    assert [kind for kind, _ in events] == ["agent.text", "agent.tool", "agent.result", "agent.text"]
    assert events[0][1]["text"] == "First the table in Postgres."
    assert events[1][1]["summary"] == "Wrote server/migrations/002_app_settings.sql (4 lines)"
    assert events[2][1]["ok"] is True
    assert parser.result is not None
    assert parser.result.failed is False
    assert parser.result.text.startswith("**School fairs** is ready.")
    assert parser.unknown == 0
    assert [step.uuid for step in steps] == [json.loads(line)["uuid"] for line in lines]


def test_text_that_came_in_pieces_is_not_said_twice() -> None:
    _, steps = read(
        INIT, delta("Hel", uuid="d1"), delta("lo", uuid="d2"), text("Hello", uuid="w1"),
        text(" and more", uuid="w2", message="m9"),
    )  # fmt: skip
    assert events_of(steps) == [("agent.text", {"text": "Hello\n\n and more"})]


def test_the_end_of_a_text_whose_last_pieces_were_lost_is_still_said() -> None:
    _, steps = read(delta("Hel", uuid="d1"), text("Hello", uuid="w1"))
    assert events_of(steps) == [("agent.text", {"text": "Hello"})]


def test_every_named_line_is_named_by_exactly_one_event() -> None:
    lines = [INIT, text("a", uuid="w1"), tool("Bash", {"command": "ls"}, uuid="w2"), answer("x", uuid="w3"),
             {"type": "system", "subtype": "status", "uuid": "w4"}, {"type": "brand_new", "uuid": "w5"},
             *({"type": "system", "uuid": f"s{number}"} for number in range(200)), text("b", uuid="w6")]  # fmt: skip
    parser, steps = read(*lines)
    named = [uuid for draft in drafted(steps) for uuid in draft.uuids]
    assert named == [line["uuid"] for line in lines]
    assert parser.unknown == 1
    assert all(len(draft.uuids) <= 100 for draft in drafted(steps[:150]))


def test_an_error_is_an_error_whatever_its_subtype_says() -> None:
    parser, _ = read(result("API Error: 403", is_error=True, terminal_reason="api_error"))
    assert parser.result is not None
    assert parser.result.failed
    parser, _ = read({"type": "result", "subtype": "error_max_turns", "errors": ["too many"], "uuid": "u"})
    assert parser.result is not None
    assert (parser.result.failed, parser.result.text) == (True, "too many")


def test_a_retry_is_told_and_thinking_is_not() -> None:
    thinking = {
        "type": "assistant",
        "uuid": "t",
        "message": {"id": "m", "content": [{"type": "thinking", "thinking": "hmm"}]},
    }
    _, steps = read(thinking, {"type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 3,
                               "error_status": 529, "uuid": "r"})  # fmt: skip
    [(kind, data)] = events_of(steps)
    assert kind == "notice"
    assert "status 529" in data["text"]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("Edit", {"file_path": "/app/server/app.ts", "old_string": "a\nb\n", "new_string": "a\nc\nd\ne\n"},
         "Edited server/app.ts +3 −1"),
        ("MultiEdit", {"file_path": "/app/x", "edits": [{"old_string": "a", "new_string": "b"}] * 2}, "Edited x +2 −2"),
        ("Write", {"file_path": "/app/src/App.tsx", "content": "1\n2\n"}, "Wrote src/App.tsx (2 lines)"),
        ("Read", {"file_path": "/app/.env"}, "Read .env"),
        ("Bash", {"command": "npm test\nls"}, "Ran npm test ls"),
        ("Bash", {"command": "curl …", "description": "Check the API"}, "Check the API"),
        ("mcp__playwright__browser_navigate", {"url": "http://x/"}, "Browser: navigate http://x/"),
        ("Brand_New", {"q": 5, "about": "tea"}, "Brand_New tea"),
        ("Edit", {"file_path": 7, "edits": "no"}, "Edited +0 −0"),
        ("TodoWrite", {"todos": [1]}, "Planned 1 step"),
    ],
)  # fmt: skip
def test_a_tool_call_reads_as_a_person_would_say_it(name: str, arguments: dict[str, Any], said: str) -> None:
    assert tool_summary(name, arguments, "/app") == said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(
        ["assistant", "user", "system", "result", "stream_event", "text", "tool_use", "tool_result", "init",
         "api_retry"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "message", "content", "event", "delta", "text", "id", "name", "input", "uuid",
                         "subtype",
                         "edits", "file_path", "tool_use_id", "errors", "result", "is_error", "api_message_id"]),
        inner, max_size=6),
    max_leaves=25,
)  # fmt: skip


@given(st.lists(JSON.map(json.dumps) | st.text(max_size=30) | st.just("[" * 5000), max_size=12))
def test_no_line_can_break_the_reading(lines: list[str]) -> None:
    parser = Parser()
    steps = [parser.feed(line) for line in lines]
    for draft in drafted(steps):
        json.dumps(draft.data)


@given(st.text(alphabet="ab\nπ", max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_lines_come_out_whole_however_the_text_is_cut(whole: str, cuts: list[int]) -> None:
    cutter, lines = LineCutter(), []
    at = 0
    for cut in [*sorted(cuts), len(whole)]:
        lines += cutter.feed(whole[at : max(cut, at)])
        at = max(cut, at)
    assert lines == whole.split("\n")[:-1]


SECRETS = ["npg_abcdefgh", "abcnpg_zz1", "xxxxxxxxab"]


@given(st.text(alphabet="npg_abcdefghxz1 ", max_size=80), st.lists(st.integers(1, 6), max_size=30), st.booleans())
def test_a_secret_is_never_cut_in_two(words: str, sizes: list[int], closed: bool) -> None:
    """Whatever pieces a text comes in, and whenever it is written: pieces joined as written hold whole secrets only."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(words[at : at + size])
        at += size
    pieces.append(words[at:])
    known = spellings(SECRETS)
    waiting: list[Step] = []
    written: list[str] = []
    for piece in pieces:
        waiting.append(Step(text=piece))
        count = _settled(waiting, known)
        written.append("".join(step.text for step in waiting[:count]))
        del waiting[:count]
    written.append("".join(step.text for step in waiting))
    assert "".join(written) == words
    for secret in SECRETS:
        assert sum(part.count(secret) for part in written) >= min(words.count(secret), 1)
        for start in range(len(words)):
            if words.startswith(secret, start):
                assert any(secret in part for part in written)
