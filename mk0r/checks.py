"""What `manage.py check` says of this installation's settings; every command that serves runs it before it starts."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from mk0r.vendors import configured, refusals
from provisioning.secrets import require_key_ring

_SHORTEST_SECRET = 40  # characters
_SECONDS = (
    "MK0R_SESSION_TTL",
    "MK0R_ABANDONED_TTL",
    "MK0R_IDLE_PAUSE",
    "MK0R_WORKER_SILENCE",
    "MK0R_JOB_POLL",
    "MK0R_MODEL_SILENCE",
)
_NO_LESS_THAN_ZERO = ("MK0R_BUDGET_USD", "MK0R_DAILY_USD", "MK0R_TURN_LIMIT", "MK0R_OPEN_SESSIONS", "MK0R_MAIL_LIMIT")


@register
def settings_fit(**_: Any) -> list[CheckMessage]:
    """Settings that would make the product unsafe or fail later, each as an error that names it."""
    problems = list(refusals(configured(settings)))
    try:
        require_key_ring()
    except ImproperlyConfigured as error:
        problems.append(str(error))
    public = urlsplit(settings.PUBLIC_URL)
    if public.scheme not in {"http", "https"} or not public.hostname or public.path or public.query:
        problems.append("PUBLIC_URL must look like https://apps.example.com.")
    if settings.IS_PUBLIC and (len(settings.SECRET_KEY) < _SHORTEST_SECRET or len(set(settings.SECRET_KEY)) < 10):
        problems.append(
            f"SECRET_KEY can be guessed: on a public address it needs {_SHORTEST_SECRET} random characters."
        )
    problems += [
        f"{name} must be a number from 0 on; 0 means no limit."
        for name in _NO_LESS_THAN_ZERO
        if not math.isfinite(value := getattr(settings, name)) or value < 0
    ]
    seconds = {name: getattr(settings, name) for name in _SECONDS}
    seconds |= {f"{vendor.upper()}_DEADLINE": value for vendor, value in settings.LEG_DEADLINES.items()}
    problems += [f"{name} must be a number of seconds above 0." for name, value in seconds.items() if not value > 0]
    if not (math.isfinite(settings.MK0R_SWEEP_SECONDS) and settings.MK0R_SWEEP_SECONDS >= 1):
        problems.append("MK0R_SWEEP_SECONDS must be a number of seconds from 1 on.")
    if not (math.isfinite(settings.MK0R_SWEEP_GRACE) and settings.MK0R_SWEEP_GRACE >= 0):
        problems.append("MK0R_SWEEP_GRACE must be a number of seconds from 0 on.")
    if not settings.MK0R_QUEUE_SECONDS >= 0:
        problems.append("MK0R_QUEUE_SECONDS must be a number from 0 on.")
    return [Error(problem, id=f"mk0r.E{number:03}") for number, problem in enumerate(problems, 1)]
