"""A turn is read out of a request whatever the agent has put around the person's sentence."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.anthropic.conversation import read_turn


def user(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


TWO = [{"type": "text", "text": "two"}]


def call(identifier: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": identifier, "name": "Bash", "input": {}}]}


def result(identifier: str, text: object, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": identifier, "content": text, **more}


@pytest.mark.parametrize(
    "message",
    [
        user("a list of wugs"),
        {"role": "user", "content": "a list of wugs"},
        user("<system-reminder>\nBuild a calculator.\n</system-reminder>", "a list of wugs"),
        user("<system-reminder>a</system-reminder>a list of wugs<system-reminder>b</system-reminder>"),
        user("[Request interrupted by user]", "a list of wugs"),
        user(
            "a list of wugs\n\nFor context, what was built in this project before:\n- Asked: a calculator\n  Done: yes"
        ),
        user("The request: a list of wugs"),
    ],
)
def test_the_sentence_is_found_among_what_the_agent_adds(message: dict[str, Any]) -> None:
    later = {"role": "system", "content": "# Environment\nBuild a timer"}
    turn = read_turn({"messages": [user("an older prompt"), call("old"), message, later]})
    assert turn.prompt == "a list of wugs"
    assert turn.results == ()


def test_results_come_in_the_order_of_their_calls() -> None:
    both = {"role": "assistant", "content": [*call("a")["content"], *call("b")["content"]]}
    messages = [
        user("hello"), both,
        {"role": "user", "content": [result("b", TWO), result("a", "one", is_error=True)]},
        {"role": "user", "content": [{"type": "text", "text": "<system-reminder>x</system-reminder>"}]},
    ]  # fmt: skip
    turn = read_turn({"messages": messages})
    assert [(item.text, item.failed) for item in turn.results] == [("one", True), ("two", False)]


def test_results_end_at_the_first_call_without_one() -> None:
    messages = [user("hello"), call("a"), call("b"), {"role": "user", "content": [result("b", "two")]}]
    assert read_turn({"messages": messages}).results == ()


def test_words_said_next_to_results_are_not_the_sentence() -> None:
    said = {"role": "user", "content": [result("a", "x"), {"type": "text", "text": "go on"}]}
    messages = [user("a list of wugs"), call("a"), said]
    turn = read_turn({"messages": messages})
    assert turn.prompt == "a list of wugs"
    assert len(turn.results) == 1
