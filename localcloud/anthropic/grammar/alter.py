"""An app's spec under change: fields come, go, and turn into others without a value in the database being lost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from localcloud.anthropic.grammar.fields import name_fields
from localcloud.anthropic.grammar.pieces import Found
from localcloud.anthropic.grammar.sentence import Reading
from localcloud.anthropic.names import column_name
from localcloud.anthropic.spec import MAX_FIELDS, AppSpec, Field


@dataclass(slots=True)
class Change:
    """What a follow-up does. `spec` is the app afterwards; equal to the one before when nothing was understood."""

    spec: AppSpec
    added: list[Field] = field(default_factory=list)
    removed: list[Field] = field(default_factory=list)
    converted: list[tuple[Field, Field]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # (what happened, about what)
    unknown: list[str] = field(default_factory=list)
    secret: bool = False
    question: bool = False
    new_app: Reading | None = None


def retire_field(change: Change, item: Field) -> None:
    """Take a field out of the app; its column stays, and another field is required where it was the only one."""
    rest = tuple(other for other in change.spec.fields if other != item)
    if not any(other.required for other in rest) and (
        first := next((other for other in rest if other.type != "boolean"), None)
    ):
        rest = tuple(replace(other, required=True) if other == first else other for other in rest)
    change.spec = replace(change.spec.with_fields(rest), retired=(*change.spec.retired, item))
    change.removed.append(item)


def new_fields(change: Change, found: list[Found]) -> list[Field]:
    """New fields. One that was removed before gets its old column back when the type is the same."""
    taken = tuple(item.name for item in (*change.spec.fields, *change.spec.retired))
    room = max(0, MAX_FIELDS - len(change.spec.fields))
    fields: list[Field] = []
    for item in name_fields(found)[:room]:
        back = next(
            (old for old in change.spec.retired if old.label.lower() == item.label.lower() and old.type == item.type),
            None,
        )
        if back:
            change.spec = replace(change.spec, retired=tuple(old for old in change.spec.retired if old != back))
        name = back.name if back else column_name(item.label, (*taken, *(other.name for other in fields)))
        fields.append(replace(item, name=name))
    return fields


_STORED = {"number": "numeric", "money": "numeric", "date": "date", "time": "time", "boolean": "boolean"}


def retype_field(change: Change, old: Field, item: Found) -> None:
    """Give a field another type: in its column where the database stores both alike, else in a column of its own."""
    kind = item.type or "text"
    new = replace(old, type=kind, options=item.options if kind == "choice" else (), unit="", minimum=None, maximum=None)
    if _STORED.get(kind, "text") != _STORED.get(old.type, "text"):
        taken = tuple(other.name for other in (*change.spec.fields, *change.spec.retired))
        new = replace(new, name=column_name(old.label, taken))
        change.converted.append((old, new))
        change.spec = replace(change.spec, retired=(*change.spec.retired, old))
    swap_field(change, old, new)
    change.notes.append(("retyped", f"{old.label} → {kind}"))


def swap_field(change: Change, old: Field, new: Field) -> None:
    """Put `new` in the place of `old`, also where order, mail and totals point at it."""
    sort = replace(change.spec.sort, field=new.name) if change.spec.sort.field == old.name else change.spec.sort
    mail = (
        replace(change.spec.mail, field=new.name)
        if change.spec.mail and change.spec.mail.field == old.name
        else change.spec.mail
    )
    totals = tuple(new.name if name == old.name else name for name in change.spec.totals)
    spec = replace(change.spec, sort=sort, mail=mail, totals=totals)
    change.spec = spec.with_fields(tuple(new if item == old else item for item in spec.fields))
