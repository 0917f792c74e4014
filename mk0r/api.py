"""The one REST API: where routers are mounted, how refusals look, and its documentation."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

from csp.decorators import csp_replace
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from mk0r import health
from sessions_app.api import router as sessions_router
from sessions_app.errors import Refused
from staff.api import router as staff_router

log = logging.getLogger(__name__)


class _Api(NinjaAPI):
    """Nothing the API answers may be kept by a cache: it is one session's state."""

    def create_response(self, request: HttpRequest, data: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().create_response(request, data, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


api = _Api(
    title="mk0r",
    version="1",
    urls_namespace="api",
    description="Build an app by saying what it does. Begin a session, send prompts, follow its events.",
    # Swagger's page sets styles from script; nowhere else are inline styles allowed.
    docs_decorator=csp_replace({"style-src": ["'self'", "'unsafe-inline'"]}),
)
api.add_router("/sessions", sessions_router)
api.add_router("/health", health.router)
api.add_router("/staff", staff_router)

_CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}


def _answer(request: HttpRequest, status: int, code: str, message: str, **details: Any) -> HttpResponse:
    return api.create_response(request, {"code": code, "message": message, **details}, status=status)


@api.exception_handler(Refused)
def _refused(request: HttpRequest, refusal: Refused) -> HttpResponse:
    answer = _answer(request, refusal.status, refusal.code, str(refusal), **refusal.details())
    if refusal.retry_after is not None:
        answer["Retry-After"] = str(refusal.retry_after)
    return answer


def _place(location: Sequence[Any]) -> str:
    """Where in the request: `body.prompt`. Ninja names the argument too, which is called `body` again."""
    parts = [str(part) for part in location]
    return ".".join(parts[1:] if parts[:2] == ["body", "body"] else parts)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    problems = [
        {"at": _place(each.get("loc", ())), "message": str(each.get("msg", ""))[:300]} for each in error.errors[:20]
    ]
    message = "; ".join(f"{each['at']}: {each['message']}" for each in problems) or "The request cannot be read."
    return _answer(request, 422, "bad_request", message, errors=problems)


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    answer = _answer(request, error.status_code, _CODES.get(error.status_code, "error"), str(error))
    if error.status_code == 401:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:  # noqa: ARG001 (its text is not for strangers)
    return _answer(request, 404, "not_found", "There is nothing at this address.")


@api.exception_handler(RequestDataTooBig)
def _too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:  # noqa: ARG001 (names a setting)
    return _answer(request, 413, "too_large", "A request body holds at most 1 MB.")


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    log.warning("api.database_away path=%s cause=%s", request.path, type(error.__cause__ or error).__name__)
    answer = _answer(request, 503, "unavailable", "The database does not answer just now. Please try again.")
    answer["Retry-After"] = "1"
    return answer


@api.exception_handler(Exception)
def _broken(request: HttpRequest, error: Exception) -> HttpResponse:
    reference = secrets.token_hex(4)
    log.error("api.failed path=%s reference=%s", request.path, reference, exc_info=error)
    message = f"mk0r failed at this request. Try again; if it fails again, name this reference: {reference}."
    return _answer(request, 500, "internal", message, reference=reference)
