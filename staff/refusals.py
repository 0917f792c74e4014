"""What the console refuses, in words for the member of staff who asked."""

from __future__ import annotations


class Refused(Exception):
    """An order that is not carried out; its text says what is wrong with it and what to do."""


class NotAllowed(Refused):
    """The one who asks does not have that power."""
