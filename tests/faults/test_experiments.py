"""Every fault experiment at its small size; `make chaos` runs them at the full one.

Those that stand on a house share one here, since starting it costs more than most of them; others get a process each.
"""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.faults.__main__ import experiments
from tests.faults.house import House

_MODULES = {number: importlib.import_module(name) for number, name in experiments().items()}
_ON_A_HOUSE = [number for number, module in _MODULES.items() if hasattr(module, "trial")]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, House]]:
    """A running house and the loop it lives on."""
    house = House(tmp_path_factory.mktemp("house"))
    with asyncio.Runner() as runner:
        try:
            runner.run(house.open())
            yield runner, house
        finally:
            runner.run(house.close())


@pytest.mark.parametrize("number", _ON_A_HOUSE)
def test_experiment_on_a_house_holds(number: str, ground: tuple[asyncio.Runner, House]) -> None:
    runner, house = ground
    module = _MODULES[number]
    runner.run(module.trial(house, module.SMALL))


@pytest.mark.parametrize("number", [number for number in _MODULES if number not in _ON_A_HOUSE])
def test_experiment_holds(number: str) -> None:
    command = [sys.executable, "-m", "tests.faults", "--here", "--size", "small", number]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
