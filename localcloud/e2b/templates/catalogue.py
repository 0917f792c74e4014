"""The templates and snapshots of this installation. They survive a restart; a build that was under way does not."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from localcloud.e2b.image import Image, UnknownTemplateError
from localcloud.e2b.names import DEFAULT_TAG, Name
from localcloud.e2b.runtime import Base
from localcloud.e2b.sandbox import ALPHABET
from localcloud.e2b.templates.pool import Pool
from localcloud.e2b.templates.records import (
    FAILED,
    READY,
    UNFINISHED,
    WAITING,
    Build,
    Template,
    base_of,
    image_of,
    written,
)
from localcloud.store import Store, now

VENDOR, KIND = "e2b", "template"
INTERRUPTED = "localcloud was stopped while this build was under way; build it again"


class Catalogue:
    """Reads and writes rows of the store, one for each template. `home` is where localcloud keeps everything.

    Whoever starts from layers adds to `users` what tells which of them it needs.
    """

    def __init__(self, store: Store, home: Path) -> None:
        self._store = store
        self._home = home
        self.pool = Pool(home / "layers")
        self.users: list[Callable[[], Iterable[Base]]] = []

    async def open(self) -> None:
        """Settle what an earlier localcloud left half-way."""
        for template in self.all():
            for build in template.builds.values():
                if build.status in UNFINISHED:
                    build.status, build.reason = FAILED, {"message": INTERRUPTED}
            self.save(template)
        await self.collect()

    async def collect(self) -> None:
        """Remove the layers that neither a tag nor any of the `users` needs."""
        await self.pool.collect(self._needed)

    def _needed(self) -> Iterator[Base]:
        for template in self.all():
            ready = (template.ready(tag) for tag in template.tags)
            yield from (base_of(build, self._home) for build in ready if build is not None)
        for user in self.users:
            yield from user()

    def all(self) -> list[Template]:
        """Every template and snapshot, oldest first."""
        return [Template.of_data(row.data) for row in self._store.all(VENDOR, KIND)]

    def save(self, template: Template) -> None:
        """Write a template down."""
        self._store.update(VENDOR, KIND, template.id, **template.as_data())

    def find(self, alias: str) -> Template | None:
        """The template of this id or alias."""
        row = self._store.get(VENDOR, KIND, alias) or next(iter(self._store.named(VENDOR, KIND, alias)), None)
        return None if row is None else Template.of_data(row.data)

    def get(self, alias: str) -> Template:
        """The same. Raises `UnknownTemplateError`."""
        found = self.find(alias)
        if found is None:
            raise UnknownTemplateError(f"template '{alias}' not found")
        return found

    def image(self, name: Name) -> Image | None:
        """What a sandbox of this name boots from; None when nothing of that name was ever ready.

        Raises `UnknownTemplateError` for a tag that it does not have.
        """
        template = self.find(name.alias)
        if template is None or not any(build.status == READY for build in template.builds.values()):
            return None
        build = template.ready(name.tag_or_default)
        if build is None:
            raise UnknownTemplateError(f"tag '{name.tag_or_default}' does not exist for template '{name.alias}'")
        return image_of(template, build, self._home)

    def register(self, alias: str | None, tags: list[str], *, source: str | None = None) -> tuple[Template, Build]:
        """A new build that waits, of the template of that alias, which is made when there is none."""
        template = None if alias is None else self.find(alias)
        if template is None:
            template = Template(_new_id(), alias)
            self._store.add(VENDOR, KIND, template.id, alias or template.id, template.as_data())
        build = Build(str(uuid.uuid4()), WAITING, tags or [DEFAULT_TAG], source)
        template.builds[build.id] = build
        self.save(template)
        return template, build

    def finish(self, image: Image, build_id: str) -> bool:
        """A build is ready: `image` is what it made, and its tags point at it. False when it was deleted meanwhile."""
        template = self.find(image.template_id)
        build = None if template is None else template.builds.get(build_id)
        if template is None or build is None:
            return False
        base, start = image.base, image.start
        build.status = READY
        build.app, build.home = written(base.app, self._home), written(base.home, self._home)
        build.start = None if start is None else start.as_json()
        build.cwd, build.environment = image.cwd, image.environment
        self.tag(template, build, build.tags)
        return True

    def mark(self, template_id: str, build_id: str, status: str, reason: dict[str, str] | None = None) -> None:
        """Note how far a build is. One that was deleted meanwhile is left in peace."""
        template = self.find(template_id)
        if template is not None and (build := template.builds.get(build_id)) is not None:
            build.status, build.reason = status, reason
            self.save(template)

    def tag(self, template: Template, build: Build, tags: Iterable[str]) -> None:
        """Let tags point at a build."""
        template.tags.update(dict.fromkeys(tags, (build.id, now())))
        self.save(template)

    def untag(self, template: Template, tags: Iterable[str]) -> None:
        """Take tags away; those that it does not have are as good as taken."""
        for tag in tags:
            template.tags.pop(tag, None)
        self.save(template)

    def delete(self, template: Template) -> None:
        """Forget a template. Its layers go with the next `collect`."""
        self._store.delete(VENDOR, KIND, template.id)


def _new_id() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(20))
