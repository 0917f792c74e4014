"""From a person's sentence to the spec of an app, by the words of the sentence alone."""

from __future__ import annotations
