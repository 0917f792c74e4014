"""The page that asks before something is done, listing exactly what; and the one that shows how far it is.

Where many things are destroyed the page wants their number typed: a click too many is easily made, a number is not.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from staff import undertakings
from staff.actors import of_request
from staff.models import Errand, Undertaking
from staff.powers import POWERS, Effect, Power
from staff.refusals import NotAllowed, Refused

SHOWN = 200  # things listed one by one on the page that asks
UNTYPED = 10  # things that may be destroyed without typing their number
_KEY, _KEYS, _OPTION = "key", "keys", "option."
# Of an errand, as a person reads it: its glyph is drawn as that state of a resource.
GLYPHS = {"waiting": "planned", "working": "creating", "done": "ready", "nothing": "gone", "failed": "failed"}
WORDS = {"waiting": "waiting", "working": "under way", "done": "done", "nothing": "nothing to do", "failed": "failed"}
_MANY = {"repository": "repositories", "sandbox": "sandboxes"}  # of the kinds whose plural is not just an s


@require_http_methods(["GET", "POST"])
def order(request: HttpRequest, power: str) -> HttpResponse:
    """Ask for what is chosen; once `confirmed` is sent, take the order and show its progress.

    Keys come one by one as `key`, or all in one field, `keys`, as a form has only so many. Whoever had to sign in again
    comes by a GET, without what was chosen.
    """
    if power not in POWERS:
        raise Http404(power)
    if request.method == "GET":
        messages.warning(request, f"{POWERS[power].title}: nothing was ordered. Choose again what it is to be done to.")
        return redirect("admin:index")
    return ask(request, POWERS[power], [*request.POST.getlist(_KEY), *request.POST.get(_KEYS, "").split()])


def ask(request: HttpRequest, power: Power, keys: list[str]) -> HttpResponse:
    """What `order` does, for keys that came by another way, such as an action of a list."""
    actor = of_request(request)
    if not actor.may(power.right):
        raise PermissionDenied
    options = {name[len(_OPTION) :]: str(value) for name, value in request.POST.items() if name.startswith(_OPTION)}
    reason, back = request.POST.get("reason", ""), _back(request)
    subjects = power.find(list(dict.fromkeys(keys)))
    if not subjects or len(keys) > undertakings.MOST:
        nothing = "Nothing was chosen, or what was chosen no longer exists."
        messages.warning(request, f"At most {undertakings.MOST} at once can be chosen." if subjects else nothing)
        return redirect(back)
    effects, trouble = power.effects(subjects), ""
    toll = power.destroyed(subjects, effects, options)
    if "confirmed" in request.POST:
        if toll > UNTYPED and request.POST.get("typed", "").strip() != str(toll):
            trouble = f"Type {toll}, the number of what is destroyed, to confirm it."
        else:
            try:
                made = undertakings.begin(actor, power, keys, reason=reason, options=options)
            except NotAllowed as error:
                raise PermissionDenied from error
            except Refused as error:
                trouble = str(error)
            else:
                return redirect("admin:undertaking", key=made.pk)
    context = {
        **admin.site.each_context(request),
        "title": power.title,
        "power": power,
        "noun": power.noun[len(subjects) != 1],
        "things": [_thing(power, one, effects) for one in subjects[:SHOWN]],
        "more": max(0, len(subjects) - SHOWN),
        "count": len(subjects),
        "tally": tally_of(effects),
        "keys": " ".join(power.key(one) for one in subjects),
        "reason": reason,
        "options": [(one, options.get(one.name, one.preset)) for one in power.options],
        "kept": {name: value for name, value in options.items() if name not in {one.name for one in power.options}},
        "typed": toll if toll > UNTYPED else 0,
        "back": back,
        "trouble": trouble,
    }
    return TemplateResponse(request, "staff/order.html", context, status=400 if trouble else 200)


def tally_of(effects: dict[str, list[Effect]]) -> list[tuple[int, str, str]]:
    """How many of each kind at each vendor, in the order they come: (5, "projects", "Neon")."""
    counts = Counter((one.vendor, one.what) for found in effects.values() for one in found if one.exists)
    return [(count, what if count == 1 else _MANY.get(what, f"{what}s"), at) for (at, what), count in counts.items()]


def _thing(power: Power, subject: Any, effects: dict[str, list[Effect]]) -> dict[str, Any]:
    return {
        "label": power.label(subject),
        "about": power.about(subject),
        "effects": effects.get(power.key(subject), []),
    }


def _back(request: HttpRequest) -> str:
    """Where whoever does not want it after all came from, within the console."""
    start = reverse("admin:index")
    asked = request.POST.get("back") or request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure()):
        return start
    parts = urlsplit(asked)
    inside = parts.path.startswith(start) and not parts.path.startswith(f"{start}orders/")
    return urlunsplit(("", "", parts.path, parts.query, "")) if inside else start


@require_GET
@never_cache
def undertaking(request: HttpRequest, key: UUID) -> HttpResponse:
    """How far an undertaking is, errand by errand; the page follows by itself."""
    _require_view(request)
    found = get_object_or_404(Undertaking, pk=key)
    power = POWERS.get(found.power)
    errands = list(found.errands.order_by("number"))
    tally = _tally(errands)
    context = {
        **admin.site.each_context(request),
        "title": power.title if power else found.power,
        "noun": power.noun[len(errands) != 1] if power else "",
        "one": power.noun[0] if power else "",
        "link_words": power.link_words if power else "open",
        "undertaking": found,
        "errands": [(errand, GLYPHS[errand.state], WORDS[errand.state]) for errand in errands],
        "states": [(state, GLYPHS[state], WORDS[state], tally[state]) for state in WORDS],
        "ended": len(errands) - tally["waiting"] - tally["working"],
        "count": len(errands),
    }
    return TemplateResponse(request, "staff/undertaking.html", context)


@require_GET
@never_cache
def undertaking_state(request: HttpRequest, key: UUID) -> JsonResponse:
    """The same as JSON, for the page's script."""
    _require_view(request)
    found = get_object_or_404(Undertaking, pk=key)
    errands = list(found.errands.order_by("number"))
    told = [{"number": one.number, "state": one.state, "words": one.words, "link": one.link} for one in errands]
    return JsonResponse({"finished": found.finished_at, "tally": _tally(errands), "errands": told})


def _require_view(request: HttpRequest) -> None:
    if not request.user.has_perm("staff.view_undertaking"):
        raise PermissionDenied


def _tally(errands: list[Errand]) -> dict[str, int]:
    counts = Counter(errand.state for errand in errands)
    return {state.value: counts[state.value] for state in Errand.State}
