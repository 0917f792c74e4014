"""The plan of a turn: look, read, write, migrate, check, and say honestly how it went."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import replace
from functools import lru_cache

from localcloud.anthropic import checks, code, directive, narration, sqlcode
from localcloud.anthropic.changes import edits, file_text
from localcloud.anthropic.conversation import ToolResult, Turn
from localcloud.anthropic.grammar.alter import Change
from localcloud.anthropic.grammar.followup import read_followup
from localcloud.anthropic.grammar.sentence import Reading, read_sentence
from localcloud.anthropic.names import numbered
from localcloud.anthropic.narration import Facts, tell
from localcloud.anthropic.plan import LOOK, Call, Findings, Plan, Step, bash, edit, findings, next_step, read, write
from localcloud.anthropic.quoting import html_text
from localcloud.anthropic.spec import SPEC_FILE, AppSpec, BadSpec, parse

Part = Generator[Step, list[ToolResult], None]
_NEEDED = frozenset({"Bash", "Read", "Write", "Edit"})


def answer(turn: Turn) -> Step:
    """The next step of a turn. Never fails on any content of a well-formed request."""
    if (call := directive.read(turn)) is not None:
        return next_step(lambda: directive.carry_out(call, turn), turn.results)
    if turn.tools >= _NEEDED and not turn.wants_summary:
        return next_step(lambda: _turn(turn.prompt), turn.results)
    return Step(_words_only(turn))


def _words_only(turn: Turn) -> str:
    """Answers to what the coding agent asks on the side, without tools: a title, a summary."""
    words = " ".join(turn.prompt.split()[:8])[:80] or "Nothing was asked"
    return words if not turn.wants_summary else f"<summary>The last request was: {turn.prompt[:400]}</summary>"


def _turn(prompt: str) -> Plan:
    reading = _sentence(prompt)
    if reading.secret and reading.spec is None:
        return tell(reading.language, "secret_only")
    [looked] = yield Step(
        tell(reading.language, "look"), (bash(LOOK, "Look at the names in .env and the files of the app"),)
    )
    found = findings(looked.text)
    try:
        old = parse(found.spec) if found.spec else None
    except BadSpec:
        old = None
    if old is None:
        return (yield from _new_app(reading, found, None))
    change = _followup(prompt, found.spec)
    if change.new_app:
        return (yield from _new_app(change.new_app, found, old))
    return (yield from _follow_up(change, old, found))


@lru_cache(maxsize=128)
def _sentence(prompt: str) -> Reading:
    """Every request of a turn reads the same sentence."""
    return read_sentence(prompt)


@lru_cache(maxsize=128)
def _followup(prompt: str, spec: str) -> Change:
    return read_followup(prompt, parse(spec))


def _new_app(reading: Reading, found: Findings, old: AppSpec | None) -> Plan:
    spec = reading.spec
    if spec is None:
        return tell(reading.language, "nothing")
    if old and old.table == spec.table and spec.kind == "records":
        spec = replace(spec, table=numbered(spec.table, _next_number(found)))
    facts = Facts(
        database="DATABASE_URL" in found.env,
        mail_ready=found.mail_ready,
        guessed=reading.guessed_fields,
        secret=reading.secret,
        beyond=reading.beyond,
    )
    migrations: dict[str, str] = {}
    if spec.kind == "records":
        number = _next_number(found)
        spec = replace(spec, revision=number)
        migrations[code.migration_file(number, spec.table)] = sqlcode.migration(spec)
        if spec.mail and spec.mail.to == "owner":
            migrations[code.migration_file(number + 1, "app_settings")] = sqlcode.settings_migration()
    files = code.app_files(spec) | {"src/theme.css": code.theme(spec)}
    yield from _write(found, files, migrations, spec, facts, narration.plan_words(spec), _obsolete(old, spec))
    yield from _check(spec, facts)
    return narration.built(spec, facts)


def _follow_up(change: Change, old: AppSpec, found: Findings) -> Plan:
    language = old.language
    if change.question:
        key = "question" if old.kind == "records" else "question_tool"
        return tell(language, key, title=old.title, fields=narration.field_list(old, typed=True))
    if not [note for note in change.notes if note[0] != "there"]:
        if change.secret:
            return tell(language, "secret_only")
        return tell(language, "not_understood", title=old.title)
    facts = Facts(database="DATABASE_URL" in found.env, mail_ready=found.mail_ready, secret=change.secret)
    sql = change_sql(change, old)
    number = _next_number(found)
    spec = replace(change.spec, revision=number if sql else old.revision)
    migrations = {code.migration_file(number, _slug(change)): sql} if sql else {}
    if spec.mail and spec.mail.to == "owner" and "server/settings.ts" not in found.files:
        migrations[code.migration_file(number + 1, "app_settings")] = sqlcode.settings_migration()
    before = code.app_files(old)
    files = {
        path: text for path, text in code.app_files(spec).items() if before.get(path) != text or path not in found.files
    }
    if (spec.accent, spec.scheme) != (old.accent, old.scheme):
        files["src/theme.css"] = code.theme(spec)
    yield from _write(found, files, migrations, spec, facts, tell(language, "update"), _obsolete(old, spec))
    yield from _check(spec, facts)
    return narration.changed(spec, change.notes, change.unknown, facts)


def _slug(change: Change) -> str:
    names = [item.name for item in (*change.added, *(new for _, new in change.converted))]
    return f"add_{names[0]}" if names else "change_options"


def change_sql(change: Change, old: AppSpec) -> str:
    """SQL of a follow-up: new columns, values carried over to a column of another type, wider choices."""
    fresh = (*change.added, *(new for _, new in change.converted))
    names = {item.name for item in fresh}
    known = {item.name: item for item in old.fields}
    wider = tuple(
        item for item in change.spec.fields
        if item.type == "choice" and item.name not in names and item.name in known
        and (known[item.name].options != item.options or known[item.name].type != "choice")
    )  # fmt: skip
    freed = tuple(
        item
        for item in old.fields
        if item.type == "choice" and (now := change.spec.field_named(item.name)) and now.type != "choice"
    )
    return (
        (
            sqlcode.add_columns(old.table, tuple(item for item in change.spec.fields if item.name in names))
            if fresh
            else ""
        )
        + "".join(sqlcode.carry_over(old.table, before, after) for before, after in change.converted)
        + "".join(
            f"alter table {old.table} drop constraint if exists {old.table}_{item.name}_choice;\n" for item in freed
        )
        + sqlcode.checks(old.table, wider)
    )


def _obsolete(old: AppSpec | None, spec: AppSpec) -> list[str]:
    if old is None:
        return []
    return sorted(set(code.app_files(old)) - set(code.app_files(spec)))


def _next_number(found: Findings) -> int:
    numbers = [int(match[1]) for name in found.files if (match := re.match(r"server/migrations/(\d{1,6})_", name))]
    return max(numbers, default=0) + 1


def _write(
    found: Findings,
    files: Mapping[str, str],
    migrations: Mapping[str, str],
    spec: AppSpec,
    facts: Facts,
    words: str,
    obsolete: list[str],
) -> Part:
    """Write everything in an order a reader can follow; what exists is read first, as the tools ask."""
    language = spec.language
    known = [
        path for path in sorted({*files, "index.html"}) if path in found.files or (path == SPEC_FILE and found.spec)
    ]
    results: list[ToolResult] = []
    if known:
        reads = tuple(read(found.path(path)) for path in known)
        results = yield Step(f"{words} {tell(language, 'read')}", reads)
    present = {path: file_text(result.text) for path, result in zip(known, results, strict=True) if not result.failed}
    if migrations:
        first = {SPEC_FILE: files[SPEC_FILE], **migrations} if SPEC_FILE in files else dict(migrations)
        yield from _put(found, first, present, language, tell(language, "table"))
        if "DATABASE_URL" in found.env:
            [ran] = yield Step(tell(language, "migrate"), (bash(checks.MIGRATE, "Run the new migration"),))
            if ran.failed:
                facts.problem = next((line for line in ran.text.splitlines() if "failed" in line), ran.text)[:200]
    rest = {path: text for path, text in files.items() if not (migrations and path == SPEC_FILE)}
    server = {path: text for path, text in rest.items() if path.startswith("server/")}
    client = {path: text for path, text in rest.items() if path not in server}
    if server:
        yield from _put(found, server, present, language, tell(language, "server"))
    if "index.html" in present:
        client["index.html"] = _page(present["index.html"], spec)
    yield from _put(found, client, present, language, tell(language, "client" if spec.kind == "records" else "update"))
    if gone := [path for path in obsolete if path in found.files]:
        yield Step("", (bash("rm -f " + " ".join(gone), "Remove files the app no longer needs"),))


def _page(text: str, spec: AppSpec) -> str:
    """`index.html` with the app's title and language."""
    titled = re.sub(
        r"<title>.*?</title>", lambda _: f"<title>{html_text(spec.title)}</title>", text, count=1, flags=re.DOTALL
    )
    return re.sub(r'<html lang="[^"]*">', f'<html lang="{spec.language}">', titled, count=1)


