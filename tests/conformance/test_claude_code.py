"""Claude Code speaks with the stand-in: tools, MCP, interruption, resumption, and everything the vendor can refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.agent import Agent
from tests.conformance.conftest import Exercised
from tests.fixtures.cloud import CloudUnderTest

pytestmark = pytest.mark.client("anthropic", "Claude Code (CLI)")
SERVER = Path(__file__).with_name("mcp_server.py")
ECHO = 'call Bash {{"command": "echo {}", "description": "Say it"}}'


@pytest.fixture
def agent(well: CloudUnderTest, tmp_path: Path) -> Agent:
    (tmp_path / "app").mkdir()
    return Agent(well, tmp_path / "app")


class Talk:
    """A process of the agent that is spoken to line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def say(self, line: dict[str, Any]) -> None:
        """Send a line."""
        self._in.write(json.dumps(line) + "\n")
        self._in.flush()

    def hear(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next line of that kind."""
        for text in self._out:
            line: dict[str, Any] = json.loads(text)
            if until(line):
                return line
        raise AssertionError("the agent ended")


@contextmanager
def talking(agent: Agent, *options: str) -> Iterator[Talk]:
    """Run the agent until the block ends; it has to end well then."""
    with subprocess.Popen(
        agent.command(*options), cwd=agent.directory, env=agent.variables(), text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            yield Talk(process)
        except BaseException:
            process.kill()
            raise
    assert process.returncode == 0


def results(lines: list[dict[str, Any]]) -> list[str]:
    """What tools answered, in order."""
    blocks = [block for line in lines if line["type"] == "user" for block in line["message"]["content"]]
    return [json.dumps(block["content"]) for block in blocks if block.get("type") == "tool_result"]


def test_a_tool_is_called_and_its_result_comes_back(agent: Agent, exercised: Exercised) -> None:
    lines = agent.turn('call Write {"file_path": "%s", "content": "hello"}' % (agent.directory / "greeting.txt"))
    assert (agent.directory / "greeting.txt").read_text() == "hello"
    assert lines[-1]["result"].startswith("Write answered: ")
    assert lines[-1]["usage"]["input_tokens"] > 0
    exercised("messages, streaming")
    failed = agent.turn('call Read {"file_path": "/nowhere/at/all"}')
    assert failed[-1]["result"].startswith("Read failed: ")
    exercised("tool use")


def test_a_tool_of_an_mcp_server_is_offered_called_and_answers(agent: Agent, exercised: Exercised) -> None:
    servers = {"mcpServers": {"sums": {"command": sys.executable, "args": [str(SERVER)]}}}
    options = ("--strict-mcp-config", "--mcp-config", json.dumps(servers))
    lines = agent.turn('call mcp__sums__add {"a": 19, "b": 23}', *options)
    begun = next(line for line in lines if line.get("subtype") == "init")
    assert [(one["name"], one["status"]) for one in begun["mcp_servers"]] == [("sums", "connected")]
    assert "mcp__sums__add" in begun["tools"]
    assert "the sum is 42" in results(lines)[-1]
    assert "the sum is 42" in lines[-1]["result"]
    exercised("MCP")


def test_a_session_is_resumed_with_what_was_said(agent: Agent, exercised: Exercised) -> None:
    first = agent.turn(ECHO.format("one"))
    second = agent.turn(ECHO.format("two"))
    assert first[0]["session_id"] == second[0]["session_id"] == agent.session
    assert ["one" in results(first)[0], "two" in results(second)[0]] == [True, True]
    assert second[-1]["usage"]["input_tokens"] > first[-1]["usage"]["input_tokens"]  # the first turn is told again
    exercised("resume")


def test_an_interrupted_session_goes_on(agent: Agent, exercised: Exercised) -> None:
    agent.cloud.set_faults([{"vendor": "anthropic", "operation": "create_message", "fault": "latency", "seconds": 60}])
    with talking(agent, "--input-format", "stream-json") as talk:
        talk.say({"type": "user", "message": {"role": "user", "content": "A list of wugs with name"}})
        talk.hear(lambda line: line.get("subtype") == "init")
        agent.cloud.await_fault()  # the model is being asked
        talk.say({"type": "control_request", "request_id": "stop", "request": {"subtype": "interrupt"}})
        assert talk.hear(lambda line: line["type"] == "result")["subtype"] == "error_during_execution"
        agent.cloud.clear_faults()
        talk.say({"type": "user", "message": {"role": "user", "content": ECHO.format("on")}})
        assert "on" in talk.hear(lambda line: line["type"] == "result")["result"]
    exercised("interrupt")
    assert "again" in agent.turn(ECHO.format("again"))[-1]["result"]
    exercised("resume after an interrupt")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "authentication_error"), (403, "permission_error"), (429, "rate_limit_error"), (500, "api_error"),
     (529, "overloaded_error")],
)  # fmt: skip
def test_a_refusal_ends_the_turn_and_is_told_as_what_it_is(
    agent: Agent, exercised: Exercised, status: int, kind: str
) -> None:
    agent.cloud.set_faults([{"vendor": "anthropic", "operation": "create_message", "fault": f"status:{status}"}])
    code, lines = agent.run("hello")
    assert code == 1
    assert (lines[-1]["is_error"], lines[-1]["api_error_status"]) == (True, status)
    exercised(f"{status} {kind}")


def test_a_wrong_key_is_the_vendors_401(agent: Agent) -> None:
    agent.environment["ANTHROPIC_AUTH_TOKEN"] = "wrong"
    code, lines = agent.run("hello")
    assert (code, lines[-1]["api_error_status"]) == (1, 401)


def test_a_model_that_does_not_exist_is_the_vendors_404(agent: Agent, exercised: Exercised) -> None:
    code, lines = agent.run("hello", "--model", "gpt-none")
    assert (code, lines[-1]["api_error_status"]) == (1, 404)
    assert "gpt-none" in lines[-1]["result"]
    exercised("404 model")


@pytest.mark.parametrize("status", [429, 529])
def test_what_passes_is_tried_again_after_the_time_that_was_named(
    agent: Agent, exercised: Exercised, status: int
) -> None:
    agent.environment["CLAUDE_CODE_MAX_RETRIES"] = "10"
    fault = {"vendor": "anthropic", "operation": "create_message", "fault": f"status:{status}", "seconds": 1}
    agent.cloud.set_faults([fault])
    with talking(agent, "--input-format", "stream-json") as talk:
        talk.say({"type": "user", "message": {"role": "user", "content": ECHO.format("through")}})
        retry = talk.hear(lambda line: line.get("subtype") == "api_retry")
        agent.cloud.clear_faults()
        assert "through" in talk.hear(lambda line: line["type"] == "result")["result"]
    assert retry["error_status"] == status
    assert 1000 <= retry["retry_delay_ms"] < 5000
    exercised(f"{status} with Retry-After")
