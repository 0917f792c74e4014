"""What a client may say over the WebSocket, and reading it without trusting it."""

from __future__ import annotations

import json
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sessions_app.clipping import clean
from sessions_app.errors import Refused

MAX_FRAME = 256 * 1024  # bytes; the longest prompt, every character of it escaped as two \uXXXX, fits


class BadFrame(Refused):
    """A frame that is not what it should be."""


class UnknownType(Refused):
    """A frame of a type nobody here knows."""

    code = "unknown_type"


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Begin(_Frame):
    """Sign of intent: have a session ready."""

    type: Literal["begin"]


class Prompt(_Frame):
    """A prompt for the agent."""

    type: Literal["prompt"]
    text: str


class Cancel(_Frame):
    """Stop the turn under way."""

    type: Literal["cancel"]


class Retry(_Frame):
    """Try a failed leg again."""

    type: Literal["retry"]
    provider: Literal["neon", "resend", "github", "posthog", "e2b"]


class Move(_Frame):
    """One step back or forward."""

    type: Literal["undo", "redo"]


class Restore(_Frame):
    """Jump to a version."""

    type: Literal["restore"]
    number: Annotated[int, Field(ge=1, lt=2**31)]


class End(_Frame):
    """End the session and destroy what it owns."""

    type: Literal["end"]


Frame = Begin | Prompt | Cancel | Retry | Move | Restore | End

_MODELS: dict[str, type[Frame]] = {
    "begin": Begin,
    "prompt": Prompt,
    "cancel": Cancel,
    "retry": Retry,
    "undo": Move,
    "redo": Move,
    "restore": Restore,
    "end": End,
}


class Hint:
    """Sentences for frames that cannot be read."""

    BINARY: ClassVar[str] = "Frames are JSON text; this one was binary."
    SIZE: ClassVar[str] = f"A frame holds at most {MAX_FRAME // 1024} kB."
    JSON: ClassVar[str] = 'A frame is a JSON object with a "type".'


def parse(text: str | None) -> Frame:
    """Read one client frame; None stands for a binary one.

    Raises:
        BadFrame: binary, too big, not a JSON object, or with wrong fields.
        UnknownType: an object of a type that does not exist.
    """
    if text is None:
        raise BadFrame(Hint.BINARY)
    if len(text) > MAX_FRAME or len(text.encode("utf-8", "replace")) > MAX_FRAME:
        raise BadFrame(Hint.SIZE)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise BadFrame(Hint.JSON) from None
    kind = content.get("type") if isinstance(content, dict) else None
    if not isinstance(kind, str):
        raise BadFrame(Hint.JSON)
    if (model := _MODELS.get(kind)) is None:
        raise UnknownType(f"There is no frame of type “{clean(kind[:40])}”. Known are: {', '.join(_MODELS)}.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80]
        raise BadFrame(f"“{kind}” cannot be read: {where}: {first['msg']}.") from None
