"""A sentence about an app that exists, read as changes to its spec: add, remove, rename, restyle, re-sort, mail."""

from __future__ import annotations

import re
from dataclasses import replace

from localcloud.anthropic.grammar.alter import Change, new_fields, retire_field, retype_field, swap_field
from localcloud.anthropic.grammar.features import without_features
from localcloud.anthropic.grammar.fields import read_fields
from localcloud.anthropic.grammar.hints import named_type
from localcloud.anthropic.grammar.lexicon import LANGUAGES, Language
from localcloud.anthropic.grammar.pieces import Found, split
from localcloud.anthropic.grammar.sentence import (
    chosen_sort,
    chosen_totals,
    matching_field,
    read_sentence,
    with_recipient,
)
from localcloud.anthropic.grammar.text import Prepared, prepare, sentences
from localcloud.anthropic.grammar.wishes import Wishes, read_wishes
from localcloud.anthropic.names import sentence_case
from localcloud.anthropic.spec import AppSpec

_POLITE = (
    r"(?:(?:please|i'd (?:also )?like (?:you )?to|also|and|then|now|can you|could you|would you|i'd like you "
    r"to|i would like you to|i (?:also )?(?:want|need|would like|'d like) (?:you "
    r")?(?:to )?|let's|just|bitte|auch|s'il te plaît|por favor|ahora|kannst "
    r"du|noch)\s+){0,6}"
)
_ADD = re.compile(
    (
        rf"^{_POLITE}(?:add|include|insert|append|also (?:add|track|record|store)|"
        rf"record|track|store|there should (?:also )?be|it (?:should|must|needs to) "
        rf"(?:also )?(?:have|store|record|include)|(?:it|each \w+|every \w+|they) "
        rf"(?:also )?(?:needs?|should (?:also )?have|has|have)|i (?:also )?(?:need|"
        rf"want)|we (?:also )?need|put in|füge?|ergänze|nimm|ajoute[rz]?|rajoute|"
        rf"añade|añadir|agrega[r]?|pon)\s+(?P<what>.+?)(?:\s+(?:hinzu|auf|dazu|ein))?$"
    ),
    re.IGNORECASE,
)
_MORE = re.compile(
    (
        r"^(?:and |also |plus )?(?:also |with |plus )(?P<what>.+?)(?: too| as well|"
        r" please)?$|^(?P<bare>(?:an?|the|eine?|une?|una?) .+?) (?:too|as well|please|"
        r"also|auch|aussi|también)$"
    ),
    re.IGNORECASE,
)
_REMOVE = re.compile(
    (
        rf"^{_POLITE}(?:remove|delete|drop|hide|get rid of|take (?:out|away|off)|"
        rf"leave out|lose|kill|no more|without|i don't (?:need|want)|entferne|lösche|"
        rf"streiche|supprime[rz]?|enlève[rz]?|retire[rz]?|quita[r]?|elimina[r]?|borra[r]?)\s+(?P<what>.+?"
        rf")(?:\s+(?:again|any ?more|please|from (?:it|the \w+)))?$"
    ),
    re.IGNORECASE,
)
_RENAME = re.compile(
    (
        r"\b(?:rename|relabel|change|call|turn|nenne|benenne|renomme[rz]?|renombra[r]?|"
        r"cambia[r]?)\s+(?:the |die |den |das |le |la |el )?(?:field |column |label "
        r")?(?P<old>[\w\ue000-\uf8ff][\w\s'/-]{0,50}?)(?:\s+(?:field|column|label))?\s+(?:to|"
        r"into|as|in|um in|en|a|por)\s+(?P<new>[^.;,]+?)(?=\s*(?:[.;,]|\band (?:add|"
        r"remove|make|sort|call|show|rename|send)\b|$))"
    ),
    re.IGNORECASE,
)
_NEED = re.compile(
    (
        rf"^{_POLITE}(?:make|set|mark)\s+(?P<what>.+?)\s+(?:as |to be |be )?(?P<how>required|"
        rf"mandatory|compulsory|optional|not required)$"
    ),
    re.IGNORECASE,
)
_BECOME = re.compile(
    (
        rf"^{_POLITE}(?:make|let|turn|change|convert)?\s*(?P<what>.+?)\s+(?:should "
        rf"be|must be|into|to be|to|be|is|as)?\s*(?P<kind>an? [\w /-]+|[\w/-]+)$"
    ),
    re.IGNORECASE,
)
_OPTION = re.compile(
    (
        rf"^{_POLITE}(?:add|include)\s+(?:the |an? )?(?:options?|choices?|values?)?\s*(?P<option>.+?"
        rf")\s+(?:as an? (?:option|choice)\s+)?(?:to|for|in|as)\s+(?:the )?(?P<what>.+?)(?:\s+(?:options?"
        rf"|choices?|dropdown|list|values?))?$"
    ),
    re.IGNORECASE,
)
_NEW_APP = re.compile((r"^(?:please |can you |now |ok,? |instead,? ){0,4}(?:i want |i need |i'd like "
r"|(?:build|create|develop|write|make|baue?|erstelle|crée|fais|crea|haz)(?: "
r"me| us| mir| moi)? )(?:an?|another|the|my|eine?n?|une?|una?)\s+(?:\w+[ "
r"-]){0,3}?(?:app|application|tool|website|site|tracker|list|log|diary|journal|"
r"database|calculator|converter|timer|stopwatch|counter|form|manager|inventory|"
r"guestbook|catalog(?:ue)?|crm|system|planner|register|liste|rechner|calculatrice|"
r"calculadora|lista)\b"), re.IGNORECASE)  # fmt: skip
_QUESTION = re.compile(
    (
        r"^(?:what|how|why|who|where|when|which|does|do|is|are|can i|was|wie|warum|"
        r"wer|wo|welche|quoi|comment|pourquoi|que|qué|cómo|por qué)\b.*\?$"
    ),
    re.IGNORECASE | re.DOTALL,
)
_ACTION = (
    r"add|remove|delete|drop|make|rename|call|sort|show|change|set|hide|also|"
    r"send|use|include|füge|entferne|mach|ajoute|supprime|añade|quita|elimina|"
    r"pon"
)


