"""The files of an app, written from its spec. Same spec, same files: a follow-up knows what it wrote before."""

from __future__ import annotations

from localcloud.anthropic import fieldcode as per_field
from localcloud.anthropic.quoting import attribute, fill, jsx, string
from localcloud.anthropic.spec import SPEC_FILE, AppSpec, Mail, dump
from localcloud.anthropic.toolcode import tool_app, tool_files
from localcloud.anthropic.viewcode import app_view, entry_list
from localcloud.anthropic.words import say

# accent: (on light, on dark, fill on dark, soft on light, soft on dark); text on each passes 4.5:1
ACCENTS = {
    "": ("#1f4fd8", "#8fabff", "#3f66de", "#e9eefc", "#1a2340"),
    "red": ("#b3261e", "#ff9c93", "#c8372e", "#fcebe9", "#331715"),
    "orange": ("#a84300", "#ffab73", "#b85410", "#fdeee3", "#321c0e"),
    "amber": ("#7d5200", "#eab64c", "#8f6206", "#faf1dc", "#2b210d"),
    "green": ("#17693b", "#6fce97", "#1f7d49", "#e4f3ea", "#11281b"),
    "teal": ("#0b6570", "#6cccd6", "#14747f", "#e1f2f4", "#0f272a"),
    "blue": ("#1f4fd8", "#8fabff", "#3f66de", "#e9eefc", "#1a2340"),
    "indigo": ("#5b3fc4", "#b5a3ff", "#7158d6", "#eeeafc", "#221c40"),
    "pink": ("#a8246b", "#ff9ccb", "#b93a7c", "#fcebf4", "#331525"),
    "brown": ("#74492a", "#d8ab8a", "#855a3a", "#f5ede7", "#2a1d14"),
    "gray": ("#3d474b", "#bac5c9", "#5b676b", "#eceff0", "#22282a"),
}
_SCHEMES = {"auto": "light dark", "light": "light", "dark": "dark"}


def migration_file(number: int, what: str) -> str:
    """Path of the migration with that number."""
    return f"server/migrations/{number:03d}_{what}.sql"


def app_files(spec: AppSpec) -> dict[str, str]:
    """Path → text of every file that depends on the spec, without migrations, `index.html` and the theme."""
    files = {SPEC_FILE: dump(spec)}
    if spec.kind != "records":
        return files | tool_files(spec) | {"src/App.tsx": tool_app(spec)}
    files[f"server/routes/{spec.table}.ts"] = _route(spec)
    if spec.mail:
        files["server/notify.ts"] = _notify(spec, spec.mail)
    if spec.mail and spec.mail.to == "owner":
        files |= _settings(spec, spec.mail)
    files["src/entries.ts"] = _entries(spec)
    files["src/EntryForm.tsx"] = _form(spec)
    files["src/EntryList.tsx"] = entry_list(spec)
    files["src/App.tsx"] = app_view(spec)
    return files


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


def _route(spec: AppSpec) -> str:
    marks = [item for item in spec.fields if item.type == "boolean"]
    toggle = (
        fill("app/toggle.ts", {"MARKS": ", ".join(f"{item.name}: z.boolean()" for item in marks), "TABLE": spec.table})
        if marks
        else ""
    )
    way = "desc nulls last" if spec.sort.descending else "asc nulls last"
    return fill(
        "app/route.ts",
        {
            "TABLE": spec.table,
            "SCHEMA": "\n".join(f"  {item.name}: {per_field.schema(item, spec)}," for item in spec.fields),
            "MISSING": string(say(spec, "missing")),
            "ORDER": f"{spec.sort.field} {way}, id {'desc' if spec.sort.descending else 'asc'}",
            "NOTIFY_IMPORT": "import { notify } from '../notify'\n" if spec.mail else "",
            "CREATED": "{ ...row, mail: await notify(row) }" if spec.mail else "row",
            "TOGGLE": toggle,
        },
    )


def _notify(spec: AppSpec, mail: Mail) -> str:
    owner = mail.to == "owner"
    return fill(
        "app/notify.ts",
        {
            "SETTINGS_IMPORT": "import { ownerEmail } from './settings'\n" if owner else "",
            "LINES": "\n".join(f"  ['{item.name}', {string(item.label)}]," for item in spec.fields),
            "RECIPIENT": "await ownerEmail()"
            if owner
            else f"typeof row.{mail.field} === 'string' ? row.{mail.field} : ''",
            "NO_ADDRESS": string(say(spec, "no_address")),
            "SUBJECT": string(say(spec, "subject" if owner else "thanks_subject")[:150]),
            "GREETING": string(say(spec, "greeting" if owner else "thanks")),
            "SENT": string(say(spec, "sent")),
        },
    )


def _settings(spec: AppSpec, mail: Mail) -> dict[str, str]:
    phrases = {
        "MAIL_LABEL": attribute(say(spec, "mail_label")),
        "SAVE": jsx(say(spec, "save_short")),
        "CANCEL": jsx(say(spec, "cancel")),
        "MAIL_GOES": jsx(say(spec, "mail_goes")),
        "MAIL_TEST": string(say(spec, "mail_test")),
        "MAIL_OFF": string(say(spec, "mail_off")),
        "CHANGE": jsx(say(spec, "change")),
    }
    return {
        "server/settings.ts": fill("app/settings.ts", {"ADDRESS": string(mail.address)}),
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
    return fill(
        "app/entries.ts",
        {
            "TABLE": spec.table,
            "ENTRY_TYPE": "\n".join(f"  {item.name}: {per_field.stored_type(item)}" for item in spec.fields),
            "DRAFT_TYPE": "\n".join(
                f"  {item.name}: {'boolean' if item.type == 'boolean' else 'string'}" for item in spec.fields
            ),
            "DRAFT_EMPTY": "\n".join(
                f"  {item.name}: {'false' if item.type == 'boolean' else chr(39) * 2}," for item in spec.fields
            ),
            "DRAFT_OF": "\n".join(f"    {item.name}: {per_field.draft_of(item)}," for item in spec.fields),
            "PAYLOAD": "".join(
                f"    {item.name}: draft.{item.name} === '' ? null : Number(draft.{item.name}),\n"
                for item in spec.fields
                if item.type in ("number", "money")
            ),
            "SAVED": "export type Saved = Entry & { mail: { sent: boolean; text: string } }\n" if spec.mail else "",
            "ADDED": "Saved" if spec.mail else "Entry",
            "MARK": mark if marks else "",
            "NAME_OF": per_field.name_of(spec),
            "MATCHES": _matches(spec),
        },
    )


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
    return fill(
        "app/EntryForm.tsx",
        {
            "UI": ", ".join(sorted({"Button", "Notice", *used})),
            "INPUTS": inputs,
            "CANCEL": jsx(say(spec, "cancel")),
        },
    )
