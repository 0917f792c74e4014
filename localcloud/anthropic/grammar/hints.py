"""Words that give the type of a field away: named outright ("a number"), or suggested by the label ("due date")."""

from __future__ import annotations

import re
from functools import cache

from localcloud.anthropic.spec import FieldType

# Participles without -ed that people put beside "date" and "by".
PARTICIPLES = (
    r"bought|sold|paid|sent|begun|lent|born|made|read|seen|found|built|given|taken|written|done|gone|got|met|won|lost|"
    r"brought|caught|held|kept|left|put|set|shot|spent|taught|told|cut|hit|run|broken|chosen|driven|eaten|grown|known"
)

# A word (or words) inside a label that gives the kind of its value away, by language; read as a whole-word regex.
HINTS: dict[str, tuple[tuple[FieldType, str], ...]] = {
    "en": (
        ("text", (r"day of the week|weekday|"
r"(?:serial|account|order|invoice|model|flight|card|licen[cs]e|part|membership|"
r"member|registration|id|reference|"
         r"tracking|ticket|bank|passport|lot|batch|tax|insurance|plate|customer|policy|apartment|flat|unit|"
r"catalog|case|house|room) numbers?")),
        ("email", r"e-?mail(?: address(?:es)?)?|mail address"),
        ("phone", (r"(?:tele)?phone(?: numbers?)?|mobile(?: number)?|cell(?:phone)?(?: number)?|"
r"tel|fax(?: number)?|whatsapp")),
        ("url", r"url|link|website|web ?page|homepage|web (?:address|site)|hyperlink"),
        ("longtext", (r"notes?|descriptions?|comments?|messages?|details|remarks?|summary|ingredients|instructions|"
         r"directions|biography|bio|feedback|thoughts|body|paragraph|steps|story|review text|long text|explanation")),
        ("date", (rf"^(?:date|day) (?:it|they|i|we|you|he|she|the|this|my|of(?! the week)|when|on|that|which|for|"
         rf"in|out|due|\w+ed|{PARTICIPLES})\b.*|"
         r"dates?|day|deadline|birthday|birthdate|anniversary|due(?: back)?|(?:\w+ed|bought|"
r"sold|paid|sent|begun|lent|born) on|"
         r"(?:\w+ed|bought|sold|sent|lent) (?:date|day)|expiry|expires|when|due|last (?:\w+ed|seen|done|read|met)")),
        ("time", r"time|time of day|hour of day|start time|end time|arrival time|departure time"),
        ("money", (r"price|prices|costs?|amount|fees?|salary|budget|balance|revenue|wage|rent|payment|deposit|expense|"
         r"tip|income|worth|debt|donation|rate per hour|hourly rate|discount amount|total")),
        ("number", (r"[\w-]+s (?:left|remaining)|"
         r"(?:the )?number (?:of(?: \w+)*|\w+ing)|number|how many|how much|count|quantity|qty|"
r"amount of \w+|age|years?|rating|"
         r"score|points|stars|weight|height|length|width|depth|size in \w+|distance|speed|duration|minutes|hours|"
         r"days|seconds|weeks|months|pages|calories|kcal|reps|sets|laps|percent|percentage|temperature|"
         r"time (?:spent|taken|needed)|(?:running|cooking|prep) time|kilometers|kilometres|"
r"km|kg|kilos|pounds|lbs|miles|grams|liters|litres|capacity|stock|seats|"
r"servings|"
         r"portions|priority number|party size|population|mileage|volume|humidity|pulse|steps taken|floor")),
        ("boolean", (r"yes ?no|done|finished|completed?|paid|(?:is|was|are|has been|have been|"
r"already|if|whether)(?: \w+)+|"
         r"checked|(?!\w*(?:eed|bed|shed|sled|hundred)\b)\w{3,}ed|done|taken|sold|sent|seen|lent|eaten|"
         r"active|enabled|approved|attending|sold out|in stock|read yet|bought|archived|verified|urgent")),
    ),
    "de": (
        ("email", r"e-?mail(?:-?adresse)?|mailadresse|mail"),
        ("phone", r"telefon(?:nummer)?|handy(?:nummer)?|mobilnummer|rufnummer"),
        ("url", r"url|link|webseite|website|homepage|internetadresse"),
        ("longtext", (r"notiz(?:en)?|beschreibung|kommentare?|bemerkung(?:en)?|nachricht|zutaten|"
r"anleitung|anmerkung(?:en)?|details")),
        ("date", r"(?:\w*)datum|geburtstag|termin|frist|tag|fällig(?:keit)?|(?:ge\w+) am"),
        ("time", r"uhrzeit|zeit|(?:start|end|ankunfts|abfahrts)zeit"),
        ("money", r"(?:\w*)preis|kosten|betrag|gehalt|budget|miete|gebühr|umsatz|einnahmen?|ausgaben?"),
        ("number", (r"anzahl|menge|alter|bewertung|punkte|sterne|(?:\w*)gewicht|größe|höhe|länge|"
r"breite|entfernung|dauer|minuten|"
         r"stunden|tage|seiten(?:zahl)?|kalorien|zahl|jahr|baujahr|kilometer|km|kg|portionen|temperatur|note")),
        ("boolean", r"ja ?nein|erledigt|fertig|bezahlt|gelesen|aktiv|ob (?:\w+ ?)+|abgeschlossen|gekauft|dabei"),
    ),
    "fr": (
        ("email", r"e-?mail|courriel|mél|adresse e-?mail|adresse électronique"),
        ("phone", r"téléphone|numéro de téléphone|portable|mobile|tél"),
        ("url", r"url|lien|site|site web|page web"),
        ("longtext", r"notes?|descriptions?|commentaires?|remarques?|message|ingrédients|instructions|détails"),
        ("date", r"dates?(?: \w+)*|anniversaire|jour|échéance"),
        ("time", r"heure(?: \w+)*|horaire"),
        ("money", r"prix|coûts?|montant|salaire|budget|loyer|frais|revenu|dépense"),
        ("number", (r"nombre(?: d[eu'] ?\w+)?|quantité|âge|évaluation|points|étoiles|poids|taille|"
r"hauteur|longueur|largeur|"
         r"distance|durée|minutes|heures|jours|pages|calories|année|kilomètres|km|kg|portions|température|numéro")),
        ("boolean", r"oui ?non|fait|terminée?|payée?|lu|actif|si (?:\w+ ?)+|achetée?"),
    ),
    "es": (
        ("email", r"e-?mail|correo(?: electrónico)?|dirección de correo"),
        ("phone", r"teléfono|número de teléfono|móvil|celular"),
        ("url", r"url|enlace|sitio web|página web|web"),
        ("longtext", r"notas?|descripción|comentarios?|observaciones|mensaje|ingredientes|instrucciones|detalles"),
        ("date", r"fecha(?: \w+)*|cumpleaños|día|vencimiento|plazo"),
        ("time", r"hora(?: \w+)*|horario"),
        ("money", r"precio|costo|coste|importe|monto|salario|presupuesto|alquiler|gasto|ingreso"),
        ("number", (r"número(?: de \w+)?|cantidad|edad|puntuación|puntos|estrellas|peso|altura|"
r"tamaño|longitud|distancia|"
         r"duración|minutos|horas|días|páginas|calorías|año|kilómetros|km|kg|porciones|temperatura|calificación")),
        ("boolean", r"sí ?no|si ?no|hecho|hecha|terminad[oa]|pagad[oa]|leíd[oa]|activ[oa]|comprad[oa]"),
    ),
}  # fmt: skip

