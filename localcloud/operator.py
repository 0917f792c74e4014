"""What the operator may ask of localcloud: its ledger, its faults, its rate limits, and a way in for a person.

Programs send `Authorization: Bearer <operator_key>`. A person opens a one-time link, which leaves a cookie that
lasts as long as the browser keeps it and is bound to this installation's operator key. The link uses the name
`localhost`, never `127.0.0.1`: cookies ignore ports, and previews without a name of their own live on `127.0.0.1`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets

from aiohttp import web

from localcloud.cloud import Cloud, Handler, cloud_of
from localcloud.faults import FaultError
from localcloud.limits import LimitError

COOKIE = "mk0r_cloud"
COOKIE_SECONDS = 30 * 24 * 3600
# Whatever kind of element a page of another port asks with: the cookie goes along, the answer is of no use to it.
FOR_US_ALONE = {"Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff"}


def setup(app: web.Application, cloud: Cloud) -> None:
    """Add what programs call under `/_cloud`; the console adds what people see."""
    renew_login(cloud)
    app.on_response_prepare.append(_for_us_alone)
    app.router.add_get("/_cloud/health", health)
    app.router.add_put("/_cloud/faults", guarded(set_faults))
    app.router.add_delete("/_cloud/faults", guarded(clear_faults))
    app.router.add_put("/_cloud/limits", guarded(set_limits))
    app.router.add_delete("/_cloud/limits", guarded(clear_limits))


async def _for_us_alone(request: web.Request, answer: web.StreamResponse) -> None:
    if request.path.startswith("/_cloud"):
        for name, value in FOR_US_ALONE.items():
            answer.headers.setdefault(name, value)


async def health(_request: web.Request) -> web.Response:
    """Answers as soon as the listener does; tells a stranger nothing else."""
    return web.json_response({"status": "ok"})


async def faults(request: web.Request) -> web.Response:
    """The rules in force, and how many requests each has `met` by now."""
    found = cloud_of(request).faults
    return web.json_response([rule.to_json() | {"met": found.met[rule]} for rule in found.rules])


async def set_faults(request: web.Request) -> web.Response:
    try:
        cloud_of(request).faults.replace(json.loads(await request.read()))
    except (ValueError, FaultError) as error:
        return web.json_response({"message": str(error)}, status=400)
    return await faults(request)


async def clear_faults(request: web.Request) -> web.Response:
    cloud_of(request).faults.clear()
    return web.Response(status=204)


async def limits(request: web.Request) -> web.Response:
    """The rate limits in force, by vendor."""
    return web.json_response({vendor: rule.to_json() for vendor, rule in cloud_of(request).limits.rules.items()})


async def set_limits(request: web.Request) -> web.Response:
    try:
        cloud_of(request).limits.replace(json.loads(await request.read()))
    except (ValueError, LimitError) as error:
        return web.json_response({"message": str(error)}, status=400)
    return await limits(request)


async def clear_limits(request: web.Request) -> web.Response:
    cloud_of(request).limits.clear()
    return web.Response(status=204)


# Who is the operator


def guarded(handler: Handler) -> Handler:
    """Let only callers with the operator's key through."""

    async def check(request: web.Request) -> web.StreamResponse:
        if by_key(request):
            return await handler(request)
        return web.json_response({"message": "This needs the operator key."}, status=401)

    return check


def by_key(request: web.Request) -> bool:
    """Whether the request carries the operator key."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and same(key.strip(), cloud_of(request).keys.operator)


def by_cookie(request: web.Request) -> bool:
    """Whether the request comes from a browser that opened a login link here."""
    return same(request.cookies.get(COOKIE, ""), cookie_value(cloud_of(request)))


def cookie_value(cloud: Cloud) -> str:
    return hmac.new(cloud.keys.operator.encode(), b"operator cookie", hashlib.sha256).hexdigest()


def same(left: str, right: str) -> bool:
    """Equality in constant time, for text of any kind, also for what a header holds that is none."""
    return hmac.compare_digest(left.encode(errors="surrogatepass"), right.encode(errors="surrogatepass"))


def renew_login(cloud: Cloud) -> None:
    """Make the login link new; the one before stops working."""
    cloud.store.set_meta("login", secrets.token_urlsafe(24))


def login_url(cloud: Cloud) -> str:
    """The link a person opens once."""
    return f"http://localhost:{cloud.config.port}/_cloud/login?once={cloud.store.meta('login')}"
