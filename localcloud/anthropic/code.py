"""The files of an app, written from its spec. Same spec, same files: a follow-up knows what it wrote before."""

from __future__ import annotations

from localcloud.anthropic import fieldcode as per_field
from localcloud.anthropic.names import sentence_case
from localcloud.anthropic.quoting import attribute, fill, html_text, jsx, string, template
from localcloud.anthropic.spec import SPEC_FILE, AppSpec, Field, dump
from localcloud.anthropic.toolcode import tool_app, tool_files
from localcloud.anthropic.words import say

# accent: (on light, on dark, fill on dark, soft on light, soft on dark); text on each passes 4.5:1
ACCENTS = {
    "": ("#1f4fd8", "#8fabff", "#4c73ea", "#e9eefc", "#1a2340"),
    "red": ("#b3261e", "#ff9c93", "#c8372e", "#fcebe9", "#331715"),
    "orange": ("#a84300", "#ffab73", "#b85410", "#fdeee3", "#321c0e"),
    "amber": ("#7d5200", "#eab64c", "#8f6206", "#faf1dc", "#2b210d"),
    "green": ("#17693b", "#6fce97", "#1f7d49", "#e4f3ea", "#11281b"),
    "teal": ("#0b6570", "#6cccd6", "#14747f", "#e1f2f4", "#0f272a"),
    "blue": ("#1f4fd8", "#8fabff", "#4c73ea", "#e9eefc", "#1a2340"),
    "indigo": ("#5b3fc4", "#b5a3ff", "#7158d6", "#eeeafc", "#221c40"),
    "pink": ("#a8246b", "#ff9ccb", "#b93a7c", "#fcebf4", "#331525"),
    "brown": ("#74492a", "#d8ab8a", "#855a3a", "#f5ede7", "#2a1d14"),
    "gray": ("#3d474b", "#bac5c9", "#5b676b", "#eceff0", "#22282a"),
}
_SCHEMES = {"auto": "light dark", "light": "light", "dark": "dark"}


def migration_file(spec: AppSpec, number: int, what: str) -> str:
    """Path of the migration with that number."""
    return f"server/migrations/{number:03d}_{what}.sql"


def app_files(spec: AppSpec) -> dict[str, str]:
    """Path → text of every file that depends on the spec, without migrations, `index.html` and the theme."""
    files = {SPEC_FILE: dump(spec)}
    if spec.kind != "records":
        return files | tool_files(spec) | {"src/App.tsx": tool_app(spec)}
    files[f"server/routes/{spec.table}.ts"] = _route(spec)
    if spec.mail:
        files["server/notify.ts"] = _notify(spec)
    if spec.mail and spec.mail.to == "owner":
        files |= _settings(spec)
    files["src/entries.ts"] = _entries(spec)
    files["src/EntryForm.tsx"] = _form(spec)
    files["src/EntryList.tsx"] = _list(spec)
    files["src/App.tsx"] = _app(spec)
    return files


def migration(spec: AppSpec) -> str:
    """SQL that makes the table, whatever was there before."""
    columns = ",\n".join(f"  {item.name} {per_field.column(item)}" for item in spec.fields) + ","
    values = {
        "TABLE": spec.table,
        "COLUMNS": columns,
        "ADDED": _added(spec.table, spec.fields),
        "CHECKS": checks(spec.table, spec.fields),
    }
    return fill("app/migration.sql", values)


def _added(table: str, fields: tuple[Field, ...]) -> str:
    return "".join(
        f"alter table {table} add column if not exists {item.name} {per_field.column(item)};\n" for item in fields
    )


def checks(table: str, fields: tuple[Field, ...]) -> str:
    """SQL that limits each choice to its options, replacing an earlier limit; old rows stay as they are."""
    return "".join(
        f"alter table {table} drop constraint if exists {table}_{item.name}_choice;\n"
        f"alter table {table} add constraint {table}_{item.name}_choice check ({item.name} in ({per_field.options_sql(item)})) not valid;\n"
        for item in fields
        if item.type == "choice"
    )


def add_columns(table: str, fields: tuple[Field, ...]) -> str:
    """SQL that adds columns to a table that exists."""
    return _added(table, fields) + checks(table, fields)


_PATTERNS = {
    "number": r"^-?\d+(\.\d+)?$",
    "money": r"^-?\d+(\.\d+)?$",
    "date": r"^\d{4}-\d{2}-\d{2}$",
    "time": r"^\d{2}:\d{2}",
}
_AS = {"number": "numeric", "money": "numeric", "date": "date", "time": "time"}