# Words that name a type outright: "(number)", "as a date", "a yes/no field called …".
TYPE_WORDS: tuple[tuple[FieldType, str], ...] = (
    (
        "boolean",
        (
            r"yesno|yes or no|boolean|bool|check ?box|tick ?box|toggle|switch|flag|true false|true or false|"
            r"on off|ja oder nein|oui ou non|sí o no|wahrheitswert|janein|ouinon|síno|sino|"
            r"booléen|booleano|casilla|case à cocher"
        ),
    ),
    ("email", r"e-?mail(?: address)?|mail address|e-?mail-?adresse|courriel|correo electrónico"),
    ("phone", r"(?:tele)?phone(?: number)?|telefonnummer|telefon|téléphone|teléfono"),
    ("url", r"url|link|web ?(?:address|site)|hyperlink|webadresse|lien|enlace"),
    (
        "longtext",
        (
            r"long(?:er)? text|text ?area|multi-?line(?: text)?|paragraph|free text|"
            r"big text|rich text|langer text|"
            r"texte long|texto largo|mehrzeilig"
        ),
    ),
    (
        "money",
        (
            r"money|currency|price|amount of money|monetary(?: amount| value)?|decimal "
            r"money|geldbetrag|geld|montant|dinero"
        ),
    ),
    ("time", r"time(?: of day)?|clock time|uhrzeit|heure|hora"),
    ("date", r"(?:calendar )?date|day|datum|fecha"),
    (
        "choice",
        (
            r"choice|choices|drop-?down|select(?:ion)?|enum|options?|single choice|multiple choice|pick ?list|"
            r"radio|"
            r"auswahl|choix|opción|selección|menu"
        ),
    ),
    (
        "number",
        (
            r"number|numeric(?: value)?|numerical(?: value)?|integer|int|decimal|float|"
            r"whole number|digits?|zahl|nummer|"
            r"ganzzahl|número|entier|entero|numérique|numérico"
        ),
    ),
    ("text", r"(?:short |plain |free |single-?line )?text|string|words?|line of text|texto?e?|varchar|textfeld"),
)
# What may follow the head of a name: nothing, a preposition, a participle.
_HEAD = re.compile(
    (
        r"\s*(?:$|\(|(?:of|in|per|for|on|to|at|from|by|von|der|des|pro|am|due|out|slept|worked|left|"
        r"paid|spent|sold|used|taken|needed|\w+ed)\b)"
    ),
    re.IGNORECASE,
)


