"""Whatever visitors, vendors, dead processes and time do to a session's resources, in any order, the ledger holds.

`MK0R_LIFE_CYCLES` says how many lives are tried (20 unless told) and makes them longer. A failure prints the steps
and a `@reproduce_failure` line that replays them.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from provisioning import teardown, work
from tests.provisioning.life_audit import witnessed
from tests.provisioning.life_machine import LifeCycle

_ASKED = int(os.environ.get("MK0R_LIFE_CYCLES", "0"))
PROFILE = settings(
    max_examples=_ASKED or 20,
    stateful_step_count=40 if _ASKED else 12,
    deadline=None,
    derandomize=not _ASKED,
    print_blob=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking would live hundreds of lives over again
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.long
@pytest.mark.timeout(0 if _ASKED else 300)
@pytest.mark.usefixtures("without_sandbox", "transactional_db")
def test_every_life_of_a_resource_ends_well(vendor_settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "backoff", lambda tries: 0.01 * tries)
    monkeypatch.setattr(work, "PEEK", 0.1)
    monkeypatch.setattr(teardown, "QUICK_TRIES", 1)
    monkeypatch.setattr(teardown, "BUSY_PATIENCE", 0.4)

    class ThisLife(LifeCycle):
        cloud = vendor_settings

    with witnessed():
        run_state_machine_as_test(ThisLife, settings=PROFILE)
