"""What came of a decision of staff about one thing, in words for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Said(StrEnum):
    """How it went."""

    DONE = "done"
    NOTHING = "nothing"  # there was nothing to do
    LATER = "later"  # it stands, and the sweep or a leg sees it through
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """How it went and why, as the end of a sentence about the thing."""

    said: Said
    words: str

    @classmethod
    def done(cls, words: str) -> Answer:
        """It is done."""
        return cls(Said.DONE, words)

    @classmethod
    def nothing(cls, words: str) -> Answer:
        """There was nothing to do."""
        return cls(Said.NOTHING, words)

    @classmethod
    def later(cls, words: str) -> Answer:
        """It stands and is seen through."""
        return cls(Said.LATER, words)

    @classmethod
    def refused(cls, words: str) -> Answer:
        """It is not done."""
        return cls(Said.REFUSED, words)
