"""Phrases, moments and glyphs for the console's templates."""

from __future__ import annotations

from django import template

from staff import glyphs, moments, phrases

register = template.Library()
register.filter("money", phrases.money)
register.filter("lasted", phrases.duration)
register.filter("glyph", glyphs.glyph)
register.filter("told", glyphs.told)
register.filter("ago", moments.ago)
register.filter("until", moments.until)
register.filter("at", moments.at)