def carry_over(table: str, old: Field, new: Field) -> str:
    """SQL that copies what fits from the column of one type to that of another; the old column stays."""
    if new.type == "boolean":
        return f"update {table} set {new.name} = {old.name}::text ~* '^(true|t|yes|y|1|ja|oui|si)$' where {old.name} is not null;\n"
    if new.type not in _AS:
        return f"update {table} set {new.name} = {old.name}::text where {new.name} is null;\n"
    copied = f"{old.name}::text::{_AS[new.type]}"
    return f"update {table} set {new.name} = {copied} where {new.name} is null and {old.name}::text ~ '{_PATTERNS[new.type]}';\n"


def settings_migration() -> str:
    """SQL for the table of settings."""
    return fill("app/settings.sql", {})


def theme(spec: AppSpec) -> str:
    """`src/theme.css`."""
    light, dark, filled, soft_light, soft_dark = ACCENTS.get(spec.accent, ACCENTS[""])
    values = {
        "SCHEME": _SCHEMES[spec.scheme],
        "LIGHT": light,
        "DARK": dark,
        "FILL": filled,
        "SOFT_LIGHT": soft_light,
        "SOFT_DARK": soft_dark,
    }
    return fill("app/theme.css", values)


def page_title(spec: AppSpec) -> str:
    """The `<title>` element of `index.html`."""
    return f"<title>{html_text(spec.title)}</title>"


def _route(spec: AppSpec) -> str:
    marks = [item for item in spec.fields if item.type == "boolean"]
    toggle = (
        fill("app/toggle.ts", {"MARKS": ", ".join(f"{item.name}: z.boolean()" for item in marks), "TABLE": spec.table})
        if marks
        else ""
    )
    way = "desc nulls last" if spec.sort.descending else "asc nulls last"
    return fill("app/route.ts", {
        "TABLE": spec.table,
        "SCHEMA": "\n".join(f"  {item.name}: {per_field.schema(item, spec)}," for item in spec.fields),
        "MISSING": string(say(spec, "missing")),
        "ORDER": f"{spec.sort.field} {way}, id {'desc' if spec.sort.descending else 'asc'}",
        "NOTIFY_IMPORT": "import { notify } from '../notify'\n" if spec.mail else "",
        "CREATED": "{ ...row, mail: await notify(row) }" if spec.mail else "row",
        "TOGGLE": toggle,
    })  # fmt: skip


def _notify(spec: AppSpec) -> str:
    assert spec.mail is not None
    owner = spec.mail.to == "owner"
    return fill("app/notify.ts", {
        "SETTINGS_IMPORT": "import { ownerEmail } from './settings'\n" if owner else "",
        "LINES": "\n".join(f"  ['{item.name}', {string(item.label)}]," for item in spec.fields),
        "RECIPIENT": "await ownerEmail()" if owner else f"typeof row.{spec.mail.field} === 'string' ? row.{spec.mail.field} : ''",
        "NO_ADDRESS": string(say(spec, "no_address")),
        "SUBJECT": string(say(spec, "subject" if owner else "thanks_subject")[:150]),
        "GREETING": string(say(spec, "greeting" if owner else "thanks")),
        "SENT": string(say(spec, "sent")),
    })  # fmt: skip


def _settings(spec: AppSpec) -> dict[str, str]:
    assert spec.mail is not None
    phrases = {
        "MAIL_LABEL": attribute(say(spec, "mail_label")), "SAVE": jsx(say(spec, "save_short")), "CANCEL": jsx(say(spec, "cancel")),
        "MAIL_GOES": jsx(say(spec, "mail_goes")), "MAIL_TEST": string(say(spec, "mail_test")), "MAIL_OFF": string(say(spec, "mail_off")),
        "CHANGE": jsx(say(spec, "change")),
    }  # fmt: skip
    return {
        "server/settings.ts": fill("app/settings.ts", {"ADDRESS": string(spec.mail.address)}),
        "server/routes/settings.ts": fill("app/settings_route.ts", {"NEEDED": string(say(spec, "needed"))}),
        "src/MailSetting.tsx": fill("app/MailSetting.tsx", phrases),
    }


