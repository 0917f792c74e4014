"""What the builder says to the person: what it is doing, and at the end what it did, how it knows, and what it is."""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.anthropic.spec import AppSpec

_T: dict[str, dict[str, str]] = {
    "en": {
        "look": "First a look at what this app has to work with: the names in `.env` (not their values) and the files.",
        "plan": "I read your sentence as an app called “{title}” that records {many}: {fields}.",
        "plan_tool": "I read your sentence as a small tool that stores nothing: {title}.",
        "read": "Reading the files I am about to change.",
        "table": "First the table in Postgres.", "migrate": "Running the migration.",
        "server": "Now the server: list, add, change and delete, each checked before it reaches the database.",
        "client": "And the page: form, list, and what to show while it loads, is empty or fails.",
        "types": "Checking that all of it fits together.", "http": "Trying it over HTTP: an empty entry must be refused, a good one kept.",
        "life": "Changing, reading and deleting that entry again.", "again": "The file was not taken; reading and writing it again.",
        "update": "Changing the app's description and its files.",
        "done": "**{title}** is ready. It records {fields} in the table `{table}` of its own Postgres database; entries can be added, edited and deleted, {order}.",
        "done_tool": "**{title}** is ready. It works in the browser alone and stores nothing.",
        "newest": "newest first", "sorted": "sorted by {label}",
        "mail_owner": "Each new entry is mailed to {address}; the address can be changed under the form.",
        "mail_test": "You named no address for the mails, so they go to Resend's test inbox ({address}) until you put yours in under the form.",
        "mail_field": "Each new entry is confirmed by mail to the address in its field “{label}”.",
        "mail_sent": "The check sent one such mail.", "mail_failed": "The mail of the check was not sent: {problem}",
        "mail_missing": "Mail is not connected to this app, so nothing is sent; entries are kept all the same.",
        "checked": "I checked it: the types fit, an empty entry was refused, and one entry was added, changed, read and deleted over HTTP.",
        "checked_loose": "I checked it: the types fit, and one entry was added, changed, read and deleted over HTTP.",
        "checked_tool": "I checked it: the types fit and the page is served.",
        "unchecked": "One check did not pass: {problem}", "no_database": "No database is connected to this app, so nothing can be stored yet; the table is made as soon as there is one.",
        "guessed": "The sentence named no fields, so I chose {fields}; say which ones you want.",
        "secret": "I do not show or store secrets such as keys and passwords, so I left that part out.",
        "secret_only": "I do not show keys, passwords or connection addresses: they stay on the server half of the app, and their names are in the list of services beside this conversation. Nothing was changed. Tell me what the app should record and I build that.",
        "stand_in": "I am the stand-in model of this installation: I build by fixed rules from the words of your sentence, not by understanding it.",
        "nothing": "NOCHANGE. I found nothing in this sentence that I can build. I am a stand-in model that works by fixed rules: tell me what to record and with which fields, such as “a list of plants with name, watered on (date) and height (number)”, or ask for a calculator, a converter, a timer, a stopwatch or a counter.",
        "not_understood": "NOCHANGE. I did not understand this as a change to {title}, so I left it as it is. As a stand-in model I can add, remove and rename fields, change their type or options, sort, total, search, send mail for new entries, and change title and colours.",
        "question": "NOCHANGE. {title} records {fields}. I am a stand-in model that works by fixed rules, so I cannot discuss more than that; I can change fields, order, mail, title and colours.",
        "question_tool": "NOCHANGE. {title} is a small tool that stores nothing. I am a stand-in model that works by fixed rules and cannot discuss more than that.",
        "changed": "Done in **{title}**: {notes}.", "partly": "I did not understand: {words}.",
        "kept": "The column of a removed field stays in the database, so going back loses nothing.",
        "added": "added {x}", "removed": "removed {x}", "renamed": "renamed {x}", "retyped": "changed the type of {x}", "required": "made {x} required",
        "optional": "made {x} optional", "options": "added options to {x}", "titled": "called the app “{x}”", "coloured": "set the accent to {x}",
        "dark": "made it dark", "light": "made it light", "sorted_note": "changed the order", "totals": "added a total of {x}", "totals_off": "removed the totals",
        "search": "added a search box", "mail": "added mail for new entries", "mail_off": "switched mail off", "there": "{x} was there already", "and": "and",
        "failed": "I could not finish: {problem} What was written so far is in the project.",
    },
    "de": {
        "look": "Zuerst ein Blick auf das, was da ist: die Namen in `.env` (nicht ihre Werte) und die Dateien.",
        "plan": "Ich lese den Satz als App „{title}“ mit diesen Feldern: {fields}.", "plan_tool": "Ich lese den Satz als kleines Werkzeug ohne Datenbank: {title}.",
        "read": "Ich lese die Dateien, die ich ändere.", "table": "Zuerst die Tabelle in Postgres.", "migrate": "Die Migration läuft.",
        "server": "Jetzt der Server: auflisten, hinzufügen, ändern, löschen.", "client": "Und die Seite: Formular, Liste, Lade-, Leer- und Fehlerzustand.",
        "types": "Passt alles zusammen?", "http": "Ein Versuch über HTTP: Ein leerer Eintrag muss abgelehnt, ein guter behalten werden.",
        "life": "Denselben Eintrag ändern, lesen und wieder löschen.", "again": "Die Datei wurde nicht angenommen; ich lese und schreibe sie noch einmal.",
        "update": "Ich ändere die Beschreibung der App und ihre Dateien.",
        "done": "**{title}** ist fertig. Die App speichert {fields} in der Tabelle `{table}` ihrer eigenen Postgres-Datenbank; Einträge lassen sich hinzufügen, bearbeiten und löschen, {order}.",
        "done_tool": "**{title}** ist fertig. Die App läuft allein im Browser und speichert nichts.", "newest": "neueste zuerst", "sorted": "sortiert nach {label}",
        "mail_owner": "Jeder neue Eintrag geht per Mail an {address}; die Adresse lässt sich unter dem Formular ändern.",
        "mail_test": "Für die Mails war keine Adresse genannt; bis eine unter dem Formular eingetragen ist, gehen sie an Resends Testpostfach ({address}).",
        "mail_field": "Jeder neue Eintrag wird per Mail an die Adresse im Feld „{label}“ bestätigt.", "mail_sent": "Bei der Prüfung ging eine solche Mail raus.",
        "mail_failed": "Die Mail der Prüfung ging nicht raus: {problem}", "mail_missing": "Mail ist nicht verbunden; es wird nichts verschickt, Einträge bleiben trotzdem erhalten.",
        "checked": "Geprüft: Die Typen passen, ein leerer Eintrag wurde abgelehnt, und ein Eintrag wurde über HTTP angelegt, geändert, gelesen und gelöscht.",
        "checked_loose": "Geprüft: Die Typen passen, und ein Eintrag wurde über HTTP angelegt, geändert, gelesen und gelöscht.",
        "checked_tool": "Geprüft: Die Typen passen, und die Seite wird ausgeliefert.", "unchecked": "Eine Prüfung ist nicht gelungen: {problem}",
        "no_database": "Mit dieser App ist keine Datenbank verbunden; gespeichert wird erst, wenn es eine gibt.",
        "guessed": "Der Satz nannte keine Felder, also habe ich {fields} gewählt.", "secret": "Geheimnisse wie Schlüssel und Passwörter zeige ich nicht; diesen Teil habe ich weggelassen.",
        "secret_only": "Schlüssel, Passwörter und Verbindungsdaten zeige ich nicht: Sie bleiben auf dem Server der App. Es wurde nichts geändert. Sag mir, was die App speichern soll, dann baue ich das.",
        "stand_in": "Ich bin das Ersatzmodell dieser Installation: Ich baue nach festen Regeln aus den Worten des Satzes.",
        "nothing": "NOCHANGE. In diesem Satz fand ich nichts, was ich bauen kann. Ich bin ein Ersatzmodell mit festen Regeln: Nenne, was gespeichert werden soll und welche Felder es hat.",
        "not_understood": "NOCHANGE. Das habe ich nicht als Änderung an {title} verstanden und nichts verändert. Als Ersatzmodell kann ich Felder hinzufügen, entfernen und umbenennen, sortieren, summieren, suchen, Mails verschicken und Titel und Farben ändern.",
        "question": "NOCHANGE. {title} speichert {fields}. Ich bin ein Ersatzmodell mit festen Regeln und kann dazu nicht mehr sagen.",
        "question_tool": "NOCHANGE. {title} ist ein kleines Werkzeug, das nichts speichert. Ich bin ein Ersatzmodell mit festen Regeln.",
        "changed": "Erledigt in **{title}**: {notes}.", "partly": "Nicht verstanden habe ich: {words}.", "kept": "Die Spalte eines entfernten Feldes bleibt in der Datenbank; beim Zurückgehen geht nichts verloren.",
        "added": "{x} hinzugefügt", "removed": "{x} entfernt", "renamed": "{x} umbenannt", "retyped": "Typ geändert: {x}", "required": "{x} ist jetzt Pflicht", "optional": "{x} ist jetzt freiwillig",
        "options": "Auswahl erweitert: {x}", "titled": "die App heißt jetzt „{x}“", "coloured": "Farbe geändert: {x}", "dark": "dunkel gestellt", "light": "hell gestellt",
        "sorted_note": "Reihenfolge geändert", "totals": "Summe ergänzt: {x}", "totals_off": "Summen entfernt", "search": "Suche ergänzt", "mail": "Mails für neue Einträge eingerichtet",
        "mail_off": "Mails abgeschaltet", "there": "{x} gab es schon", "and": "und", "failed": "Ich konnte nicht fertig werden: {problem} Was schon geschrieben war, liegt im Projekt.",
    },
    "fr": {
        "look": "D’abord un regard sur ce qui est là : les noms dans `.env` (pas leurs valeurs) et les fichiers.",
        "plan": "Je lis cette phrase comme une app « {title} » avec ces champs : {fields}.", "plan_tool": "Je lis cette phrase comme un petit outil sans base de données : {title}.",
        "read": "Je lis les fichiers que je vais changer.", "table": "D’abord la table dans Postgres.", "migrate": "La migration s’exécute.",
        "server": "Maintenant le serveur : lister, ajouter, changer, supprimer.", "client": "Et la page : formulaire, liste, chargement, vide, erreur.",
        "types": "Tout s’accorde-t-il ?", "http": "Un essai par HTTP : une entrée vide doit être refusée, une bonne gardée.", "life": "La même entrée, changée, lue puis supprimée.",
        "again": "Le fichier n’a pas été accepté ; je le lis et l’écris à nouveau.", "update": "Je change la description de l’app et ses fichiers.",
        "done": "**{title}** est prête. Elle enregistre {fields} dans la table `{table}` de sa base Postgres ; on peut ajouter, modifier et supprimer, {order}.",
        "done_tool": "**{title}** est prête. Tout se passe dans le navigateur, rien n’est enregistré.", "newest": "les plus récentes d’abord", "sorted": "triées par {label}",
        "mail_owner": "Chaque nouvelle entrée est envoyée à {address} ; l’adresse se change sous le formulaire.",
        "mail_test": "Aucune adresse n’était donnée : les e-mails vont dans la boîte de test de Resend ({address}) jusqu’à ce que la vôtre soit sous le formulaire.",
        "mail_field": "Chaque nouvelle entrée est confirmée par e-mail à l’adresse du champ « {label} ».", "mail_sent": "L’essai a envoyé un tel e-mail.",
        "mail_failed": "L’e-mail de l’essai n’est pas parti : {problem}", "mail_missing": "L’e-mail n’est pas connecté : rien n’est envoyé, les entrées sont gardées.",
        "checked": "Vérifié : les types s’accordent, une entrée vide a été refusée, une entrée a été ajoutée, changée, lue et supprimée par HTTP.",
        "checked_loose": "Vérifié : les types s’accordent, une entrée a été ajoutée, changée, lue et supprimée par HTTP.", "checked_tool": "Vérifié : les types s’accordent et la page est servie.",
        "unchecked": "Une vérification a échoué : {problem}", "no_database": "Aucune base de données n’est connectée : rien ne peut encore être enregistré.",
        "guessed": "La phrase ne nommait aucun champ, j’ai choisi {fields}.", "secret": "Je ne montre pas de secrets comme les clés et mots de passe ; j’ai laissé cette partie de côté.",
        "secret_only": "Je ne montre ni clés, ni mots de passe, ni adresses de connexion : ils restent sur le serveur de l’app. Rien n’a été changé. Dites-moi ce que l’app doit enregistrer et je la construis.",
        "stand_in": "Je suis le modèle de remplacement de cette installation : je construis selon des règles fixes à partir des mots de la phrase.",
        "nothing": "NOCHANGE. Je n’ai rien trouvé dans cette phrase que je sache construire. Je suis un modèle de remplacement à règles fixes : dites ce qu’il faut enregistrer et avec quels champs.",
        "not_understood": "NOCHANGE. Je n’ai pas compris cela comme un changement de {title} ; rien n’a été modifié. Je sais ajouter, retirer et renommer des champs, trier, additionner, chercher, envoyer des e-mails, changer titre et couleurs.",
        "question": "NOCHANGE. {title} enregistre {fields}. Je suis un modèle de remplacement à règles fixes et ne peux en dire plus.",
        "question_tool": "NOCHANGE. {title} est un petit outil qui n’enregistre rien. Je suis un modèle de remplacement à règles fixes.",
        "changed": "Fait dans **{title}** : {notes}.", "partly": "Je n’ai pas compris : {words}.", "kept": "La colonne d’un champ retiré reste dans la base : revenir en arrière ne perd rien.",
        "added": "{x} ajouté", "removed": "{x} retiré", "renamed": "{x} renommé", "retyped": "type changé : {x}", "required": "{x} est obligatoire", "optional": "{x} est facultatif",
        "options": "choix ajoutés : {x}", "titled": "l’app s’appelle « {x} »", "coloured": "couleur changée : {x}", "dark": "thème sombre", "light": "thème clair", "sorted_note": "ordre changé",
        "totals": "total ajouté : {x}", "totals_off": "totaux retirés", "search": "recherche ajoutée", "mail": "e-mails pour les nouvelles entrées", "mail_off": "e-mails arrêtés", "there": "{x} existait déjà",
        "and": "et", "failed": "Je n’ai pas pu terminer : {problem} Ce qui est écrit se trouve dans le projet.",
    },
    "es": {
        "look": "Primero miro lo que hay: los nombres de `.env` (no sus valores) y los archivos.",
        "plan": "Leo la frase como una app «{title}» con estos campos: {fields}.", "plan_tool": "Leo la frase como una pequeña herramienta sin base de datos: {title}.",
        "read": "Leo los archivos que voy a cambiar.", "table": "Primero la tabla en Postgres.", "migrate": "Se ejecuta la migración.",
        "server": "Ahora el servidor: listar, añadir, cambiar y borrar.", "client": "Y la página: formulario, lista, carga, vacío y error.", "types": "¿Encaja todo?",
        "http": "Una prueba por HTTP: una entrada vacía debe rechazarse y una buena guardarse.", "life": "La misma entrada, cambiada, leída y borrada.",
        "again": "El archivo no se aceptó; lo leo y lo escribo otra vez.", "update": "Cambio la descripción de la app y sus archivos.",
        "done": "**{title}** está lista. Guarda {fields} en la tabla `{table}` de su propia base Postgres; se puede añadir, editar y borrar, {order}.",
        "done_tool": "**{title}** está lista. Funciona solo en el navegador y no guarda nada.", "newest": "lo más nuevo primero", "sorted": "ordenado por {label}",
        "mail_owner": "Cada entrada nueva se envía a {address}; la dirección se cambia bajo el formulario.",
        "mail_test": "No había ninguna dirección: los correos van al buzón de prueba de Resend ({address}) hasta que pongas la tuya bajo el formulario.",
        "mail_field": "Cada entrada nueva se confirma por correo a la dirección del campo «{label}».", "mail_sent": "La prueba envió un correo así.",
        "mail_failed": "El correo de la prueba no salió: {problem}", "mail_missing": "El correo no está conectado: no se envía nada, las entradas se guardan igual.",
        "checked": "Comprobado: los tipos encajan, una entrada vacía se rechazó y una entrada se añadió, cambió, leyó y borró por HTTP.",
        "checked_loose": "Comprobado: los tipos encajan y una entrada se añadió, cambió, leyó y borró por HTTP.", "checked_tool": "Comprobado: los tipos encajan y la página se sirve.",
        "unchecked": "Una comprobación falló: {problem}", "no_database": "No hay base de datos conectada: todavía no se puede guardar nada.",
        "guessed": "La frase no nombraba campos, así que elegí {fields}.", "secret": "No muestro secretos como claves y contraseñas; esa parte la dejé fuera.",
        "secret_only": "No muestro claves, contraseñas ni direcciones de conexión: se quedan en el servidor de la app. No se cambió nada. Dime qué debe guardar la app y la construyo.",
        "stand_in": "Soy el modelo sustituto de esta instalación: construyo con reglas fijas a partir de las palabras de la frase.",
        "nothing": "NOCHANGE. No encontré en esta frase nada que sepa construir. Soy un modelo sustituto con reglas fijas: dime qué guardar y con qué campos.",
        "not_understood": "NOCHANGE. No lo entendí como un cambio de {title}; no toqué nada. Sé añadir, quitar y renombrar campos, ordenar, sumar, buscar, enviar correos y cambiar título y colores.",
        "question": "NOCHANGE. {title} guarda {fields}. Soy un modelo sustituto con reglas fijas y no puedo decir más.",
        "question_tool": "NOCHANGE. {title} es una pequeña herramienta que no guarda nada. Soy un modelo sustituto con reglas fijas.",
        "changed": "Hecho en **{title}**: {notes}.", "partly": "No entendí: {words}.", "kept": "La columna de un campo quitado sigue en la base: al volver atrás no se pierde nada.",
        "added": "{x} añadido", "removed": "{x} quitado", "renamed": "{x} renombrado", "retyped": "tipo cambiado: {x}", "required": "{x} es obligatorio", "optional": "{x} es opcional",
        "options": "opciones añadidas: {x}", "titled": "la app se llama «{x}»", "coloured": "color cambiado: {x}", "dark": "tema oscuro", "light": "tema claro", "sorted_note": "orden cambiado",
        "totals": "total añadido: {x}", "totals_off": "totales quitados", "search": "búsqueda añadida", "mail": "correos para entradas nuevas", "mail_off": "correos apagados", "there": "{x} ya estaba",
        "and": "y", "failed": "No pude terminar: {problem} Lo escrito hasta ahora está en el proyecto.",
    },
}  # fmt: skip
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
    kept_column: bool = False


def tell(code: str, key: str, **values: str) -> str:
    """The phrase `key` in the language `code`, its placeholders filled in one pass."""
    text = _T[code][key]
    for name in values:
        text = text.replace(f"{{{name}}}", f"\0{name}\0")
    parts = text.split("\0")
    return "".join(values[part] if index % 2 else part for index, part in enumerate(parts))


def field_list(spec: AppSpec, *, typed: bool = False) -> str:
    """The fields as words: `title, rating (number) and read (yes/no)`."""
    names = []
    for item in spec.fields:
        kind = "/".join(item.options) if item.type == "choice" else _TYPES.get(item.type, item.type)
        names.append(f"{item.label} ({kind})" if typed and item.type != "text" else item.label)
    joined = ", ".join(names[:-1])
    return f"{joined} {_T[spec.language]['and']} {names[-1]}" if joined else "".join(names)


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
