"""What the builder says to the person: what it is doing, and at the end what it did, how it knows, and what it is."""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.anthropic.spec import AppSpec
from localcloud.anthropic.words import phrases

TEST_INBOX = "delivered@resend.dev"
_TYPES = {"longtext": "long text", "boolean": "yes/no", "email": "e-mail", "url": "link"}


@dataclass(slots=True)
class Facts:
    """What really happened in a turn, for the last words."""

    database: bool = True
    mail_ready: bool = True
    mail: tuple[bool, str] | None = None
    problem: str = ""
    guessed: bool = False
    secret: bool = False
    beyond: tuple[str, ...] = ()  # asked for, and not to be built
    kept_column: bool = False


def tell(code: str, key: str, **values: str) -> str:
    """The phrase `key` in the language `code`, its placeholders filled in one pass."""
    text = phrases("turn", code)[key]
    for name in values:
        text = text.replace(f"{{{name}}}", f"\0{name}\0")
    parts = text.split("\0")
    return "".join(values[part] if index % 2 else part for index, part in enumerate(parts))


def field_list(spec: AppSpec, *, typed: bool = False) -> str:
    """The fields as words: `title, rating (number) and read (yes/no)`."""
    names = []
    for item in spec.fields:
        kind = "/".join(item.options) if item.type == "choice" else _TYPES.get(item.type, item.type)
        shown = typed and item.type != "text" and spec.language == "en"
        names.append(f"{item.label} ({kind})" if shown else item.label)
    joined = ", ".join(names[:-1])
    return f"{joined} {phrases('turn', spec.language)['and']} {names[-1]}" if joined else "".join(names)


def plan_words(spec: AppSpec) -> str:
    """How the sentence was read, said before the first file is written."""
    if spec.kind != "records":
        return tell(spec.language, "plan_tool", title=spec.title)
    return tell(spec.language, "plan", title=spec.title, many=spec.many, fields=field_list(spec, typed=True))


def built(spec: AppSpec, facts: Facts) -> str:
    """The last words of a turn that built an app."""
    code = spec.language
    if spec.kind != "records":
        said = [tell(code, "done_tool", title=spec.title)]
    else:
        item = spec.field_named(spec.sort.field)
        order = tell(code, "sorted", label=item.label) if item else tell(code, "newest")
        said = [tell(code, "done", title=spec.title, fields=field_list(spec), table=spec.table, order=order)]
        if facts.guessed:
            said.append(tell(code, "guessed", fields=field_list(spec)))
        if facts.beyond:
            said.append(tell(code, "beyond", words="; ".join(f"“{words}”" for words in facts.beyond)))
    if facts.secret:
        said.append(tell(code, "secret"))
    return "\n\n".join(
        [" ".join(said), " ".join([*_mail_words(spec, facts), *_checked(spec, facts)]), tell(code, "stand_in")]
    )


def changed(spec: AppSpec, notes: list[tuple[str, str]], unknown: list[str], facts: Facts) -> str:
    """The last words of a turn that changed an app."""
    code = spec.language
    done = ", ".join(tell(code, "sorted_note" if key == "sorted" else key, x=about) for key, about in notes)
    said = [tell(code, "changed", title=spec.title, notes=done)]
    if any(key == "removed" for key, _ in notes):
        said.append(tell(code, "kept"))
    if unknown:
        said.append(tell(code, "partly", words="; ".join(f"“{words}”" for words in unknown)))
    if facts.secret:
        said.append(tell(code, "secret"))
    mail = _mail_words(spec, facts) if any(key == "mail" for key, _ in notes) else []
    return "\n\n".join([" ".join(said), " ".join([*mail, *_checked(spec, facts)]), tell(code, "stand_in")])


def _mail_words(spec: AppSpec, facts: Facts) -> list[str]:
    if spec.mail is None:
        return []
    code = spec.language
    if not facts.mail_ready:
        return [tell(code, "mail_missing")]
    if spec.mail.to == "field":
        item = spec.field_named(spec.mail.field)
        said = [tell(code, "mail_field", label=item.label if item else "")]
    else:
        said = [tell(code, "mail_owner" if spec.mail.address else "mail_test", address=spec.mail.address or TEST_INBOX)]
    if facts.mail is not None:
        said.append(tell(code, "mail_sent") if facts.mail[0] else tell(code, "mail_failed", problem=facts.mail[1]))
    return said


def _checked(spec: AppSpec, facts: Facts) -> list[str]:
    code = spec.language
    if spec.kind == "records" and not facts.database:
        return [tell(code, "no_database")]
    if facts.problem:
        return [tell(code, "unchecked", problem=facts.problem)]
    if spec.kind != "records":
        return [tell(code, "checked_tool")]
    return [tell(code, "checked" if any(item.required for item in spec.fields) else "checked_loose")]