def _entries(spec: AppSpec) -> str:
    marks = any(item.type == "boolean" for item in spec.fields)
    mark = (
        "export const markEntry = (id: number, change: Partial<Draft>) => api<Entry>(`"
        + spec.table
        + "/${id}`, { method: 'PATCH', body: change })\n"
    )
    return fill("app/entries.ts", {
        "TABLE": spec.table,
        "ENTRY_TYPE": "\n".join(f"  {item.name}: {per_field.stored_type(item)}" for item in spec.fields),
        "DRAFT_TYPE": "\n".join(f"  {item.name}: {'boolean' if item.type == 'boolean' else 'string'}" for item in spec.fields),
        "DRAFT_EMPTY": "\n".join(f"  {item.name}: {'false' if item.type == 'boolean' else chr(39) * 2}," for item in spec.fields),
        "DRAFT_OF": "\n".join(f"    {item.name}: {per_field.draft_of(item)}," for item in spec.fields),
        "PAYLOAD": "".join(
            f"    {item.name}: draft.{item.name} === '' ? null : Number(draft.{item.name}),\n"
            for item in spec.fields if item.type in ("number", "money")),
        "SAVED": "export type Saved = Entry & { mail: { sent: boolean; text: string } }\n" if spec.mail else "",
        "ADDED": "Saved" if spec.mail else "Entry",
        "MARK": mark if marks else "",
        "NAME_OF": per_field.name_of(spec),
        "MATCHES": _matches(spec),
    })  # fmt: skip


def _matches(spec: AppSpec) -> str:
    searched = [item for item in spec.fields if item.type != "boolean"]
    values = ", ".join(f"entry.{item.name}" for item in searched)
    return (
        "\n/** Does an entry hold every word that is searched for? */\n"
        "export function matches(entry: Entry, query: string): boolean {\n"
        f"  const text = [{values}].join(' ').toLowerCase()\n"
        "  return query.toLowerCase().split(/\\s+/).every((word) => text.includes(word))\n"
        "}"
    )


def _form(spec: AppSpec) -> str:
    inputs = "\n".join(per_field.form_input(item, spec) for item in spec.fields)
    used = {name for name in ("Checkbox", "Input", "Select", "TextArea") if f"<{name}" in inputs}
    return fill("app/EntryForm.tsx", {
        "UI": ", ".join(sorted({"Button", "Notice", *used})), "INPUTS": inputs, "CANCEL": jsx(say(spec, "cancel")),
    })  # fmt: skip


def _list(spec: AppSpec) -> str:
    name = per_field.naming_field(spec)
    tick = per_field.leading_mark(spec)
    figure = per_field.leading_figure(spec)
    details = [item for item in spec.fields if item not in (name, tick, figure)]
    marks = any(item.type == "boolean" for item in spec.fields)
    body = per_field.details(details, spec)
    shown = body + (per_field.figure(figure, spec) if figure else "")
    formats = [
        name_
        for name_ in ("formatDate", "formatMoney", "formatNumber", "formatTime", "safeUrl")
        if f"{name_}(" in shown
    ]
    struck = f"{{`font-medium ${{entry.{tick.name} ? 'text-ink-3 line-through' : ''}}`}}" if tick else '"font-medium"'
    return fill("app/EntryList.tsx", {
        "FORMAT_IMPORT": f"import {{ {', '.join(formats)} }} from './lib/format'\n" if formats else "",
        "MARK_PROP": "  onMark: (entry: Entry, change: Partial<Entry>) => void\n" if marks else "",
        "MARK_ARG": "onMark, " if marks else "",
        "LEADING": per_field.tick_box(tick) if tick else "",
        "NAME_CLASS": struck,
        "FIGURE": per_field.figure(figure, spec) if figure else "",
        "DETAILS": body,
        "EDIT": jsx(say(spec, "edit")), "DELETE": jsx(say(spec, "delete")),
        "EDIT_OF": template(say(spec, "edit")), "DELETE_OF": template(say(spec, "delete")),
    })  # fmt: skip


def _app(spec: AppSpec) -> str:
    return fill("app/App.tsx", _app_phrases(spec) | _app_parts(spec))


def _app_phrases(spec: AppSpec) -> dict[str, str]:
    attributes = {"NEW_ATTR": "new", "ADD_ATTR": "add", "SAVE_ATTR": "save", "LOADING_ATTR": "loading", "EMPTY_ATTR": "empty", "LIST_ATTR": "list",
                  "EDIT_TITLE_ATTR": "edit_title", "DELETE_TEXT_ATTR": "delete_text", "DELETE_ATTR": "delete", "KEEP_ATTR": "keep"}  # fmt: skip
    texts = {"NEW": "new", "RETRY": "retry", "EMPTY_HINT": "empty_hint"}
    counted = {
        "en": (spec.one, spec.many),
        "de": ("Eintrag", "Einträge"),
        "fr": ("entrée", "entrées"),
        "es": ("entrada", "entradas"),
    }[spec.language]
    return (
        {key: attribute(say(spec, phrase)) for key, phrase in attributes.items()}
        | {key: jsx(say(spec, phrase)) for key, phrase in texts.items()}
        | {
            "TITLE_STRING": string(spec.title),
            "TITLE_ATTR": attribute(spec.title),
            "COUNT_ONE": string(f"1 {counted[0]}"),
            "COUNT_MANY": string(counted[1]),
            "DELETE_OF": template(say(spec, "delete")),
        }
    )