def read_followup(prompt: str, spec: AppSpec) -> Change:
    """Read `prompt` as a change to `spec`, or as the order for a new app in its place."""
    prepared = prepare(prompt)
    change = Change(spec)
    if _QUESTION.match(prepared.text):
        change.question = True
        return change
    if _NEW_APP.match(prepared.text):
        reading = read_sentence(prompt)
        if reading.spec and (reading.spec.kind != "records" or not reading.guessed_fields):
            change.new_app = reading
            return change
    prepared.text = _renames(change, prepared)
    wishes = read_wishes(prepared)
    change.secret = wishes.secret
    if change.spec.kind == "records":
        for clause in _clauses(wishes.rest):
            if not _clause(change, clause, prepared):
                change.unknown.append(prepared.restore(clause)[:120])
    _wished(change, wishes)
    if (
        not change.notes
        and not change.secret
        and (reading := read_sentence(prompt)).spec
        and not reading.guessed_fields
    ):
        change.new_app = reading
    return change


def _clauses(text: str) -> list[str]:
    clauses: list[str] = []
    for sentence in sentences(text):
        parts = re.split(
            rf"\s*;\s*|,?\s+(?:and|und|et|y|then)\s+(?=(?:{_ACTION})\b)|,\s+(?=(?:{_ACTION})\b)",
            sentence,
            flags=re.IGNORECASE,
        )
        clauses += [part.strip(" ,.") for part in parts if re.search(r"\w{2,}", part)]
    leftovers = (
        r"(?:please|also|and|then|now|the|again|when(?:ever)? .*|bitte|thanks?|thank you|it|"
        r"make it|the (?:list|app|page)|show (?:me )?(?:the )?(?:list|entries|them)?)"
    )
    return [clause for clause in clauses if not re.fullmatch(leftovers, clause, re.IGNORECASE)]


_VERBS = {
    "de": r"füge?|ergänze|nimm|entferne|mach",
    "fr": r"ajoute[rz]?|rajoute|supprime[rz]?|mets",
    "es": r"añad\w+|agrega[r]?|pon|quita[r]?",
    "en": r"add|include|insert|append|track|record|store|put",
}


