"""Refusals made beside the API's own views, in the API's shape.

Where no view is reached (an unknown address, a method that an address does not have, a Host that is not ours) Django
or the router answers with a page for a person. A program that asked under `/api/` gets `{code, message}` instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

_SAID = {
    400: ("bad_request", "The request cannot be read."),
    403: ("forbidden", "This request is not allowed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
}
_KEPT_HEADERS = ("Allow", "Retry-After", "Vary")


@sync_and_async_middleware
def in_the_apis_shape(get_response: Any) -> Callable[[HttpRequest], Any]:
    """Middleware: turn each refusal under `/api/` that is no JSON into one that is; everything else passes."""
    if iscoroutinefunction(get_response):

        async def serve_async(request: HttpRequest) -> HttpResponseBase:
            return _reshaped(request, await cast("Awaitable[HttpResponseBase]", get_response(request)))

        return serve_async

    def serve(request: HttpRequest) -> HttpResponseBase:
        return _reshaped(request, cast("HttpResponseBase", get_response(request)))

    return serve


def _reshaped(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    told = _SAID.get(response.status_code)
    if told is None or not isinstance(response, HttpResponse) or not request.path.startswith("/api/"):
        return response
    if response.headers.get("Content-Type", "").startswith("application/json"):
        return response
    code, message = told
    if allowed := response.headers.get("Allow"):
        message = f"This address takes {allowed} only."
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    body = {"code": code, "message": message}
    return JsonResponse(body, status=response.status_code, headers=kept | {"Cache-Control": "no-store"})
