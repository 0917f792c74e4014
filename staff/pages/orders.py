"""The page that asks before something is done, listing exactly what; and the one that shows how far it is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from staff import undertakings
from staff.actors import of_request
from staff.models import Errand, Undertaking
from staff.powers import POWERS, Power
from staff.refusals import NotAllowed, Refused

SHOWN = 200  # things listed one by one on the page that asks
_KEY, _OPTION = "key", "option."


@require_POST
def order(request: HttpRequest, power: str) -> HttpResponse:
    """Ask for what is chosen; once `confirmed` is sent, take the order and show its progress."""
    if power not in POWERS:
        raise Http404(power)
    return ask(request, POWERS[power], request.POST.getlist(_KEY))


def ask(request: HttpRequest, power: Power, keys: list[str]) -> HttpResponse:
    """What `order` does, for keys that came by another way, such as an action of a list."""
    actor = of_request(request)
    if not actor.may(power.right):
        raise PermissionDenied
    options = {name[len(_OPTION) :]: str(value) for name, value in request.POST.items() if name.startswith(_OPTION)}
    reason = request.POST.get("reason", "")
    trouble = ""
    if "confirmed" in request.POST:
        try:
            made = undertakings.begin(actor, power, keys, reason=reason, options=options)
        except NotAllowed as error:
            raise PermissionDenied from error
        except Refused as error:
            trouble = str(error)
        else:
            return redirect("admin:undertaking", key=made.pk)
    subjects = power.find(list(dict.fromkeys(keys)))
    if not subjects:
        messages.warning(request, "Nothing was chosen, or what was chosen no longer exists.")
        return redirect("admin:index")
    context = {
        **admin.site.each_context(request),
        "title": power.title,
        "power": power,
        "things": _things(power, subjects[:SHOWN]),
        "more": max(0, len(subjects) - SHOWN),
        "count": len(subjects),
        "keys": [power.key(one) for one in subjects],
        "reason": reason,
        "options": options,
        "trouble": trouble,
    }
    return TemplateResponse(request, "staff/order.html", context, status=400 if trouble else 200)


def _things(power: Power, subjects: list[Any]) -> list[dict[str, Any]]:
    effects = power.effects(subjects)
    return [{"label": power.label(one), "effects": effects.get(power.key(one), [])} for one in subjects]


@require_GET
@never_cache
def undertaking(request: HttpRequest, key: UUID) -> HttpResponse:
    """How far an undertaking is, errand by errand; the page follows by itself."""
    _require_view(request)
    found = get_object_or_404(Undertaking, pk=key)
    context = {
        **admin.site.each_context(request),
        "title": POWERS[found.power].title if found.power in POWERS else found.power,
        "undertaking": found,
        "errands": list(found.errands.order_by("number")),
        "tally": _tally(found),
    }
    return TemplateResponse(request, "staff/undertaking.html", context)


@require_GET
@never_cache
def undertaking_state(request: HttpRequest, key: UUID) -> JsonResponse:
    """The same as JSON, for the page's script."""
    _require_view(request)
    found = get_object_or_404(Undertaking, pk=key)
    errands = found.errands.order_by("number").values("number", "state", "words", "link")
    return JsonResponse({"finished": found.finished_at, "tally": _tally(found), "errands": list(errands)})


def _require_view(request: HttpRequest) -> None:
    if not request.user.has_perm("staff.view_undertaking"):
        raise PermissionDenied


def _tally(found: Undertaking) -> dict[str, int]:
    states = list(found.errands.values_list("state", flat=True))
    return {state.value: states.count(state.value) for state in Errand.State}
