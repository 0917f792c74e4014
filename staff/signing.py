"""Signing in and out: what is written down of it, who is locked out and until when, and a password asked for again."""

from __future__ import annotations

import ipaddress
import time
from datetime import datetime
from typing import Any

from axes.helpers import get_cool_off, get_failure_limit
from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.contrib import admin
from django.contrib.auth import authenticate, user_logged_in, user_logged_out, user_login_failed
from django.contrib.auth.models import User
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from sessions_app.addresses import client_address
from staff import audit
from staff.actors import Actor, of_request
from staff.backend import BY_ONE_TIME

CONFIRMED_FOR = 15 * 60  # seconds
MUST_CHOOSE, _CONFIRMED_AT = "staff_must_choose", "staff_confirmed_at"  # in the session
_UNKNOWN = "nobody known here"  # a name that no account has may be a password typed into the wrong field


def client_ip(request: HttpRequest) -> str | None:
    """The client's address where it is one, for axes, whose column takes nothing else."""
    try:
        return str(ipaddress.ip_address(client_address(request)))
    except ValueError:
        return None


# A password asked for again


def confirm(request: HttpRequest, password: str) -> bool:
    """Whether `password` is that of whoever is signed in; remembered for a while. A wrong one counts as a failed
    sign-in, and nothing is confirmed for somebody who is locked out.
    """
    user = authenticate(request, username=request.user.get_username(), password=password)
    if user is None or user.pk != request.user.pk:
        return False
    request.session[_CONFIRMED_AT] = time.time()
    return True


def is_confirmed(request: HttpRequest) -> bool:
    """Whether they gave their password again within the last fifteen minutes."""
    at = request.session.get(_CONFIRMED_AT)
    return isinstance(at, float) and 0 <= time.time() - at < CONFIRMED_FOR


# Locked out


def locked_until(username: str, address: str | None) -> datetime | None:
    """When somebody of that name may try again from that address; None when they may now."""
    cool_off = get_cool_off()
    failed = AccessAttempt.objects.filter(username=username, ip_address=address).order_by("attempt_time")
    kept = [one for one in failed if cool_off is None or one.attempt_time + cool_off > timezone.now()]
    left, limit = sum(one.failures_since_start for one in kept), get_failure_limit(None, None)
    for one in kept:
        left -= one.failures_since_start
        if left < limit <= left + one.failures_since_start:
            return one.attempt_time + cool_off if cool_off else None
    return None


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """What somebody is answered who is locked out, on whatever page they gave a password."""
    credentials = getattr(request, "axes_credentials", None) or {}
    until = locked_until(str(credentials.get("username") or ""), client_ip(request))
    if request.accepts("text/html"):
        context = {**admin.site.each_context(request), "title": "Locked out", "until": until}
        answer: HttpResponse = TemplateResponse(request, "staff/locked.html", context, status=429).render()
    else:
        when = f" until {until:%H:%M} UTC" if until else ""
        answer = JsonResponse({"error": f"Too many wrong passwords: locked out{when}."}, status=429)
    if until:
        answer.headers["Retry-After"] = str(max(1, round((until - timezone.now()).total_seconds())))
    add_never_cache_headers(answer)
    return answer


# Written down


@receiver(user_logged_in, dispatch_uid="staff.signed_in")
def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    by_one_time = bool(getattr(user, BY_ONE_TIME, False))
    if by_one_time:
        request.session[MUST_CHOOSE] = True
    audit.record(of_request(request, user), "sign_in", user.get_username(), one_time=by_one_time)


@receiver(user_logged_out, dispatch_uid="staff.signed_out")
def _signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user is not None:
        audit.record(of_request(request, user), "sign_out", user.get_username())


@receiver(user_login_failed, dispatch_uid="staff.sign_in_refused")
def _sign_in_refused(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    if request is not None:
        locked = bool(getattr(request, "axes_locked_out", False))
        _record_refusal(request, "sign_in_refused", credentials.get("username"), locked=locked, at=request.path[:200])


@receiver(user_locked_out, dispatch_uid="staff.locked_out")
def _locked_out(request: HttpRequest, username: str | None, **_: Any) -> None:
    if getattr(request, "axes_failures_since_start", None) is not None:  # else it is one more try while locked out
        until = locked_until(str(username or ""), client_ip(request))
        _record_refusal(request, "locked_out", username, until=until.isoformat() if until else None)


def _record_refusal(request: HttpRequest, action: str, username: object, **detail: Any) -> None:
    given = str(username or "")
    known = bool(given) and "\0" not in given and User.objects.filter(username=given).exists()
    name = given if known else _UNKNOWN
    audit.record(Actor(name, client_address(request)), action, name, **detail)
