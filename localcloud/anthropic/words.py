"""What generated apps say to the people who use them, in the four languages the builder speaks.

`{one}` and `{many}` are what the app records. Every phrase is plain text; whoever puts it into code escapes it there.
"""

from __future__ import annotations

from localcloud.anthropic.names import sentence_case
from localcloud.anthropic.spec import AppSpec

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "new": "New {one}", "add": "Add {one}", "save": "Save changes", "edit": "Edit", "edit_title": "Edit {one}",
        "delete": "Delete", "keep": "Keep it", "cancel": "Cancel", "retry": "Try again", "loading": "Loading {many}",
        "empty": "No {many} yet", "empty_hint": "Add the first one with the form.", "list": "{Many}",
        "delete_text": "This cannot be undone.", "missing": "There is no such entry any more.",
        "required": "{label} is needed.", "invalid": "", "choose": "Choose", "none": "None", "search": "Search",
        "no_match": "Nothing matches what you search for.", "total": "Total", "yes": "Yes", "no": "No",
        "subject": "New {one}", "greeting": "A new {one} was added to {title}:", "thanks": "Thank you. This is what {title} received:",
        "thanks_subject": "{title}: we have your {one}", "sent": "Mail sent to", "no_address": "No mail was sent: the entry has no address.",
        "mail_label": "Mail new entries to", "mail_goes": "New entries are mailed to", "mail_test": " (a test inbox until you set an address)",
        "mail_off": ". Mail is not connected, so nothing is sent yet.", "change": "Change", "save_short": "Save",
        "needed": "An address is needed.", "not_sent": "Saved. The mail was not sent:", "reset": "Reset",
        "start": "Start", "pause": "Pause", "lap": "Lap", "minutes": "Minutes", "seconds": "Seconds", "done": "Time is up",
        "from": "From", "to": "To", "value": "Value", "result": "Result", "clear": "Clear", "swap": "Swap", "up": "Add one", "down": "Take one away",
    },
    "de": {
        "new": "Neuer Eintrag", "add": "Eintrag hinzufügen", "save": "Änderungen speichern", "edit": "Bearbeiten", "edit_title": "Eintrag bearbeiten",
        "delete": "Löschen", "keep": "Behalten", "cancel": "Abbrechen", "retry": "Nochmal versuchen", "loading": "Einträge werden geladen",
        "empty": "Noch keine Einträge", "empty_hint": "Mit dem Formular kommt der erste dazu.", "list": "{Many}",
        "delete_text": "Das lässt sich nicht rückgängig machen.", "missing": "Diesen Eintrag gibt es nicht mehr.",
        "required": "{label} fehlt noch.", "invalid": "{label}: Diese Angabe passt nicht.", "choose": "Auswählen", "none": "Keine Angabe", "search": "Suchen",
        "no_match": "Nichts passt zu dieser Suche.", "total": "Summe", "yes": "Ja", "no": "Nein",
        "subject": "Neuer Eintrag: {title}", "greeting": "Ein neuer Eintrag in {title}:", "thanks": "Danke. Das ist bei {title} angekommen:",
        "thanks_subject": "{title}: Ihr Eintrag ist angekommen", "sent": "Mail geschickt an", "no_address": "Keine Mail geschickt: Der Eintrag hat keine Adresse.",
        "mail_label": "Neue Einträge mailen an", "mail_goes": "Neue Einträge gehen per Mail an", "mail_test": " (ein Testpostfach, bis eine Adresse eingetragen ist)",
        "mail_off": ". Mail ist nicht verbunden, es wird noch nichts verschickt.", "change": "Ändern", "save_short": "Speichern",
        "needed": "Eine Adresse fehlt noch.", "not_sent": "Gespeichert. Die Mail ging nicht raus:", "reset": "Zurücksetzen",
        "start": "Start", "pause": "Pause", "lap": "Runde", "minutes": "Minuten", "seconds": "Sekunden", "done": "Die Zeit ist um",
        "from": "Von", "to": "Nach", "value": "Wert", "result": "Ergebnis", "clear": "Löschen", "swap": "Tauschen", "up": "Eins mehr", "down": "Eins weniger",
    },
    "fr": {
        "new": "Nouvelle entrée", "add": "Ajouter", "save": "Enregistrer", "edit": "Modifier", "edit_title": "Modifier l’entrée",
        "delete": "Supprimer", "keep": "Garder", "cancel": "Annuler", "retry": "Réessayer", "loading": "Chargement",
        "empty": "Aucune entrée pour l’instant", "empty_hint": "Ajoutez la première avec le formulaire.", "list": "{Many}",
        "delete_text": "Cette action est définitive.", "missing": "Cette entrée n’existe plus.",
        "required": "{label} : à remplir.", "invalid": "{label} : cette valeur ne convient pas.", "choose": "Choisir", "none": "Aucun", "search": "Rechercher",
        "no_match": "Rien ne correspond à cette recherche.", "total": "Total", "yes": "Oui", "no": "Non",
        "subject": "Nouvelle entrée : {title}", "greeting": "Une nouvelle entrée dans {title} :", "thanks": "Merci. Voici ce que {title} a reçu :",
        "thanks_subject": "{title} : bien reçu", "sent": "E-mail envoyé à", "no_address": "Aucun e-mail envoyé : l’entrée n’a pas d’adresse.",
        "mail_label": "Envoyer les nouvelles entrées à", "mail_goes": "Les nouvelles entrées sont envoyées à", "mail_test": " (une boîte de test, tant qu’aucune adresse n’est donnée)",
        "mail_off": ". L’e-mail n’est pas connecté : rien n’est encore envoyé.", "change": "Changer", "save_short": "Enregistrer",
        "needed": "Il manque une adresse.", "not_sent": "Enregistré. L’e-mail n’est pas parti :", "reset": "Remettre à zéro",
        "start": "Démarrer", "pause": "Pause", "lap": "Tour", "minutes": "Minutes", "seconds": "Secondes", "done": "C’est fini",
        "from": "De", "to": "Vers", "value": "Valeur", "result": "Résultat", "clear": "Effacer", "swap": "Inverser", "up": "Un de plus", "down": "Un de moins",
    },
    "es": {
        "new": "Nueva entrada", "add": "Añadir", "save": "Guardar cambios", "edit": "Editar", "edit_title": "Editar la entrada",
        "delete": "Borrar", "keep": "Conservar", "cancel": "Cancelar", "retry": "Reintentar", "loading": "Cargando",
        "empty": "Todavía no hay entradas", "empty_hint": "Añade la primera con el formulario.", "list": "{Many}",
        "delete_text": "No se puede deshacer.", "missing": "Esta entrada ya no existe.",
        "required": "Falta: {label}.", "invalid": "{label}: este valor no es válido.", "choose": "Elegir", "none": "Ninguno", "search": "Buscar",
        "no_match": "Nada coincide con la búsqueda.", "total": "Total", "yes": "Sí", "no": "No",
        "subject": "Nueva entrada: {title}", "greeting": "Una nueva entrada en {title}:", "thanks": "Gracias. Esto es lo que recibió {title}:",
        "thanks_subject": "{title}: lo hemos recibido", "sent": "Correo enviado a", "no_address": "No se envió ningún correo: la entrada no tiene dirección.",
        "mail_label": "Enviar las nuevas entradas a", "mail_goes": "Las nuevas entradas se envían a", "mail_test": " (un buzón de prueba hasta que pongas una dirección)",
        "mail_off": ". El correo no está conectado: todavía no se envía nada.", "change": "Cambiar", "save_short": "Guardar",
        "needed": "Falta una dirección.", "not_sent": "Guardado. El correo no salió:", "reset": "Reiniciar",
        "start": "Empezar", "pause": "Pausa", "lap": "Vuelta", "minutes": "Minutos", "seconds": "Segundos", "done": "Se acabó el tiempo",
        "from": "De", "to": "A", "value": "Valor", "result": "Resultado", "clear": "Borrar", "swap": "Invertir", "up": "Uno más", "down": "Uno menos",
    },
}  # fmt: skip


def say(spec: AppSpec, key: str, label: str = "") -> str:
    """The phrase `key` in the app's language, filled in."""
    filled = _WORDS[spec.language][key]
    values = {
        "{one}": spec.one,
        "{many}": spec.many,
        "{Many}": sentence_case(spec.many),
        "{title}": spec.title,
        "{label}": label,
    }
    return "".join(values.get(part, part) for part in _split(filled))


def _split(phrase: str) -> list[str]:
    """Cut a phrase at its placeholders, so that no value is ever searched for another placeholder."""
    parts, rest = [], phrase
    while "{" in rest:
        before, _, after = rest.partition("{")
        name, _, rest = after.partition("}")
        parts += [before, f"{{{name}}}"]
    return [*parts, rest]