def _spoken(clause: str, code: str) -> str:
    """The language of a follow-up: that of its verb, whatever the app speaks."""
    first = " ".join(clause.lower().split()[:4])
    return next((known for known, verbs in _VERBS.items() if re.search(rf"\b(?:{verbs})\b", first)), code)


def _renames(change: Change, prepared: Prepared) -> str:
    """Rename fields first: "rename rating to score" must not be taken for a new title of the app."""
    text = prepared.text
    for match in list(_RENAME.finditer(text)):
        old = matching_field(prepared.restore(match["old"]), change.spec.fields)
        exact = old and re.sub(r"\s+field$", "", prepared.restore(match["old"]).lower()) in (
            old.label.lower(),
            old.name.replace("_", " "),
        )
        new = prepared.restore(match["new"]).strip(" '\"")[:80]
        if old is None or not exact or not new or named_type(match["new"]):
            continue
        label = sentence_case(new)
        change.spec = change.spec.with_fields(
            tuple(replace(item, label=label) if item == old else item for item in change.spec.fields)
        )
        change.notes.append(("renamed", f"{old.label} → {label}"))
        text = text.replace(match[0], " ")
    return text.strip(" ,;.")


def _clause(change: Change, clause: str, prepared: Prepared) -> bool:
    return any(handler(change, clause, prepared) for handler in (_option, _need, _remove, _add, _become))


def _option(change: Change, clause: str, prepared: Prepared) -> bool:
    match = _OPTION.match(clause)
    item = matching_field(prepared.restore(match["what"]), change.spec.fields) if match else None
    if match is None or item is None or item.type != "choice":
        return False
    language = LANGUAGES[change.spec.language]
    new = [prepared.restore(piece.words).strip(" '\"")[:60] for piece in split(match["option"], language)]
    wider = replace(item, options=tuple(dict.fromkeys((*item.options, *(word for word in new if word)))))
    swap_field(change, item, wider)
    change.notes.append(("options", f"{item.label}: {', '.join(new)}"))
    return True


def _need(change: Change, clause: str, prepared: Prepared) -> bool:
    match = _NEED.match(clause)
    item = matching_field(prepared.restore(match["what"]), change.spec.fields) if match else None
    if match is None or item is None or item.type == "boolean":
        return False
    required = match["how"].lower() in ("required", "mandatory", "compulsory")
    swap_field(change, item, replace(item, required=required))
    change.notes.append(("required" if required else "optional", item.label))
    return True


def _remove(change: Change, clause: str, prepared: Prepared) -> bool:
    match = _REMOVE.match(clause)
    if match is None:
        return False
    understood = False
    language = LANGUAGES[change.spec.language]
    for piece in split(match["what"], language):
        words = prepared.restore(piece.words)
        if (
            re.search(r"\b(?:e-?mails?|mails?|notifications?)\b", words, re.IGNORECASE)
            and change.spec.mail
            and not matching_field(words, change.spec.fields)
        ):
            change.spec = replace(change.spec, mail=None)
            change.notes.append(("mail_off", ""))
            understood = True
        elif (
            re.search(r"\btotals?\b|\bsums?\b", words, re.IGNORECASE)
            and change.spec.totals
            and not matching_field(words, change.spec.fields)
        ):
            change.spec = replace(change.spec, totals=())
            change.notes.append(("totals_off", ""))
            understood = True
        elif (item := matching_field(words, change.spec.fields)) and len(change.spec.fields) > 1:
            retire_field(change, item)
            change.notes.append(("removed", item.label))
            understood = True
    return understood


def _bare(what: str) -> str:
    """What is to be added, without "a new field called" before it and "to each entry" after it."""
    what = re.sub(
        (
            r"^(?:an?(?:other| new| extra| additional)?|the|two|three|some|more|new|"
            r"ein(?:e|en)?|une?|una?|noch)?\s*(?:(?:new|extra|additional)\s+)?(?:fields?|"
            r"columns?|inputs?|felde?r?|champs?|campos?)\s*(?:for|called|named|:|with|"
            r"pour|für|para)?\s+(?=\S)"
        ),
        "",
        what,
        flags=re.IGNORECASE,
    )
    return re.sub(
        (
            r"\s+(?:to|for|on|in)\s+(?:the|each|every|all|my|it|this|them)\b(?:\s+[\w-]+){0,3}$|"
            r"\s+(?:to it|too|as well|zu(?:m|r)? \w+|à la \w+|a la \w+)$"
        ),
        "",
        what,
        flags=re.IGNORECASE,
    )


