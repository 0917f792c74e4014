"""The log of one build, which can be read from any line on while it grows and is still there after a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from localcloud.store import now

LEVELS = ("debug", "info", "warn", "error")
PAGE = 100
LONGEST_LINE = 4000


class BuildLog:
    """Written by one build, read by whoever asks; in the file each line is a JSON object.

    `step` is `base`, a step's number or `finalize`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self._entries: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def say(self, message: str, *, step: str | None = None, level: str = "info") -> None:
        """Add a line."""
        entry = {"timestamp": now(), "message": message[:LONGEST_LINE], "level": level}
        if step is not None:
            entry["step"] = step
        self._entries.append(entry)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def read(self, offset: int, limit: int, level: str) -> list[dict[str, Any]]:
        """Up to `limit` entries of at least this level, without the first `offset` of them."""
        wanted = LEVELS[LEVELS.index(level) :]
        return [entry for entry in self._entries if entry["level"] in wanted][offset : offset + limit]

    def remove(self) -> None:
        """Take it away."""
        self._path.unlink(missing_ok=True)


class Lines:
    """Turns a command's output, which comes in any pieces, into log lines `[prefix] [stream]: text`."""

    def __init__(self, log: BuildLog, prefix: str, *, step: str, level: str = "info") -> None:
        self._log, self._prefix, self._step, self._level = log, prefix, step, level
        self._rests: dict[str, bytes] = {}

    def hear(self, stream: str, piece: bytes) -> None:
        """More output."""
        *whole, rest = (self._rests.get(stream, b"") + piece).split(b"\n")
        if len(rest) > LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        self._rests[stream] = rest
        for line in whole:
            self._say(stream, line)

    def end(self) -> None:
        """There is no more: a last line may lack its end."""
        for stream, rest in self._rests.items():
            self._say(stream, rest)
        self._rests.clear()

    def _say(self, stream: str, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if text:
            self._log.say(f"[{self._prefix}] [{stream}]: {text}", step=self._step, level=self._level)
