"""A name read at a vendor proves whose it is (I-4), and no text passes for one by accident."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import names
from sessions_app.slugs import slug_for

SLUG = slug_for(uuid.UUID(int=7))


@pytest.mark.parametrize("name", [f"mk0r-{SLUG}", f"mk0r-{SLUG}-1", f"mk0r-{SLUG}-20"])
def test_i4_our_names_are_known_with_and_without_an_attempts_number(name: str) -> None:
    assert names.slug_in(name) == SLUG


@pytest.mark.parametrize(
    "name",
    [
        "", "mk0r-", SLUG, f"mk0r-{SLUG}-", f"mk0r-{SLUG}-0", f"mk0r-{SLUG}-01", f"mk0r-{SLUG}-1-1", f"mk0r-{SLUG}-x",
        f"mk0r-{SLUG}\n", f"mk0r-{SLUG}-1\n", f" mk0r-{SLUG}", f"MK0R-{SLUG}", f"mk0r-{SLUG.upper()}", f"x-mk0r-{SLUG}",
        f"mk0r-{SLUG[:-1]}", f"mk0r-{SLUG}a", f"mk0r-{SLUG}-9999999", f"mk0r-{SLUG}-１",
    ],
)  # fmt: skip
def test_i4_what_only_resembles_a_name_of_ours_is_none(name: str) -> None:
    assert names.slug_in(name) is None


def test_i4_another_installations_names_are_not_ours(settings: Any) -> None:
    settings.SECRET_KEY = "another installation"
    assert names.slug_in(f"mk0r-{SLUG}") is None


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=12))
def test_i4_a_slug_that_somebody_made_up_is_not_ours(slug: str) -> None:
    assert names.slug_in(f"mk0r-{slug}") is None or slug == slug[:8] + names.tag(slug[:8])
