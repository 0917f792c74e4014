"""How settings are read: typed, from the environment or from files it names; what is wrong names its variable."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping


class _Values(FileAwareMapping):  # type: ignore[misc] # it comes without types
    """The environment, where `NAME_FILE` stands in for `NAME`. Such a file ends in a line's end; its value does not."""

    def __getitem__(self, name: str) -> str:
        path = self.env.get(f"{name}_FILE")
        try:
            value = str(super().__getitem__(name))
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error
        return value.strip() if path else value


class Environment(environ.FileAwareEnv):  # type: ignore[misc] # it comes without types
    """Reads typed values; one of the wrong type names its variable."""

    ENVIRON = _Values()

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        """As in django-environ."""
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var}: {error}.") from error

    def address(self, name: str, default: str) -> str:
        """Where something is reached over HTTP, without a slash at its end; `default`, perhaps empty, unless set."""
        value = str(self.str(name, default="") or default).rstrip("/")
        try:
            parts = urlsplit(value)
            good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if value and not good:
            raise ImproperlyConfigured(f"{name} must look like https://api.example.com.")
        return value

    def key(self, name: str) -> str:
        """A vendor's key, empty where none is set: it has to travel in a header."""
        value = str(self.str(name, default=""))
        if not (value.isascii() and value.isprintable()):
            raise ImproperlyConfigured(f"{name} holds a character that no key has.")
        return value
