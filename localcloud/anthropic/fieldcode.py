"""What one field of each type becomes: a column, a check, a form input, a place in the list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localcloud.anthropic.quoting import attribute, jsx, single, sql, string
from localcloud.anthropic.spec import AppSpec, Field
from localcloud.anthropic.words import say

# Words for "over and done with". Other yes/no values (paid, attending) say nothing of the kind.
_DONE = re.compile(
    r"(?:is |already )?(?:done|finished|complete|completed|ticked|checked off|erledigt|fertig|abgehakt|"
    r"fait|faite|terminée?|hecho|hecha|terminad[oa])",
    re.IGNORECASE,
)
_COLUMNS = {
    "number": "numeric",
    "money": "numeric(12, 2)",
    "date": "date",
    "time": "time",
    "boolean": "boolean not null default false",
}
_CHECKS = {"longtext": "longText", "boolean": "yesNo"}
_INPUTS = {
    "text": "text",
    "number": "number",
    "money": "number",
    "date": "date",
    "time": "time",
    "email": "email",
    "phone": "tel",
    "url": "url",
}


def column(item: Field) -> str:
    """SQL type of the column."""
    return _COLUMNS.get(item.type, "text")


def stored_as(item: Field) -> str:
    """The column's type as `information_schema` names it."""
    return {
        "number": "numeric",
        "money": "numeric",
        "date": "date",
        "time": "time without time zone",
        "boolean": "boolean",
    }.get(item.type, "text")


def options_sql(item: Field) -> str:
    """The options as SQL literals."""
    return ", ".join(sql(option) for option in item.options)


def schema(item: Field, spec: AppSpec) -> str:
    """The check of one value on the server, an expression of `server/fields.ts`."""
    rules = []
    if item.required and item.type != "boolean":
        rules.append(f"required: {single(say(spec, 'required', item.label))}")
    if invalid := say(spec, "invalid", item.label):
        rules.append(f"invalid: {single(invalid)}")
    if item.type == "number":
        rules += [
            f"{name}: {_plain(limit)}"
            for name, limit in (("min", item.minimum), ("max", item.maximum))
            if limit is not None
        ]
    rule = f"{{ {', '.join(rules)} }}" if rules and item.type != "boolean" else ""
    if item.type == "choice":
        options = f"[{', '.join(single(option) for option in item.options)}]"
        return f"field.choice({options}{', ' + rule if rule else ''})"
    return f"field.{_CHECKS.get(item.type, item.type)}({rule})"


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def stored_type(item: Field) -> str:
    """TypeScript type of the value as the server sends it."""
    kind = {"boolean": "boolean", "number": "number", "money": "number"}.get(item.type, "string")
    return kind if item.type == "boolean" else f"{kind} | null"


def draft_of(item: Field) -> str:
    """The stored value as the form holds it."""
    value = f"entry.{item.name}"
    if item.type == "boolean":
        return value
    if item.type in ("number", "money"):
        return f"{value} === null ? '' : String({value})"
    return f"({value} ?? '').slice(0, 5)" if item.type == "time" else f"{value} ?? ''"


def label(item: Field, spec: AppSpec) -> str:
    """The label with its unit: `Weight (kg)`."""
    unit = item.unit or (spec.currency if item.type == "money" else "")
    return f"{item.label} ({unit})" if unit else item.label


def form_input(item: Field, spec: AppSpec) -> str:
    """The JSX of one form input."""
    name = item.name
    wired = f"label={attribute(label(item, spec))} error={{errors.{name}}}"
    if item.type == "boolean":
        return (
            f"        <Checkbox {wired} checked={{draft.{name}}} onChange={{(event) "
            f"=> set({{ {name}: event.target.checked }})}} />"
        )
    need = " required" if item.required else ""
    bound = f"value={{draft.{name}}} onChange={{(event) => set({{ {name}: event.target.value }})}}"
    if item.type == "choice":
        options = f"[{', '.join(single(option) for option in item.options)}]"
        empty = attribute(say(spec, "choose" if item.required else "none"))
        return f"        <Select {wired}{need} options={{{options}}} empty={empty} {bound} />"
    if item.type == "longtext":
        return f'        <div className="@lg:col-span-2">\n          <TextArea {wired}{need} {bound} />\n        </div>'
    limits = "".join(
        f" {key}={{{_plain(value)}}}"
        for key, value in (("min", item.minimum), ("max", item.maximum))
        if value is not None
    )
    step = {"number": ' step="any" inputMode="decimal"', "money": ' step="0.01" inputMode="decimal"'}.get(item.type, "")
    return f'        <Input {wired} type="{_INPUTS[item.type]}"{need}{step}{limits} {bound} />'


