"""The page that shows the value of a credential, for thirty seconds, to somebody who has just given their password.

The value is in no page: it comes as the answer to a POST that only this page's script can send, is never stored by
browser or proxy, and the script forgets it when the time is up, the page is hidden, or it is left.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from provisioning.models import Credential
from staff import revealing, signing
from staff.actors import Actor, of_request
from staff.powers.resources import label
from staff.refusals import Refused

SHOWN_FOR = 30  # seconds
HEADER = "X-Mk0r-Reveal"  # which no form and no other origin can send


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters("password")
@never_cache
def reveal(request: HttpRequest, key: UUID) -> HttpResponse:
    """Ask why, and for the password where it was not given lately; answer the script with the value."""
    if request.method == "POST":
        return _value(request, key)
    actor = of_request(request)
    if not actor.may(revealing.POWER):
        raise PermissionDenied
    held = get_object_or_404(Credential.objects.select_related("resource__session"), pk=key)
    context = {
        **admin.site.each_context(request),
        "title": f"Reveal {held.name}",
        "held": held,
        "subject": label(held.resource),
        "lapsed": held.lapsed,
        "confirmed": signing.is_confirmed(request),
        "seconds": SHOWN_FOR,
    }
    return TemplateResponse(request, "staff/reveal.html", context)


def _value(request: HttpRequest, key: UUID) -> HttpResponse:
    """The value, or why not; whoever asks and is not given it is written down as well."""
    actor = of_request(request)
    if actor.may(revealing.POWER):
        if request.headers.get(HEADER) != "1":
            return _refused(actor, request, key, "This page needs its script: a value is never part of a page.", 406)
        if trouble := _unconfirmed(request):
            return _refused(actor, request, key, trouble, 403, password=True)
    try:
        value = revealing.reveal(actor, key, request.POST.get("reason", ""))
    except Refused as error:
        return _refused(actor, request, key, str(error), error.status)
    return JsonResponse({"value": value.expose(), "seconds": SHOWN_FOR})


def _unconfirmed(request: HttpRequest) -> str:
    """Why the person's password does not count as given; empty when it does."""
    given = request.POST.get("password", "")
    if given:
        return "" if signing.confirm(request, given) else "This is not your password."
    return "" if signing.is_confirmed(request) else "Give your password again: it was not given within 15 minutes."


def _refused(
    actor: Actor, request: HttpRequest, key: UUID, words: str, status: int, *, password: bool = False
) -> JsonResponse:
    revealing.refused(actor, key, request.POST.get("reason", ""), words)
    return JsonResponse({"error": words, "password": password}, status=status)
