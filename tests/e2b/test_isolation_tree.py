"""The trees that sandboxes share: made once, whole or not at all, and left as they are by those who use them."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from localcloud.e2b import npm, runtime, tree
from localcloud.e2b.isolation import layout
from tests.conftest import missing
from tests.fixtures.cloud import CACHE
from tests.fixtures.machines import run


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MK0R_CACHE", raising=False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A project without dependencies, so that npm needs no registry."""
    made = tmp_path / "source"
    (made / "src").mkdir(parents=True)
    (made / "src" / "main.ts").write_text("export {}\n")
    (made / "package.json").write_text('{"name":"app","version":"1.0.0"}')
    lock = {"name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "app"}}}
    (made / "package-lock.json").write_text(json.dumps(lock))
    (made / ".env").write_text("SECRET=1")
    return made


def ignore(_label: str, _part: float) -> None:
    """Progress nobody looks at."""


async def test_it_is_made_once_and_then_found(tmp_path: Path, source: Path) -> None:
    steps: list[tuple[str, float]] = []
    first = await tree.prepare_app(tmp_path, "plain", lambda label, part: steps.append((label, part)), source)
    assert first.parent == tmp_path / "trees"
    assert (first / "src" / "main.ts").exists()
    assert not (first / ".env").exists()
    assert steps[0][0] == "starter project"
    assert [part for _, part in steps] == sorted(part for _, part in steps)
    assert steps[-1][1] == 1.0
    made = first.stat().st_ctime_ns
    assert await tree.prepare_app(tmp_path, "plain", ignore, source) == first
    assert first.stat().st_ctime_ns == made
    if os.getuid() == 0:
        assert (first / "src" / "main.ts").stat().st_uid == layout.owner()


async def test_what_a_killed_run_left_is_replaced(tmp_path: Path, source: Path) -> None:
    target = tmp_path / "trees" / f"app-{tree.fingerprint(source, 'plain')}"
    half = target.with_name(f"{target.name}.tmp")
    (half / "node_modules" / "half").mkdir(parents=True)
    made = await tree.prepare_app(tmp_path, "plain", ignore, source)
    assert made == target
    assert not (made / "node_modules" / "half").exists()
    assert not half.exists()


async def test_two_at_once_make_one(tmp_path: Path, source: Path) -> None:
    both = await asyncio.gather(*(tree.prepare_app(tmp_path, "plain", ignore, source) for _ in range(2)))
    assert both[0] == both[1]
    assert [path.name for path in (tmp_path / "trees").glob("app-*")] == [both[0].name]


def test_its_name_changes_with_what_is_in_it(source: Path) -> None:
    before = tree.fingerprint(source, "plain")
    (source / "node_modules").mkdir()
    (source / "node_modules" / "x").write_text("x")
    (source / ".env").write_text("SECRET=2")
    assert tree.fingerprint(source, "plain") == before
    assert tree.fingerprint(source, "bwrap") != before
    assert tree.fingerprint(source, "bwrap") == tree.fingerprint(source, "unshare")
    (source / "src" / "main.ts").write_text("export const a = 1\n")
    assert tree.fingerprint(source, "plain") != before


async def test_a_failure_says_what_npm_said_and_leaves_no_tree(tmp_path: Path, source: Path) -> None:
    (source / "package.json").write_text('{"name":"app","version":"1.0.0","dependencies":{"left-pad":"1.3.0"}}')
    with pytest.raises(npm.InstallError, match=r"npm ci failed: .*left-pad"):
        await tree.prepare_app(tmp_path, "plain", ignore, source)
    assert [path for path in (tmp_path / "trees").glob("app-*") if not path.name.endswith(".tmp")] == []


async def test_the_cache_can_be_shared(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MK0R_CACHE", str(tmp_path / "shared"))
    made = await tree.prepare_app(tmp_path / "one", "plain", ignore, source)
    assert made.parent == tmp_path / "shared" / "trees"
    assert tree.agent_root(tmp_path / "two") == tmp_path / "shared" / "trees" / "agent"


@pytest.mark.isolation
@pytest.mark.slow
async def test_vite_takes_the_baked_cache_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real starter project: the first page comes without the cache being made again."""
    monkeypatch.setenv("MK0R_CACHE", str(CACHE))
    mode = await runtime.detect()
    if mode == "plain":
        missing("isolation")
    made = await tree.prepare_app(tmp_path, mode, ignore)
    machine = await runtime.launch(
        sandbox_id="ivite",
        directory=_directory(tmp_path),
        base=runtime.Base(app=(made,)),
        egress=runtime.Egress(),
        env={},
        mode=mode,
    )
    try:
        await run(machine, "cd /app && setsid nohup node --run dev > ~/dev.log 2>&1 < /dev/null & true")
        async with asyncio.timeout(60):
            while not await machine.port_open(5173):
                await asyncio.sleep(0.05)
        page = await run(
            machine, "node -e \"fetch('http://127.0.0.1:5173/src/main.tsx').then(r=>r.text()).then(console.log)\""
        )
        assert ".vite/deps/react" in page.output
        assert not (machine.directory / "layers" / "upper" / "node_modules" / ".vite" / "deps").exists()
    finally:
        await machine.stop()


def _directory(root: Path) -> Path:
    made = root / "ivite"
    made.mkdir()
    return made
