"""The page of an app: the list of entries and the frame around form and list."""

from __future__ import annotations

from localcloud.anthropic import fieldcode as per_field
from localcloud.anthropic.quoting import attribute, fill, jsx, string, template
from localcloud.anthropic.spec import AppSpec, Field
from localcloud.anthropic.words import say


def entry_list(spec: AppSpec) -> str:
    """`src/EntryList.tsx`."""
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
    return fill(
        "app/EntryList.tsx",
        {
            "FORMAT_IMPORT": f"import {{ {', '.join(formats)} }} from './lib/format'\n" if formats else "",
            "MARK_PROP": "  onMark: (entry: Entry, change: Partial<Entry>) => void\n" if marks else "",
            "MARK_ARG": "onMark, " if marks else "",
            "LEADING": per_field.tick_box(tick) if tick else "",
            "NAME_CLASS": struck,
            "FIGURE": per_field.figure(figure, spec) if figure else "",
            "DETAILS": body,
            "EDIT": jsx(say(spec, "edit")),
            "DELETE": jsx(say(spec, "delete")),
            "EDIT_OF": template(say(spec, "edit")),
            "DELETE_OF": template(say(spec, "delete")),
        },
    )


def app_view(spec: AppSpec) -> str:
    """`src/App.tsx`."""
    return fill("app/App.tsx", _app_phrases(spec) | _app_parts(spec))


def _app_phrases(spec: AppSpec) -> dict[str, str]:
    attributes = {
        "NEW_ATTR": "new",
        "ADD_ATTR": "add",
        "SAVE_ATTR": "save",
        "LOADING_ATTR": "loading",
        "EMPTY_ATTR": "empty",
        "LIST_ATTR": "list",
        "EDIT_TITLE_ATTR": "edit_title",
        "DELETE_TEXT_ATTR": "delete_text",
        "DELETE_ATTR": "delete",
        "KEEP_ATTR": "keep",
    }
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


_MARK = (
    "\n  async function mark(entry: Entry, change: Partial<Entry>) {\n"
    "    const put = (value: Entry) => setEntries((all) => all?.map((item) "
    "=> (item.id === value.id ? value : item)) ?? null)\n"
    "    put({ ...entry, ...change })\n"
    "    try {\n      put(await markEntry(entry.id, change as Partial<Draft>))\n"
    "    } catch (reason) {\n      put(entry)\n      setProblem(reason instanceof "
    "Error ? reason.message : String(reason))\n    }\n  }\n"
)


def _app_parts(spec: AppSpec) -> dict[str, str]:
    marks = any(item.type == "boolean" for item in spec.fields)
    totals = [item for name in spec.totals if (item := spec.field_named(name))]
    owner = spec.mail is not None and spec.mail.to == "owner"
    formats = sorted({"formatMoney" if item.type == "money" else "formatNumber" for item in totals})
    states = "  const [query, setQuery] = useState('')\n" + (
        "  const [mail, setMail] = useState<{ sent: boolean; text: string } | null>(null)\n" if spec.mail else ""
    )
    return {
        "MAIL_COMPONENT": "import { MailSetting } from './MailSetting'\n" if owner else "",
        "IMPORTS": ("markEntry, " if marks else "") + "matches, ",
        "MONEY_IMPORT": f"import {{ {', '.join(formats)} }} from './lib/format'\n" if totals else "",
        "STATES": states,
        "ADD_RESULT": "const saved = " if spec.mail else "",
        "AFTER_ADD": "    setMail(saved.mail)\n" if spec.mail else "",
        "MARK_FUNCTION": _MARK if marks else "",
        "SHOWN": "  const shown = (entries ?? []).filter((entry) => matches(entry, query.trim()))\n",
        "MAIL_SETTING": (
            '          <div className="border-t border-line pt-3">\n            <MailSetting />\n          </div>\n'
        )
        if owner
        else "",
        "MAIL_NOTICE": ("          {mail ? <Notice tone={mail.sent ? 'good' : 'bad'}>{mail.sent ? mail.text : `")
        + template(say(spec, "not_sent"))
        + " ${mail.text}`}</Notice> : null}\n"
        if spec.mail
        else "",
        "SEARCH_BOX": _search_box(spec),
        "NO_MATCH": (
            '          {entries && entries.length > 0 && shown.length === 0 ? <p className="py-6 '
            'text-center text-ink-3">'
        )
        + jsx(say(spec, "no_match"))
        + "</p> : null}\n",
        "MARK_PASS": "onMark={(entry, change) => void mark(entry, change)} " if marks else "",
        "TOTALS": _totals(spec, totals),
    }


def _search_box(spec: AppSpec) -> str:
    shown = "entries && entries.length > 0" if spec.search else "entries && entries.length > 7"
    words = attribute(say(spec, "search"))
    return (
        f"          {{{shown} ? (\n"
        f'            <input type="search" className="input" placeholder={words} '
        f"aria-label={words} value={{query}} onChange={{(event) => setQuery(event.target.value)}} "
        f"/>\n"
        "          ) : null}\n"
    )


def _total_label(spec: AppSpec, item: Field) -> str:
    return say(spec, "total_of", item.label.lower() if spec.language == "en" else item.label)


def _totals(spec: AppSpec, totals: list[Field]) -> str:
    if not totals:
        return ""
    rows = ""
    for item in totals:
        total = f"shown.reduce((sum, entry) => sum + (entry.{item.name} ?? 0), 0)"
        value = f"formatMoney({total}, '{spec.currency}')" if item.type == "money" else f"formatNumber({total})"
        rows += (
            '              <div className="flex justify-between gap-4">'
            f'<dt className="text-ink-3">{jsx(_total_label(spec, item))}</dt>'
            f'<dd className="num font-semibold">{{{value}}}</dd></div>\n'
        )
    return (
        '          {shown.length > 0 ? (\n            <dl className="sheet grid gap-1 px-4 py-3">\n'
        + rows
        + "            </dl>\n          ) : null}\n"
    )
