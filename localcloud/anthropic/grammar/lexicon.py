"""The small words of four languages: what joins a list, what names a type, what asks for a list of things.

None of it names what a person might record. It names how people talk about fields: "with", "each", "one of",
"yes/no", "e-mail". A language this file does not know is read by its commas alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    r"web ?app|program|software|crud|dashboard|portal|crm|notebook|schedule|calendar|survey|questionnaire|sheet|poll",
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

BARE_LABELS: dict[FieldType, str] = {
    "email": "E-mail", "phone": "Phone", "url": "Link", "date": "Date", "time": "Time", "number": "Number",
    "money": "Amount", "boolean": "Done", "choice": "Kind", "text": "Text", "longtext": "Notes",
}  # fmt: skip

NAME_WORDS = {
    "en": ("Name", "Notes", "E-mail"), "de": ("Name", "Notizen", "E-Mail"), "fr": ("Nom", "Notes", "E-mail"),
    "es": ("Nombre", "Notas", "Correo electrónico"),
}  # fmt: skip


def detect(text: str) -> str:
    """The language that at least two small words of `text` belong to; English when there is none."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    scores = {code: sum(word in language.common for word in words) for code, language in LANGUAGES.items()}
    best = max(scores, key=lambda code: (scores[code], code == "en"))
    return best if scores[best] > 1 else "en"
