"""Phrases, figures, moments and glyphs for the console's templates."""

from __future__ import annotations

from django import template

from staff import figures, glyphs, moments, phrases

register = template.Library()
register.filter("money", phrases.money)
register.filter("lasted", phrases.duration)
register.filter("count", figures.count)
register.filter("millis", figures.millis)
register.filter("millis_words", figures.millis_words)
register.filter("percent", figures.percent)
register.filter("glyph", glyphs.glyph)
register.filter("told", glyphs.told)
register.filter("ago", moments.ago)
register.filter("until", moments.until)
register.filter("at", moments.at)
