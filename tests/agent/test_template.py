"""The E2B template holds what a local sandbox holds, in the same versions, by the vendor's own builder."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from e2b import AsyncTemplate

from localcloud.e2b import tree
from sandbox import template


def test_the_versions_are_those_of_local_sandboxes() -> None:
    assert template.CLAUDE == tree.CLAUDE
    assert template.PLAYWRIGHT == tree.PLAYWRIGHT


def test_the_definition_copies_the_starter_and_starts_its_server() -> None:
    defined = json.loads(AsyncTemplate.to_json(template.template()))
    steps = [(step["type"], " ".join(step["args"])) for step in defined["steps"]]
    assert any(kind == "COPY" and "/app" in args for kind, args in steps)
    assert any("chromium" in args for _, args in steps)
    assert "npm run dev" in defined["startCmd"]
    assert "5173" in defined["readyCmd"]


def test_no_account_no_build(settings: Any) -> None:
    settings.E2B_API_KEY = ""
    with pytest.raises(CommandError, match="E2B_API_KEY"):
        call_command("build_template")
