"""Every accent the builder knows can be read on what it stands on, in light and dark."""

from __future__ import annotations

import re

import pytest

from localcloud.anthropic.code import ACCENTS
from localcloud.anthropic.grammar.wishes import ACCENTS as NAMED
from tests.builder.conftest import STARTER


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def surface(name: str) -> tuple[str, str]:
    match = re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", (STARTER / "src" / "index.css").read_text())
    assert match
    return match[1], match[2]


def test_every_colour_a_sentence_can_name_is_there() -> None:
    assert set(NAMED) | {""} == set(ACCENTS)


@pytest.mark.parametrize("accent", ACCENTS)
def test_text_in_and_on_the_accent_has_enough_contrast(accent: str) -> None:
    light, dark, filled, soft_light, soft_dark = ACCENTS[accent]
    for paper in ("paper", "sheet"):
        on_light, on_dark = surface(paper)
        assert contrast(light, on_light) >= 4.5
        assert contrast(dark, on_dark) >= 4.5
    assert contrast(light, soft_light) >= 4.5
    assert contrast(dark, soft_dark) >= 4.5
    assert contrast("#ffffff", light) >= 4.5
    assert contrast("#ffffff", filled) >= 4.5