def _app_parts(spec: AppSpec) -> dict[str, str]:
    marks = any(item.type == "boolean" for item in spec.fields)
    totals = [item for name in spec.totals if (item := spec.field_named(name))]
    owner = spec.mail is not None and spec.mail.to == "owner"
    formats = sorted({"formatMoney" if item.type == "money" else "formatNumber" for item in totals})
    states = "  const [query, setQuery] = useState('')\n" + (
        "  const [mail, setMail] = useState<{ sent: boolean; text: string } | null>(null)\n" if spec.mail else ""
    )
    mark = (
        "\n  async function mark(entry: Entry, change: Partial<Entry>) {\n"
        "    const put = (value: Entry) => setEntries((all) => all?.map((item) => (item.id === value.id ? value : item)) ?? null)\n"
        "    put({ ...entry, ...change })\n"
        "    try {\n      put(await markEntry(entry.id, change as Partial<Draft>))\n"
        "    } catch (reason) {\n      put(entry)\n      setProblem(reason instanceof Error ? reason.message : String(reason))\n    }\n  }\n"
    )
    return {
        "MAIL_COMPONENT": "import { MailSetting } from './MailSetting'\n" if owner else "",
        "IMPORTS": ("markEntry, " if marks else "") + "matches, ",
        "MONEY_IMPORT": f"import {{ {', '.join(formats)} }} from './lib/format'\n" if totals else "",
        "STATES": states,
        "ADD_RESULT": "const saved = " if spec.mail else "",
        "AFTER_ADD": "    setMail(saved.mail)\n" if spec.mail else "",
        "MARK_FUNCTION": mark if marks else "",
        "SHOWN": "  const shown = (entries ?? []).filter((entry) => matches(entry, query.trim()))\n",
        "MAIL_SETTING": '          <div className="border-t border-line pt-3">\n            <MailSetting />\n          </div>\n' if owner else "",
        "MAIL_NOTICE": "          {mail ? <Notice tone={mail.sent ? 'good' : 'bad'}>{mail.sent ? mail.text : `" + template(say(spec, "not_sent")) + " ${mail.text}`}</Notice> : null}\n" if spec.mail else "",
        "SEARCH_BOX": _search_box(spec),
        "NO_MATCH": "          {entries && entries.length > 0 && shown.length === 0 ? <p className=\"py-6 text-center text-ink-3\">" + jsx(say(spec, "no_match")) + "</p> : null}\n",
        "MARK_PASS": "onMark={(entry, change) => void mark(entry, change)} " if marks else "",
        "TOTALS": _totals(spec, totals),
    }  # fmt: skip


def _search_box(spec: AppSpec) -> str:
    shown = "entries && entries.length > 0" if spec.search else "entries && entries.length > 7"
    words = attribute(say(spec, "search"))
    return (
        f"          {{{shown} ? (\n"
        f'            <input type="search" className="input" placeholder={words} aria-label={words} value={{query}} onChange={{(event) => setQuery(event.target.value)}} />\n'
        "          ) : null}\n"
    )


def _totals(spec: AppSpec, totals: list[Field]) -> str:
    if not totals:
        return ""
    rows = ""
    for item in totals:
        total = f"shown.reduce((sum, entry) => sum + (entry.{item.name} ?? 0), 0)"
        value = f"formatMoney({total}, '{spec.currency}')" if item.type == "money" else f"formatNumber({total})"
        rows += (
            f'              <div className="flex justify-between gap-4"><dt className="text-ink-3">{jsx(sentence_case(say(spec, "total")) + ", " + item.label)}</dt>'
            f'<dd className="num font-semibold">{{{value}}}</dd></div>\n'
        )
    return (
        '          {shown.length > 0 ? (\n            <dl className="sheet grid gap-1 px-4 py-3">\n'
        + rows
        + "            </dl>\n          ) : null}\n"
    )