def _add(change: Change, clause: str, prepared: Prepared) -> bool:
    match = _ADD.match(clause) or _MORE.match(clause)
    if match is None:
        return False
    what = _bare(match["what"] or match.groupdict().get("bare") or "")
    what, wanted = without_features(what, LANGUAGES[_spoken(clause, change.spec.language)])
    change.unknown += [prepared.restore(words)[:120] for words in wanted]
    if not what:
        return True
    found = read_fields(what, prepared, _spoken(clause, change.spec.language))
    known = {item.label.lower() for item in change.spec.fields}
    fresh = [item for item in found if item.label.lower() not in known]
    for item in found:
        old = next((other for other in change.spec.fields if other.label.lower() == item.label.lower()), None)
        if old and item.type == "choice" and item.options:
            retype_field(change, old, item)
    added = new_fields(change, fresh)
    change.added += added
    change.spec = replace(change.spec, fields=(*change.spec.fields, *added))
    change.notes += [("added", item.label) for item in added]
    if not added and found:
        change.notes += [
            ("there", item.label) for item in found if item.label.lower() in known and item.type != "choice"
        ]
    return bool(found)


def _become(change: Change, clause: str, prepared: Prepared) -> bool:
    """ "make rating a number", "status should be one of a, b or c"."""
    language: Language = LANGUAGES[change.spec.language]
    words = re.sub(rf"^{_POLITE}(?:make|let|turn|change)\s+", "", clause, flags=re.IGNORECASE)
    words = re.sub(r"\s+(?:should|must|can|into|to)\s+(?:be\s+)?", " as ", words, count=1, flags=re.IGNORECASE)
    for item in read_fields(words, prepared, language.code)[:1]:
        old = matching_field(item.label, change.spec.fields)
        if old and item.type == "choice" and item.options:
            retype_field(change, old, item)
            return True
    match = _BECOME.match(clause)
    kind = named_type(match["kind"]) if match else None
    old = matching_field(prepared.restore(match["what"]), change.spec.fields) if match else None
    if kind is None or old is None or kind == "choice":
        return False
    retype_field(change, old, Found(old.label, kind))
    return True


def _wished(change: Change, wishes: Wishes) -> None:
    spec = change.spec
    if wishes.title:
        spec, note = replace(spec, title=wishes.title), ("titled", wishes.title)
        change.notes.append(note)
    if wishes.accent:
        spec = replace(spec, accent=wishes.accent)
        change.notes.append(("coloured", wishes.accent))
    if wishes.scheme:
        spec = replace(spec, scheme="dark" if wishes.scheme == "dark" else "light")
        change.notes.append((wishes.scheme, ""))
    if spec.kind == "records":
        spec = _listed(change, wishes, spec)
    change.spec = spec


def _listed(change: Change, wishes: Wishes, spec: AppSpec) -> AppSpec:
    if sort := chosen_sort(wishes, spec):
        spec = replace(spec, sort=sort)
        item = spec.field_named(sort.field)
        change.notes.append(("sorted", item.label if item else ""))
    elif wishes.sort_key:
        change.unknown.append(wishes.sort_key)
    if totals := chosen_totals(wishes, spec):
        spec = replace(spec, totals=totals)
        change.notes.append(("totals", ", ".join(item.label for name in totals if (item := spec.field_named(name)))))
    if wishes.search:
        spec = replace(spec, search=True)
        change.notes.append(("search", ""))
    if wishes.mail_to:
        fields, mail = with_recipient(spec.fields, wishes, spec.language)
        added = [item for item in fields if item.name not in {known.name for known in spec.fields}]
        change.added += added
        change.notes += [("added", item.label) for item in added]
        spec = replace(spec, fields=fields, mail=mail)
        change.notes.append(("mail", ""))
    return spec