@cache
def type_pattern() -> re.Pattern[str]:
    """Matches a whole string that names a type, with one named group per type."""
    groups = "|".join(f"(?P<{kind}>{words})" for kind, words in TYPE_WORDS)
    return re.compile(
        rf"(?:an? |ein(?:e|en)? |une? |una? )?(?:{groups})(?: (?:field|value|input|column|box|feld|champ|campo))?",
        re.IGNORECASE,
    )


def named_type(words: str) -> FieldType | None:
    """The type that `words` as a whole name, such as `a number`; None for anything else."""
    match = type_pattern().fullmatch(words.strip())
    return match.lastgroup if match else None  # type: ignore[return-value]


@cache
def _hints(code: str) -> tuple[tuple[FieldType, re.Pattern[str]], ...]:
    own = HINTS[code] + (HINTS["en"] if code != "en" else ())
    return tuple((kind, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for kind, words in own)


def hinted_type(label: str, code: str) -> FieldType | None:
    """The type the words of a label suggest.

    In English and German the head of a name stands last ("purchase date", but "date of birth"); in French and Spanish
    it stands first. Words for yes/no count only when they are the whole label ("paid", not "amount paid").
    """
    found: list[tuple[int, int, FieldType]] = []
    for kind, pattern in _hints(code):
        if kind == "boolean":
            if pattern.fullmatch(label.strip()):
                return kind
            continue
        found += [(match.start(), match.end(), kind) for match in pattern.finditer(label)]
    if code in ("fr", "es"):
        return min(found, key=lambda hit: (hit[0], -hit[1]))[2] if found else None
    heads = [hit for hit in found if _HEAD.match(label, hit[1])]
    return max(heads, key=lambda hit: (hit[1], hit[1] - hit[0]))[2] if heads else None
