"""What a sandbox boots from, whoever made it: the starter project, a template that was built here, a snapshot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from localcloud.e2b import runtime


class UnknownTemplateError(Exception):
    """There is no such template, or none under that tag; the message is the vendor's."""


@dataclass(frozen=True, slots=True)
class Start:
    """A start command; `again` says whether it is started anew when it ends."""

    command: str
    cwd: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    again: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"command": self.command, "cwd": self.cwd, "environment": self.environment}


@dataclass(frozen=True, slots=True)
class Image:
    """One bootable state of a template. `cwd` is where commands start that do not say.

    `environment` is for builds that start from it only: a sandbox does not see it.
    """

    template_id: str
    alias: str
    base: runtime.Base
    start: Start | None = None
    cwd: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
