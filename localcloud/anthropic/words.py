"""What generated apps say to the people who use them, in the four languages the builder speaks.

`{one}` and `{many}` are what the app records. Every phrase is plain text; whoever puts it into code escapes it there.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from localcloud.anthropic.names import sentence_case
from localcloud.anthropic.spec import AppSpec

_PHRASES = Path(__file__).parent / "phrases"


@cache
def phrases(kind: str, code: str) -> dict[str, str]:
    """Every phrase of one kind (`app`: inside the app, `turn`: said by the builder) in the language `code`."""
    loaded: dict[str, str] = json.loads((_PHRASES / f"{kind}.{code}.json").read_text(encoding="utf-8"))
    return loaded


def say(spec: AppSpec, key: str, label: str = "") -> str:
    """The phrase `key` in the app's language, filled in."""
    filled = phrases("app", spec.language)[key]
    values = {
        "{one}": spec.one,
        "{many}": spec.many,
        "{Many}": sentence_case(spec.many),
        "{title}": spec.title,
        "{label}": label,
    }
    return "".join(values.get(part, part) for part in _split(filled))


def _split(phrase: str) -> list[str]:
    """Cut a phrase at its placeholders, so that no value is ever searched for another placeholder."""
    parts, rest = [], phrase
    while "{" in rest:
        before, _, after = rest.partition("{")
        name, _, rest = after.partition("}")
        parts += [before, f"{{{name}}}"]
    return [*parts, rest]
