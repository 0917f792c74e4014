"""The pages: home, where an app is described, and the builder, where it is made, which script takes over at once; and
the receipt of a session that has ended, which needs none.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from sessions_app import pages, receipts, services, visitors
from sessions_app.models import Session


def _page(request: HttpRequest, template: str, first: dict[str, Any], **more: Any) -> TemplateResponse:
    context = {"first": first, "legs": pages.legs(first["session"]), "modules": pages.modules(), **more}
    response = TemplateResponse(request, template, context)
    response["Cache-Control"] = "no-store"  # it holds one visitor's state
    return response


def _minutes(seconds: int) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} minute{'s' if minutes != 1 else ''}"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The page that takes a sentence. Sets the visitor cookie; stores nothing and starts nothing."""
    known = visitors.from_request(request)
    current = services.session_current(known)
    waiting = current if current and current.prompted_at is None else None
    first = pages.first_state("home", waiting, known)
    response = _page(request, "home.html", first, abandoned=_minutes(settings.MK0R_ABANDONED_TTL))
    visitors.ensure(request, response)
    return response


@require_safe
def builder(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of one session.

    Raises:
        Http404: there is no such session, or it is another visitor's (I-23).
    """
    session = services.session_for(visitors.from_request(request), slug)
    if session is None:
        raise Http404
    first = pages.first_state("builder", session)
    state = first["session"]
    live = sum(each["state"] == "ready" for each in state["resources"])
    title = state["title"] or (state["turns"][0]["prompt"].split("\n")[0] if state["turns"] else "New app")
    return _page(request, "builder.html", first, title=title, live=live)


@require_safe
def receipt(request: HttpRequest, slug: str) -> HttpResponse:
    """What became of everything a session owned, and how it is known; leads to the builder while the session is open.

    Staff who may look at sessions may read it too, and nothing else of a visitor's pages.

    Raises:
        Http404: there is no such session, or it is another visitor's (I-23).
    """
    own = services.session_for(visitors.from_request(request), slug)
    session = own
    if session is None and request.user.has_perm("sessions_app.view_session"):
        session = Session.objects.filter(slug=slug).exclude(state=Session.State.OPEN).first()
    if session is None:
        raise Http404
    if session.state == Session.State.OPEN:
        response: HttpResponse = redirect("builder", slug)
    else:
        context = {"receipt": receipts.receipt_of(session), "own": own is not None}
        response = TemplateResponse(request, "receipt.html", context)
    response["Cache-Control"] = "no-store"
    return response
