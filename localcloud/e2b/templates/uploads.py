"""The archives that builds copy from: uploaded by the client to an address that the API hands out, kept by their hash.

They are kept until the next start, so that a second build need not upload them again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from localcloud.e2b.removal import remove_tree
from localcloud.e2b.requests import BadRequestError

HASH = re.compile(r"[0-9a-f]{64}")
LARGEST = 2 << 30


class TooLargeError(Exception):
    """The archive is larger than any that is taken."""


class Uploads:
    """The archives below one directory. Addresses are good for as long as this process lives."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._secret = secrets.token_bytes(32)

    def open(self) -> None:
        """Begin with none."""
        remove_tree(self._directory)

    def path(self, files_hash: str) -> Path:
        """Where the archive lies, or would. Raises `BadRequestError`."""
        if not HASH.fullmatch(files_hash):
            raise BadRequestError("Invalid files hash")
        return self._directory / files_hash

    def signature(self, files_hash: str) -> str:
        """What lets somebody upload this one archive."""
        return hmac.new(self._secret, files_hash.encode(), hashlib.sha256).hexdigest()

    def allowed(self, files_hash: str, signature: str) -> bool:
        """Whether the signature is ours."""
        return hmac.compare_digest(self.signature(files_hash).encode(), signature.encode())

    async def receive(self, files_hash: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep an archive, whole or not at all. Raises `BadRequestError`, `TooLargeError`."""
        target = self.path(files_hash)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
        size = 0
        try:
            with fresh.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > LARGEST:
                        raise TooLargeError
                    file.write(chunk)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
