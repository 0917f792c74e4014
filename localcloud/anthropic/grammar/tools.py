"""Apps that record nothing: a calculator, a converter, a timer, a stopwatch, a counter. Recognised by what they do."""

from __future__ import annotations

import re

from localcloud.anthropic.spec import AppSpec

_UNITS: dict[str, tuple[str, float, float]] = {  # name: (family, factor to the base unit, offset)
    "celsius": ("temperature", 1, 0),
    "fahrenheit": ("temperature", 5 / 9, -160 / 9),
    "kelvin": ("temperature", 1, -273.15),
    "kilometer": ("length", 1000, 0),
    "meter": ("length", 1, 0),
    "centimeter": ("length", 0.01, 0),
    "millimeter": ("length", 0.001, 0),
    "mile": ("length", 1609.344, 0),
    "yard": ("length", 0.9144, 0),
    "foot": ("length", 0.3048, 0),
    "inch": ("length", 0.0254, 0),
    "kilogram": ("weight", 1, 0),
    "gram": ("weight", 0.001, 0),
    "pound": ("weight", 0.45359237, 0),
    "ounce": ("weight", 0.028349523125, 0),
    "liter": ("volume", 1, 0),
    "milliliter": ("volume", 0.001, 0),
    "gallon": ("volume", 3.785411784, 0),
    "cup": ("volume", 0.2365882365, 0),
    "second": ("duration", 1, 0),
    "minute": ("duration", 60, 0),
    "hour": ("duration", 3600, 0),
    "day": ("duration", 86400, 0),
}
_SPELLINGS = {
    "km": "kilometer",
    "m": "meter",
    "cm": "centimeter",
    "mm": "millimeter",
    "kg": "kilogram",
    "g": "gram",
    "lb": "pound",
    "lbs": "pound",
    "oz": "ounce",
    "l": "liter",
    "ml": "milliliter",
    "feet": "foot",
    "inches": "inch",
    "metre": "meter",
    "kilometre": "kilometer",
    "litre": "liter",
    "°c": "celsius",
    "°f": "fahrenheit",
    "c": "celsius",
    "f": "fahrenheit",
    "meilen": "mile",
    "millas": "mile",
    "milles": "mile",
    "pfund": "pound",
    "stunden": "hour",
    "minuten": "minute",
}
_TITLES = {
    "calculator": {"en": "Calculator", "de": "Taschenrechner", "fr": "Calculatrice", "es": "Calculadora"},
    "converter": {"en": "Converter", "de": "Umrechner", "fr": "Convertisseur", "es": "Conversor"},
    "timer": {"en": "Timer", "de": "Timer", "fr": "Minuteur", "es": "Temporizador"},
    "stopwatch": {"en": "Stopwatch", "de": "Stoppuhr", "fr": "Chronomètre", "es": "Cronómetro"},
    "counter": {"en": "Counter", "de": "Zähler", "fr": "Compteur", "es": "Contador"},
}
_RECORDS = r"\b(?:track|record|log|store|save|list of|fields?|columns?|collect|with (?:a |the )?(?:name|title|date))\b"


def read_tool(text: str, said: str, code: str) -> AppSpec | None:
    """The tool that `text` asks for, or None when it is about recording things (or about neither)."""
    lowered = text.lower()
    if re.search(r"\b(?:convert\w*|conver[ts]\w+|umrechn\w+)\b", lowered) and (units := _pair(said)):
        return AppSpec(
            title=_TITLES["converter"][code],
            kind="converter",
            language=code,
            options={"from": units[0], "to": units[1]},
        )
    if re.search(_RECORDS, lowered):
        return None
    if re.search(r"\b(?:calculator|taschenrechner|rechner|calculatrice|calculadora|calculette)\b", lowered):
        return AppSpec(
            title=_titled(said, r"calculator", _TITLES["calculator"][code]), kind="calculator", language=code
        )
    if re.search(r"\b(?:stop-?watch|stoppuhr|chronom[eè]tre|cron[oó]metro)\b", lowered):
        return AppSpec(title=_TITLES["stopwatch"][code], kind="stopwatch", language=code)
    if re.search(r"\b(?:timer|countdown|pomodoro|minuteur|temporizador|eieruhr)\b", lowered):
        return AppSpec(
            title=_titled(said, r"timer", _TITLES["timer"][code]),
            kind="timer",
            language=code,
            options={"seconds": _seconds(lowered)},
        )
    if re.search(r"\b(?:counter|click(?:er)?|tally|zähler|compteur|contador)\b", lowered):
        return AppSpec(title=_titled(said, r"counter", _TITLES["counter"][code]), kind="counter", language=code)
    return None


def _titled(said: str, word: str, fallback: str) -> str:
    match = re.search(
        (
            rf"\b(?:an?|the|my)?\s*((?:(?!an?\b|the\b|my\b|simple\b|little\b|small\b|"
            rf"nice\b|build\b|make\b|create\b|me\b|please\b)[A-Za-z]+ ){{1,2}}{word})\b"
        ),
        said,
        re.IGNORECASE,
    )
    return match[1][:1].upper() + match[1][1:] if match else fallback


def _unit(word: str) -> str | None:
    word = word.lower().strip(".,")
    for name in (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("en")):
        if name in _UNITS:
            return name
        if name in _SPELLINGS:
            return _SPELLINGS[name]
    return None


def _pair(said: str) -> tuple[str, str] | None:
    known = [unit for word in re.findall(r"°?[A-Za-zäöüé]+", said) if (unit := _unit(word)) and len(word) > 0]
    units = [unit for index, unit in enumerate(known) if unit not in known[:index]]
    for unit in units[1:]:
        if _UNITS[unit][0] == _UNITS[units[0]][0]:
            return units[0], unit
    return ("celsius", "fahrenheit") if "temperature" in said.lower() else None


def units() -> dict[str, tuple[str, float, float]]:
    """Every unit with its family, factor and offset."""
    return _UNITS


def _seconds(text: str) -> int:
    match = re.search(
        r"(\d{1,4})[ -]?(second|sekunde|seconde|segundo|sec|s\b|minute|min|hour|stunde|heure|hora|h\b)", text
    )
    if match is None:
        return 25 * 60 if "pomodoro" in text else 5 * 60
    scale = (
        1
        if match[2].startswith("s") and match[2] != "stunde"
        else 3600
        if match[2][0] == "h" or match[2] == "stunde"
        else 60
    )
    return max(1, min(int(match[1]) * scale, 24 * 3600))
