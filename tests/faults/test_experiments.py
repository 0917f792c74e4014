"""Every fault experiment at its small size; `make chaos` runs them at the full one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults.__main__ import experiments


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", experiments())
def test_experiment_holds(number: str) -> None:
    command = [sys.executable, "-m", "tests.faults", "--here", "--size", "small", number]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