def _put(found: Findings, files: Mapping[str, str], present: Mapping[str, str], language: str, words: str) -> Part:
    """Write or edit files; what a tool refuses is read again and written whole, once."""
    calls: list[tuple[str, Call]] = []
    for path, text in files.items():
        target = found.path(path)
        before = present.get(path)
        if before is not None and before.rstrip("\n") == text.rstrip("\n"):
            continue
        pairs = edits(before.rstrip("\n") + "\n", text.rstrip("\n") + "\n") if before is not None else None
        calls += (
            [(path, edit(target, a.rstrip("\n"), b.rstrip("\n"))) for a, b in pairs]
            if pairs and _clean(before, text, pairs)
            else [(path, write(target, text))]
        )
    if not calls:
        return
    results = yield Step(words, tuple(call for _, call in calls))
    refused = list(dict.fromkeys(path for (path, _), result in zip(calls, results, strict=True) if result.failed))
    if refused:
        yield Step(tell(language, "again"), tuple(read(found.path(path)) for path in refused))
        yield Step("", tuple(write(found.path(path), files[path]) for path in refused))


def _clean(before: str | None, after: str, pairs: list[tuple[str, str]]) -> bool:
    """Do the edits, without their last line ends, still lead exactly from one text to the other?"""
    text = (before or "").rstrip("\n")
    for old, new in pairs:
        old, new = old.rstrip("\n"), new.rstrip("\n")
        if not old or old == new or text.count(old) != 1:
            return False
        text = text.replace(old, new)
    return text.rstrip("\n") == after.rstrip("\n")


