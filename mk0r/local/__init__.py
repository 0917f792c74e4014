"""Running all of mk0r on one machine: what `manage.py up` starts, watches over and stops."""

from __future__ import annotations
