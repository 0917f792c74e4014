"""What a sandbox wrote, kept and started from again, in every way a machine can keep it."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.e2b import runtime
from localcloud.e2b.isolation import layers
from localcloud.e2b.templates.pool import Pool
from tests.fixtures.machines import Machines, run

pytestmark = [
    pytest.mark.isolation,
    pytest.mark.parametrize("machines", ["bwrap", "unshare", "plain"], indirect=True),
]
READ = 'cd "$HOME/.." && cat {app}/src/main.ts {app}/mine 2>/dev/null; ls {app}; cat "$HOME/note"'


def app_of(machine: runtime.Runtime) -> str:
    return "/app" if machine.mode != "plain" else str(machine.directory / "app")


async def test_a_kept_state_is_started_from_and_goes_when_nobody_holds_it(machines: Machines, tmp_path: Path) -> None:
    pool = Pool(tmp_path / "layers")
    first = await machines.make("ifirst")
    app = app_of(first)
    await run(first, f'cd {app} && rm package.json && echo kept > mine && echo note > "$HOME/note"')
    kept = await pool.keep(first.standing(), move=False)
    await run(first, f"echo later > {app}/mine")
    second = await machines.make("isecond", base=kept)
    seen = await run(second, READ.format(app=app_of(second)))
    assert seen.output.split() == ["export", "{}", "kept", "mine", "src", "note"]
    assert (await run(second, f'echo anew > {app_of(second)}/mine; cat "$HOME/note"')).output == "note\n"
    await pool.collect(list)
    assert kept.app[0].is_dir(), "what nobody has claimed yet must stay"
    pool.settled(kept)
    await pool.collect(lambda: [kept])
    assert kept.app[0].is_dir()
    await second.stop()
    await pool.collect(list)
    assert list((tmp_path / "layers").iterdir()) == []


async def test_a_state_that_is_moved_leaves_nothing_behind(machines: Machines, tmp_path: Path) -> None:
    machine = await machines.make("imoved")
    await run(machine, f"echo kept > {app_of(machine)}/mine")
    await machine.stop()
    kept = await Pool(tmp_path / "layers").keep(machine.standing(), move=True)
    assert (kept.app[0] / "mine").read_text() == "kept\n"
    assert not machine.standing().app[0].exists()


async def test_layers_that_are_gone_are_named(machines: Machines, tmp_path: Path) -> None:
    with pytest.raises(runtime.LaunchError, match="lost"):
        await machines.make("ilost", base=runtime.Base(app=(tmp_path / "lost",)))
    if machines.mode == "plain":
        with pytest.raises(layers.LayersError, match="without"):
            layers.copy((tmp_path, tmp_path), tmp_path / "both")
