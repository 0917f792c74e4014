"""The small words of four languages: what joins a list, what names a type, what asks for a list of things.

None of it names what a person might record. It names how people talk about fields: "with", "each", "one of",
"yes/no", "e-mail". A language this file does not know is read by its commas alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from localcloud.anthropic.spec import FieldType


@dataclass(frozen=True, slots=True)
class Language:
    """Word classes as regular expression alternatives (no capturing groups inside)."""

    code: str
    common: frozenset[str]  # words that give the language away
    article: str
    and_: str
    or_: str
    with_: str  # opens a list of fields
    each: str
    collection: str  # "list", "tracker": a word for the app rather than for what it holds
    of: str
    keep: str  # verbs in front of what is recorded
    stop: str  # words that end the name of what is recorded


ENGLISH = Language(
    code="en",
    common=frozenset(
        [
            "the",
            "a",
            "an",
            "with",
            "and",
            "of",
            "my",
            "for",
            "each",
            "has",
            "that",
            "is",
            "i",
            "to",
            "want",
            "track",
            "list",
            "app",
            "build",
            "make",
            "keep",
        ]
    ),
    article=(
        r"an?|the|its|it's|their|his|her|my|our|your|some|any|this|that|these|those|"
        r"also|maybe|perhaps|optionally|plus"
    ),
    and_=r"and|as well as|along with|&",
    or_=r"or",
    with_=r"with|has|have|having|includes?|including|contains?|containing|consisting of|consists of|stores|storing|"
    r"captures|capturing|needs?|requires?|showing|made (?:up )?of|described by|"
    r"asks? (?:me )?for|asking for|by their|by its",
    each=r"each|every|all|per|one",
    collection=r"list|tracker|log|logbook|diary|journal|database|catalog|catalogue|collection|inventory|register|"
    r"registry|manager|directory|planner|organi[sz]er|organi[sz]ing tool|archive|book|record|records|board|overview|"
    r"table|index|library|system|organiser|roster|ledger|history|app|application|tool|site|website|page|form|"
    r"web ?app|program|software|crud|dashboard|portal|crm|notebook|schedule|calendar|survey|questionnaire",
    of=r"to track|to keep track of|to manage|to record|to log|to store|to list|to collect|to save|"
    r"to organi[sz]e|to note(?: down)?|to remember|to register|that tracks|that records|that lists|that manages|"
    r"that stores|"
    r"that collects|that logs|that keeps|which tracks|which records|which stores|tracking|recording|listing|managing|"
    r"collecting|storing|logging|where i (?:can )?(?:track|record|log|store|keep|save|list|note|enter|add|manage)|"
    r"where (?:we|you|people|users|visitors|customers|guests|members) (?:can )?"
    r"(?:track|record|log|store|keep|save|list|note|enter|add|manage|leave|submit|register|sign up for)|"
    r"for tracking|for recording|for managing|for logging|for keeping|for storing|"
    r"for collecting|for listing|to manage|of|for|about",
    keep=r"keep track of|keep a record of|keep record of|keep tabs on|keep(?! track|"
    r" a record| record| tabs)|track|record|log|manage|collect|store|save|"
    r"organi[sz]e|catalog(?:u?e)?|list|remember|register|note down|note|write down|"
    r"document|monitor|save|archive|"
    r"book(?= (?:an?|the|my|our)\b)|add|enter|plan|maintain|administer|review|rate|submit|share",
    stop=r"with|that|which|where|who|when|so|using|in|on|from|by|at|and|or|i|we|it|they|people|has|have|having|"
    r"including|includes|containing|each|every|to|for|as|is|are|because|while|of|called|named|please|showing|"
    r"sorted|ordered|titled|whose|needs|should|must|can|about|per|then|also|if|recording|storing|noting|asking|"
    r"collecting|capturing|contains|stores|consisting|made|together|along|plus|me|us|you|there|here|like",
)

GERMAN = Language(
    code="de",
    common=frozenset(
        [
            "der",
            "die",
            "das",
            "eine",
            "einen",
            "ein",
            "mit",
            "und",
            "für",
            "von",
            "ich",
            "meine",
            "meiner",
            "jede",
            "jedes",
            "jeder",
            "liste",
            "möchte",
            "bitte",
        ]
    ),
    article=(
        r"der|die|das|den|dem|des|eine?|einen|einem|einer|eines|meine?n?|meiner|"
        r"meinem|ihre?n?|seine?n?|sein|ihr|auch"
    ),
    and_=r"und|sowie",
    or_=r"oder",
    with_=r"mit|hat|haben|enth[aä]lt|enthalten|inklusive|samt|bestehend aus|besteht aus",
    each=r"jede[rsnm]?|alle|pro",
    collection=r"liste|tracker|tagebuch|verzeichnis|datenbank|katalog|sammlung|inventar|register|verwaltung|planer|"
    r"archiv|buch|übersicht|tabelle|app|anwendung|programm|seite|webseite|formular|kartei|protokoll|logbuch|umfrage",
    of=r"von|für|über|zum verwalten von|zur verwaltung von|zum erfassen von|der|des|meiner|unserer",
    keep=r"verwalten?|verwalte|erfassen?|erfasse|speichern?|speichere|sammeln?|sammle|notieren?|notiere|führen?|"
    r"eintragen|aufzeichnen|auflisten|festhalten|dokumentieren?|tracken|tracke|merken?",
    stop=r"mit|die|der|das|und|oder|wo|wenn|in|auf|aus|bei|zu|zum|zur|für|von|hat|haben|jede[rsnm]?|ich|wir|sie|es|"
    r"bitte|namens|genannt|sowie|samt|inklusive|verwalten|erfassen|speichern|sammeln|kann|können|soll|als|ist|sind",
)

FRENCH = Language(
    code="fr",
    common=frozenset(
        [
            "le",
            "la",
            "les",
            "un",
            "une",
            "des",
            "avec",
            "et",
            "de",
            "mes",
            "mon",
            "pour",
            "chaque",
            "je",
            "veux",
            "liste",
            "du",
            "dans",
            "qui",
            "est",
        ]
    ),
    article=r"le|la|les|l|un|une|des|du|de|d|mon|ma|mes|son|sa|ses|leur|leurs|notre|nos|aussi",
    and_=r"et|ainsi que",
    or_=r"ou",
    with_=r"avec|a|ont|ayant|contenant|contient|comprenant|comprend|incluant",
    each=r"chaque|tous les|toutes les|par",
    collection=r"liste|suivi|journal|base de données|base|catalogue|collection|inventaire|registre|gestionnaire|"
    r"annuaire|carnet|agenda|archive|tableau|application|appli|app|outil|site|page|formulaire|sondage|gestion",
    of=r"de la|de l'|de|des|du|d'|pour gérer|pour suivre|pour noter|pour enregistrer|pour|sur",
    keep=r"gérer|gère|suivre|suis|noter|note|enregistrer|enregistre|stocker|collecter|lister|garder|tenir|organiser",
    stop=r"avec|qui|que|où|dans|sur|et|ou|pour|par|a|ont|ayant|chaque|je|nous|il|elle|appelée?|nommée?|s'il|"
    r"contenant|comprenant|incluant|de|du|des|est|sont",
)

SPANISH = Language(
    code="es",
    common=frozenset(
        [
            "el",
            "los",
            "las",
            "un",
            "una",
            "con",
            "y",
            "de",
            "mis",
            "mi",
            "para",
            "cada",
            "quiero",
            "lista",
            "del",
            "en",
            "que",
            "es",
            "por",
        ]
    ),
    article=r"el|la|los|las|un|una|unos|unas|mi|mis|su|sus|nuestro|nuestra|nuestros|nuestras|también",
    and_=r"y|e|así como",
    or_=r"o|u",
    with_=r"con|tiene|tienen|que tenga|incluyendo|incluye|contiene|que contenga",
    each=r"cada|todos los|todas las|por",
    collection=r"lista|registro|diario|base de datos|catálogo|colección|inventario|gestor|directorio|agenda|archivo|"
    r"tabla|aplicación|app|herramienta|sitio|página|formulario|cuaderno|control|encuesta|listado",
    of=r"de la|de los|de las|de|del|para gestionar|para registrar|para guardar|para anotar|para|sobre",
    keep=r"gestionar|registrar|guardar|anotar|apuntar|llevar|organizar|almacenar|recoger|listar|controlar",
    stop=r"con|que|donde|en|y|o|para|por|tiene|tienen|cada|yo|nosotros|llamada?|incluyendo|de|del|es|son|cuando",
)

LANGUAGES = {language.code: language for language in (ENGLISH, GERMAN, FRENCH, SPANISH)}

# A word (or words) inside a label that gives the kind of its value away, by language; read as a whole-word regex.
HINTS: dict[str, tuple[tuple[FieldType, str], ...]] = {
    "en": (
        ("text", (r"(?:serial|account|order|invoice|model|flight|card|licen[cs]e|part|membership|"
r"member|registration|id|reference|"
         r"tracking|ticket|bank|passport|lot|batch|tax|insurance|plate|customer|policy|"
r"catalog|case|house|room) numbers?")),
        ("email", r"e-?mail(?: address(?:es)?)?|mail address"),
        ("phone", (r"(?:tele)?phone(?: numbers?)?|mobile(?: number)?|cell(?:phone)?(?: number)?|"
r"tel|fax(?: number)?|whatsapp")),
        ("url", r"url|link|website|web ?page|homepage|web (?:address|site)|hyperlink"),
        ("longtext", (r"notes?|descriptions?|comments?|messages?|details|remarks?|summary|ingredients|instructions|"
         r"directions|biography|bio|feedback|thoughts|body|paragraph|steps|story|review text|long text|explanation")),
        ("date", (r"dates?|day|deadline|birthday|birthdate|anniversary|due|(?:\w+ed|bought|"
r"sold|paid|sent|begun|lent|born) on|"
         r"(?:\w+ed|bought|sold|sent|lent) (?:date|day)|expiry|expires|when|due|last \w+(?:ed|seen|done|read|met)")),
        ("time", r"time|time of day|hour of day|start time|end time|arrival time|departure time"),
        ("money", (r"price|prices|costs?|amount|fees?|salary|budget|balance|revenue|wage|rent|payment|deposit|expense|"
         r"tip|income|worth|debt|donation|rate per hour|hourly rate|discount amount|total")),
        ("number", (r"(?:the )?number (?:of(?: \w+)*|\w+ing)|number|how many|how much|count|quantity|qty|"
r"amount of \w+|age|years?|rating|"
         r"score|points|stars|weight|height|length|width|depth|size in \w+|distance|speed|duration|minutes|hours|"
         r"days|seconds|weeks|months|pages|calories|kcal|reps|sets|laps|percent|percentage|temperature|"
         r"time (?:spent|taken|needed)|(?:running|cooking|prep) time|kilometers|kilometres|"
r"km|kg|kilos|pounds|lbs|miles|grams|liters|litres|capacity|stock|seats|"
r"servings|"
         r"portions|priority number|party size|population|mileage|volume|humidity|pulse|steps taken|floor")),
        ("boolean", (r"yes ?no|done|finished|completed?|paid|(?:is|was|are|has been|have been|"
r"already|if|whether)(?: \w+)+|"
         r"checked|active|enabled|approved|attending|sold out|in stock|read yet|bought|archived|verified|urgent")),
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

BARE_LABELS: dict[FieldType, str] = {
    "email": "E-mail", "phone": "Phone", "url": "Link", "date": "Date", "time": "Time", "number": "Number",
    "money": "Amount", "boolean": "Done", "choice": "Kind", "text": "Text", "longtext": "Notes",
}  # fmt: skip

NAME_WORDS = {
    "en": ("Name", "Notes", "E-mail"), "de": ("Name", "Notizen", "E-Mail"), "fr": ("Nom", "Notes", "E-mail"),
    "es": ("Nombre", "Notas", "Correo electrónico"),
}  # fmt: skip


# What may follow the head of a name: nothing, a preposition, a participle.
_HEAD = re.compile(
    r"\s*(?:$|\(|(?:of|in|per|for|on|to|at|from|by|von|der|des|pro|am|due|left|paid|spent|sold|used|taken|needed|\w+ed)\b)",
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


def detect(text: str) -> str:
    """The language that at least two small words of `text` belong to; English when there is none."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    scores = {code: sum(word in language.common for word in words) for code, language in LANGUAGES.items()}
    best = max(scores, key=lambda code: (scores[code], code == "en"))
    return best if scores[best] > 1 else "en"
