"""Who may look: the operator's key for programs, a cookie left by a one-time link for a person."""

from __future__ import annotations

from aiohttp import web

from localcloud import operator
from localcloud.announcement import announce
from localcloud.cloud import Handler, cloud_of
from localcloud.console import chrome


def private(handler: Handler) -> Handler:
    """Let the operator in, by key or by cookie. A change by cookie must come from one of our own pages."""

    async def check(request: web.Request) -> web.StreamResponse:
        if operator.by_key(request):
            return await handler(request)
        if not operator.by_cookie(request):
            return chrome.bare(
                "This page is for the person who runs this machine",
                "Open the link that was printed at the start. It works once; a fresh one is in cloud.json as "
                "operator_login_url.",
                status=401,
            )
        own = f"http://{request.host}"
        if request.method not in ("GET", "HEAD") and request.headers.get("Origin") != own:
            return chrome.bare("Refused", "The form was not sent by a page of localcloud.", status=403)
        return await handler(request)

    return check


async def login(request: web.Request) -> web.Response:
    """Trade the one-time link for a cookie, and put a fresh link into `cloud.json`."""
    cloud = cloud_of(request)
    if not operator.same(request.query.get("once", ""), str(cloud.store.meta("login"))):
        if operator.by_cookie(request):
            raise web.HTTPSeeOther("/_cloud/")
        return chrome.bare(
            "This link was already used",
            "Each link works once. A fresh one is in cloud.json as operator_login_url.",
            status=401,
        )
    operator.renew_login(cloud)
    announce(cloud)
    answer = web.Response(status=303, headers={"Location": "/_cloud/"} | chrome.HEADERS)
    answer.set_cookie(
        operator.COOKIE,
        operator.cookie_value(cloud),
        max_age=operator.COOKIE_SECONDS,
        path="/_cloud",
        httponly=True,
        samesite="Lax",
    )
    return answer
