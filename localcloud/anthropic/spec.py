"""What an app of the scripted builder is: one small value that code is written from and follow-ups change.

The spec is kept as `app.spec.json` in the app itself, so a follow-up needs nothing but the app's files. A file read
back is somebody's text: `parse` takes only what fits and raises `BadSpec` for the rest.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from localcloud.anthropic.names import column_name, table_name

FieldType = Literal["text", "longtext", "number", "money", "date", "time", "boolean", "choice", "email", "phone", "url"]
Kind = Literal["records", "calculator", "converter", "timer", "stopwatch", "counter"]
Scheme = Literal["auto", "light", "dark"]
FIELD_TYPES: frozenset[str] = frozenset(get_args(FieldType))
KINDS: frozenset[str] = frozenset(get_args(Kind))
LANGUAGES = ("en", "de", "fr", "es")
MAX_FIELDS = 24
SPEC_FILE = "app.spec.json"


class BadSpec(ValueError):
    """The text is not a spec this builder wrote, or no longer one."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing recorded per entry. `name` is the column, `label` the person's own words."""

    name: str
    label: str
    type: FieldType
    required: bool = False
    options: tuple[str, ...] = ()
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Sort:
    """Order of the list: a column (or `created_at`) and whether the greatest comes first."""

    field: str = "created_at"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Mail:
    """Who gets a mail for each new entry: `owner` (an address kept in the app) or `field` (the entry's own address)."""

    to: Literal["owner", "field"]
    field: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class AppSpec:
    """A whole app. `retired` are columns no longer shown but still in the table; `revision` counts migrations."""

    title: str
    kind: Kind = "records"
    language: str = "en"
    one: str = "entry"
    many: str = "entries"
    table: str = "entries"
    fields: tuple[Field, ...] = ()
    sort: Sort = Sort()
    mail: Mail | None = None
    totals: tuple[str, ...] = ()
    search: bool = False
    accent: str = ""
    scheme: Scheme = "auto"
    currency: str = "USD"
    retired: tuple[Field, ...] = ()
    revision: int = 1
    options: dict[str, Any] = field(default_factory=dict)

    def field_named(self, name: str) -> Field | None:
        """The field of that column name."""
        return next((item for item in self.fields if item.name == name), None)

    def with_fields(self, fields: tuple[Field, ...]) -> AppSpec:
        """The same app with other fields, and no sort, total or mail left that points at a field now gone."""
        names = {item.name for item in fields}
        sort = self.sort if self.sort.field in names | {"created_at"} else Sort()
        mail = self.mail if self.mail is None or self.mail.to == "owner" or self.mail.field in names else None
        totals = tuple(name for name in self.totals if name in names)
        return replace(self, fields=fields, sort=sort, mail=mail, totals=totals)


def dump(spec: AppSpec) -> str:
    """JSON text of a spec, ending in a newline."""
    return json.dumps(asdict(spec), indent=2, ensure_ascii=False) + "\n"


def parse(text: str) -> AppSpec:
    """Read what `dump` wrote, or raise `BadSpec`."""
    try:
        data = json.loads(text)
        return _spec(data)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadSpec("app.spec.json does not describe an app of this builder") from error


def _spec(data: dict[str, Any]) -> AppSpec:
    if data["kind"] not in KINDS or data["language"] not in LANGUAGES:
        raise BadSpec("unknown kind or language")
    sort, mail = data["sort"], data["mail"]
    spec = AppSpec(
        title=_words(data["title"], 120),
        kind=data["kind"],
        language=data["language"],
        one=_words(data["one"], 60),
        many=_words(data["many"], 60),
        table=_table(data["table"]),
        fields=_fields(data["fields"]),
        sort=Sort(str(sort["field"]), bool(sort["descending"])),
        mail=Mail(_recipient(mail["to"]), str(mail["field"]), _words(mail["address"], 254)) if mail else None,
        totals=tuple(str(name) for name in data["totals"]),
        search=bool(data["search"]),
        accent=_words(data["accent"], 20),
        scheme=data["scheme"] if data["scheme"] in ("light", "dark") else "auto",
        currency=str(data["currency"])[:3],
        retired=_fields(data["retired"]),
        revision=max(1, min(int(data["revision"]), 9999)),
        options=_options(data["options"]),
    )
    return spec.with_fields(spec.fields)


def _recipient(value: object) -> Literal["owner", "field"]:
    return "field" if value == "field" else "owner"


def _options(value: dict[str, Any]) -> dict[str, Any]:
    return {str(key)[:30]: item for key, item in value.items() if isinstance(item, str | int | float)}


def _words(value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise BadSpec("expected words")
    return value[:limit]


def _table(value: object) -> str:
    name = _words(value, 60)
    if table_name(name) != name:
        raise BadSpec("not a table name")
    return name


def _fields(values: list[dict[str, Any]]) -> tuple[Field, ...]:
    fields: list[Field] = []
    for value in values[:MAX_FIELDS]:
        name = str(value["name"])
        if value["type"] not in FIELD_TYPES or column_name(name, ()) != name or any(f.name == name for f in fields):
            raise BadSpec("not a field")
        fields.append(
            Field(
                name=name,
                label=_words(value["label"], 80),
                type=value["type"],
                required=bool(value["required"]),
                options=tuple(_words(option, 60) for option in value["options"][:30]),
                unit=_words(value["unit"], 20),
                minimum=_number(value["minimum"]),
                maximum=_number(value["maximum"]),
            )
        )
    return tuple(fields)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
