"""What a client proves is counted: for every vendor and client which operations were exercised and whether they passed.

A module says once whose client it drives: `pytestmark = pytest.mark.client("neon", "neon-api (Python)")`. A test counts
as one operation under its own name unless it tells more exactly through `exercised`. `make conformance` prints the
table.
"""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.node import node, node_environment
from tests.builder.conftest import cluster, starter_tree  # noqa: F401 -- what apps are built from and on
from tests.fixtures.cloud import CloudUnderTest
from tests.fixtures.packages import workshop
from tests.fixtures.sandboxes import apart, e2b_options, make_sandbox, sandbox, settled, shared_id

__all__ = ["apart", "e2b_options", "exercised", "make_sandbox", "run_node", "sandbox", "settled", "shared_id", "well"]

Exercised = Callable[[str], None]
Node = Callable[..., list[str]]
_COUNTED = "conformance"


@pytest.fixture
def well(cloud: CloudUnderTest) -> Iterator[CloudUnderTest]:
    """The running localcloud, with no fault in force before or after."""
    cloud.clear_faults()
    yield cloud
    cloud.clear_faults()


@pytest.fixture
def exercised(record_property: Callable[[str, object], None]) -> Exercised:
    """Call it with the name of an operation once that operation has been seen to work."""
    return lambda operation: record_property(_COUNTED, operation)


@pytest.fixture
def run_node(exercised: Exercised, tmp_path: Path) -> Node:
    """Run a script of `npm/` beside the installed clients: `run_node("resend.mjs", base_url=…, key=…)`.

    What is passed by name arrives in the script as `given`. Every `step` of the script counts as one operation; the
    names of those that passed are returned. The first that failed fails the test, with the script's own words.
    """

    def run(script: str, seconds: float = 120, **given: object) -> list[str]:
        ended = subprocess.run(
            [str(node()), script], cwd=workshop(tmp_path), env={**node_environment(), "GIVEN": json.dumps(given)},
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        steps = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
        for one in steps:
            if one["ok"]:
                exercised(one["operation"])
        failed = [f"{one['operation']}: {one['error']}" for one in steps if not one["ok"]]
        assert not failed, "\n".join(failed)
        assert ended.returncode == 0, f"{script} ended with {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        assert steps, f"{script} did nothing\n{ended.stderr}"
        return [one["operation"] for one in steps]

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Hand the client a test drives on to the process that prints the table, which may be another."""
    report = yield
    if report.when == "setup" and (mark := item.get_closest_marker("client")):  # type: ignore[attr-defined]
        item.user_properties.append(("client", list(mark.args)))
    return report  # type: ignore[return-value]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table: vendor, client, operations exercised, passed."""
    exercised: dict[tuple[str, str], set[str]] = defaultdict(set)
    tests: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            told = dict(report.user_properties)
            if "client" not in told or report.when != "call":
                continue
            client = (told["client"][0], told["client"][1])
            tests[client].append(report.passed)
            named = {str(value) for key, value in report.user_properties if key == _COUNTED}
            exercised[client] |= named or {report.nodeid.rpartition("::")[2]}
    if not tests:
        return
    terminalreporter.section("conformance")
    terminalreporter.write_line(f"{'vendor':<11}{'client':<34}{'operations':>10}{'tests':>8}{'passed':>8}")
    for client in sorted(tests):
        ran = tests[client]
        terminalreporter.write_line(
            f"{client[0]:<11}{client[1]:<34}{len(exercised[client]):>10}{len(ran):>8}{sum(ran):>8}"
        )