def _check(spec: AppSpec, facts: Facts) -> Part:
    """Check types, then one entry's life over HTTP. What fails is told in the last words."""
    [types] = yield Step(tell(spec.language, "types"), (bash(checks.TYPES, "Check the types"),))
    if "types-ok" not in types.text:
        facts.problem = next(
            (line for line in types.text.splitlines() if "error" in line), "the type checker did not run"
        )[:200]
    if spec.kind != "records":
        [page] = yield Step("", (bash("node scripts/request.mjs GET / | head -c 300", "Fetch the page"),))
        if not checks.statuses(page.text):
            facts.problem = facts.problem or checks.problem(page.text)
        return
    if facts.database:
        yield from _check_life(spec, facts)


def _check_life(spec: AppSpec, facts: Facts) -> Part:
    command = checks.create_command(spec)
    [created] = yield Step(tell(spec.language, "http"), (bash(command, "Add an entry over HTTP"),))
    number = checks.created_id(created.text)
    if number is None and not any(status == 422 for status, _ in checks.statuses(created.text)[1:2]):
        # A dev server that has just restarted may not know the new route yet.
        [created] = yield Step("", (bash(f"sleep 2; {command}", "Try again once the server has reloaded"),))
        number = checks.created_id(created.text)
    if number is None:
        facts.problem = facts.problem or checks.problem(_after_first(created.text, spec))
        return
    facts.mail = checks.mail_outcome(created.text)
    [life] = yield Step(
        tell(spec.language, "life"), (bash(checks.life_command(spec, number), "Change, read and delete the entry"),)
    )
    if [status for status, _ in checks.statuses(life.text)] != [200, 200, 204, 404]:
        facts.problem = facts.problem or checks.problem(life.text)


def _after_first(text: str, spec: AppSpec) -> str:
    """Leave out the answer to the empty entry, which is meant to be a refusal."""
    if not any(item.required for item in spec.fields):
        return text
    later = text.find("\n422 POST ", 1) if text.startswith("422 POST") else -1
    rest = re.sub(r"\A422 POST [^\n]*\n[^\n]*\n?", "", text)
    return text[later:] if later > 0 else rest
