"""On one machine, send browsers that open a page by address to the name the site is known by.

Cookies ignore ports. Where a browser cannot resolve names below `localhost`, previews live on ports of 127.0.0.1, and
what is written there is a stranger's: under that address it could read and set cookies for our pages as well. So our
pages, and with them our cookies, exist under `localhost` only. Programs are answered wherever they ask.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.decorators import sync_and_async_middleware

_BY_ADDRESS = ("127.0.0.1", "[::1]")
_FOR_PROGRAMS = ("/gateway/", "/api/", "/static/")


@sync_and_async_middleware
def one_name(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """The middleware, for either kind of handler."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _elsewhere(request) or await cast("Awaitable[HttpResponseBase]", get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _elsewhere(request) or cast("HttpResponseBase", get_response(request))

    return answer


def _elsewhere(request: HttpRequest) -> HttpResponseRedirect | None:
    """The way to the name, for a person's browser that asked for a page by address; None for everybody else."""
    if settings.IS_PUBLIC or request.method not in {"GET", "HEAD"} or request.path.startswith(_FOR_PROGRAMS):
        return None
    if request.headers.get("Sec-Fetch-Mode") != "navigate" or urlsplit(settings.PUBLIC_URL).hostname != "localhost":
        return None
    if not request.META.get("HTTP_HOST", "").startswith(_BY_ADDRESS):
        return None
    return HttpResponseRedirect(str(settings.PUBLIC_URL) + request.get_full_path())