def naming_field(spec: AppSpec) -> Field | None:
    """The field an entry is known by: its first text, else its first address, choice or date."""
    for kinds in (("text",), ("email", "url", "phone", "longtext"), ("choice",), ("date", "time", "number", "money")):
        for item in spec.fields:
            if item.type in kinds:
                return item
    return None


def name_of(spec: AppSpec) -> str:
    """The expression of that name; never empty."""
    item = naming_field(spec)
    fallback = "`#${entry.id}`"
    if item is None:
        return fallback
    value = f"entry.{item.name}"
    return (
        f"{value} === null ? {fallback} : String({value})"
        if item.type in ("number", "money")
        else f"{value} || {fallback}"
    )


def leading_mark(spec: AppSpec) -> Field | None:
    """The yes/no field that says an entry is over and done with: a box to tick in front, which strikes the name out."""
    marks = [item for item in spec.fields if item.type == "boolean" and _DONE.fullmatch(item.label)]
    return marks[0] if len(marks) == 1 else None


def leading_figure(spec: AppSpec) -> Field | None:
    """The sum of money that stands large at the right of each entry."""
    named = naming_field(spec)
    return next((item for item in spec.fields if item.type == "money" and item is not named), None)


def tick_box(item: Field) -> str:
    """The box in front of an entry."""
    return (
        '          <input type="checkbox" className="check mt-1" '
        f"title={attribute(item.label)} aria-label={{`${{nameOf(entry)}}: ${{{string(item.label)}}}`}} "
        f"checked={{entry.{item.name}}} onChange={{(event) => onMark(entry, {{ {item.name}: "
        f"event.target.checked }})}} />\n"
    )


def figure(item: Field, spec: AppSpec) -> str:
    """The sum at the right."""
    return (
        f"              {{entry.{item.name} === null ? null : "
        f"<span className=\"num font-medium\">{{formatMoney(entry.{item.name}, '{spec.currency}')}}</span>}}\n"
    )


def details(items: Sequence[Field], spec: AppSpec) -> str:
    """The line of short values under the name, and long texts below it."""
    short = [item for item in items if item.type != "longtext"]
    long = [item for item in items if item.type == "longtext"]
    text = ""
    if short:
        text += '            <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-[0.875rem] text-ink-3">\n'
        text += "".join(_detail(item, spec) for item in short)
        text += "            </div>\n"
    for item in long:
        text += (
            f"            {{entry.{item.name} ? "
            f'<p className="whitespace-pre-wrap text-ink-2">{{entry.{item.name}}}</p> : null}}\n'
        )
    return text


def _detail(item: Field, spec: AppSpec) -> str:
    value = f"entry.{item.name}"
    if item.type == "boolean":
        return (
            '              <label className="flex items-center gap-1.5"><input type="checkbox" className="check" '
            f"checked={{{value}}} onChange={{(event) => onMark(entry, {{ {item.name}: "
            f"event.target.checked }})}} />{jsx(item.label)}</label>\n"
        )
    if item.type == "choice":
        return f'              {{{value} ? <span className="tag">{{{value}}}</span> : null}}\n'
    link = 'className="text-accent underline-offset-2 hover:underline"'
    shown = {
        "date": f"{{formatDate({value})}}",
        "time": f"{{formatTime({value})}}",
        "money": f"{{formatMoney({value}, '{spec.currency}')}}",
        "number": f"{{formatNumber({value})}}{' ' + jsx(item.unit) if item.unit else ''}",
        "email": f"<a {link} href={{`mailto:${{encodeURIComponent({value})}}`}}>{{{value}}}</a>",
        "phone": f"<a {link} href={{`tel:${{{value}.replace(/[^+\\d]/g, '')}}`}}>{{{value}}}</a>",
        "url": f'<a {link} href={{safeUrl({value})}} target="_blank" rel="noreferrer">{{{value}}}</a>',
    }.get(item.type, f"{{{value}}}")
    present = f"{value} !== null" if item.type in ("number", "money") else value
    return (
        f'              {{{present} ? <span><span className="text-ink-3">{jsx(item.label)}</span> '
        f'<span className="num text-ink-2">{shown}</span></span> : null}}\n'
    )
