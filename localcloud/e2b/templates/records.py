"""What is remembered of a template: its builds, the tags that point at them, and what a ready build consists of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from localcloud.e2b.image import Image, Start
from localcloud.e2b.runtime import Base
from localcloud.store import now

WAITING, BUILDING, READY, FAILED = "waiting", "building", "ready", "error"
UNFINISHED = (WAITING, BUILDING)


@dataclass
class Build:
    """One build, or one snapshot when it has the sandbox it is of as its `source`.

    `reason` is set when it failed, `app` and `home` (as the store writes paths) when it is ready.
    """

    id: str
    status: str
    tags: list[str]
    source: str | None = None
    created_at: str = field(default_factory=now)
    reason: dict[str, str] | None = None
    app: list[str] = field(default_factory=list)
    home: list[str] = field(default_factory=list)
    start: dict[str, Any] | None = None
    cwd: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Template:
    """One template. A snapshot is a template too, whether or not it was given an alias."""

    id: str
    alias: str | None
    created_at: str = field(default_factory=now)
    builds: dict[str, Build] = field(default_factory=dict)
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)  # tag -> (build, since when)

    def as_data(self) -> dict[str, Any]:
        """For the store."""
        return {"template": asdict(self)}

    @classmethod
    def of_data(cls, stored: dict[str, Any]) -> Template:
        """From the store."""
        data = stored["template"]
        builds = {key: Build(**value) for key, value in data["builds"].items()}
        tags = {tag: (str(build), str(since)) for tag, (build, since) in data["tags"].items()}
        return cls(**{**data, "builds": builds, "tags": tags})

    def ready(self, tag: str) -> Build | None:
        """The ready build that a tag points at."""
        build = self.builds.get(self.tags.get(tag, ("", ""))[0])
        return build if build is not None and build.status == READY else None


def written(paths: tuple[Path, ...], home: Path) -> list[str]:
    """Paths as the store keeps them: relative below `home`, so that it may be moved as a whole."""
    return [str(path.relative_to(home)) if path.is_relative_to(home) else str(path) for path in paths]


def base_of(build: Build, home: Path) -> Base:
    """The layers of a ready build."""
    return Base(app=tuple(home / path for path in build.app), home=tuple(home / path for path in build.home))


def image_of(template: Template, build: Build, home: Path) -> Image:
    """What a sandbox of this build boots from."""
    start = None if build.start is None else Start(**build.start)
    return Image(template.id, template.alias or template.id, base_of(build, home), start, build.cwd, build.environment)
