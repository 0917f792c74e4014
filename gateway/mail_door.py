"""The mail door: sending with the app's own key, and the contacts of its own audience with the platform's.

The app's key can only send, so contacts would be out of its reach; the platform's key can do everything, so what it is
used for is built here from the session's own audience and never taken from the request's path. Contacts are one list
per account at the vendor: one that other audiences share is not changed from here, only left. Bodies are Resend's
(https://resend.com/docs/api-reference), so its SDKs work unchanged with `RESEND_BASE_URL`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from gateway.access import bearer
from gateway.clients import client
from gateway.models import MailSend
from provisioning import clock
from provisioning.models import Credential, Resource
from provisioning.secrets import Secret, fingerprint
from sessions_app.database import in_database
from sessions_app.models import Session

log = logging.getLogger(__name__)

MAX_REQUEST = 10_000_000  # bytes, attachments included
MAX_ANSWER = 2_000_000
MAX_BATCH = 100
DEADLINE = 30.0  # seconds for one exchange with the vendor
_PASSED_ON = ("idempotency-key", "x-batch-validation")
_PASSED_BACK = ("retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
_MAX_PAGES = 50  # of a contact's audiences, a hundred each
_PAGE = ("limit", "after", "before")
# An id or an address; never a dot segment, which would climb to another of the vendor's lists.
_CONTACT = re.compile(r"(?:[A-Za-z0-9_-]{1,100}|[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,253})\Z")
# `address` or `Name <address>`, written so that no two readers find different addresses in it.
_SENDER = re.compile(
    r"""\s*(?:(?:"[^"\\<>@\x00-\x1f]*"|[^"<>@,;:\x00-\x1f]*)<([^\s<>@,;:"]+@[^\s<>@,;:"]+)>|([^\s<>@,;:"]+@[^\s<>@,;:"]+))\s*\Z"""
)
_CREATE = ("email", "first_name", "last_name", "unsubscribed", "properties")


class _Refused(Exception):
    """The door answers by itself, in the vendor's form."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.response = JsonResponse({"statusCode": status, "name": name, "message": message}, status=status)


class _Unsent(_Refused):
    """The vendor was not reached, so nothing can have come of the request."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Any
    headers: dict[str, str]

    def response(self) -> HttpResponse:
        return JsonResponse(self.body, status=self.status, headers=self.headers, safe=False)


@csrf_exempt
async def send(request: HttpRequest) -> HttpResponse:
    """`POST /emails`."""
    return await _send(request, "/emails")


@csrf_exempt
async def send_batch(request: HttpRequest) -> HttpResponse:
    """`POST /emails/batch`."""
    return await _send(request, "/emails/batch")


@csrf_exempt
async def contacts(request: HttpRequest, rest: str) -> HttpResponse:
    """Contacts of the session's audience, by any of the addresses the vendor has for them; all else is refused."""
    try:
        session = await _admit(bearer(request))
        audience = await _audience(session)
        contact, scope, tail = _route(rest)
        if scope is not None and scope != audience:
            raise _Refused(404, "not_found", "Audience not found")
        answer = await _contacts(request, audience, contact, tail)
        return answer.response()
    except _Refused as refused:
        return refused.response


async def _send(request: HttpRequest, path: str) -> HttpResponse:
    key = bearer(request)
    try:
        if request.method != "POST":
            raise _Refused(405, "method_not_allowed", "Only POST is allowed here.")
        session = await _admit(key)
        body = _json(request)
        mails = body if path.endswith("/batch") else [body]
        if not isinstance(mails, list) or not 0 < len(mails) <= MAX_BATCH:
            raise _Refused(422, "validation_error", f"A batch is a list of 1 to {MAX_BATCH} mails.")
        recipients = sum(_check(mail) for mail in mails)
        sent = await _reserve(session, recipients)
        passed = {name: request.headers[name][:300] for name in _PASSED_ON if name in request.headers}
        # Only what the vendor refused is taken back: a mail whose fate is unknown, as when the caller hangs up, counts.
        try:
            answer = await _exchange("POST", path, key=key, body=body, headers=passed)
        except _Unsent:
            await _release(sent)
            raise
        if 400 <= answer.status < 500:
            await _release(sent)
        return answer.response()
    except _Refused as refused:
        return refused.response


def _check(mail: object) -> int:
    """How many a mail goes to, once its sender is one that this installation may use."""
    if not isinstance(mail, dict):
        raise _Refused(422, "validation_error", "A mail is a JSON object.")
    domain = parseaddr(settings.RESEND_FROM)[1].rpartition("@")[2].lower()
    sender = mail.get("from")
    if sender is not None:  # a missing one is for the vendor to complain about
        match = _SENDER.match(sender) if isinstance(sender, str) and len(sender) <= 500 else None
        if match is None or (match[1] or match[2]).rpartition("@")[2].lower() != domain:
            raise _Refused(403, "validation_error", f"Mail from this app must be sent from an address at {domain}.")
    given = [each for member in ("to", "cc", "bcc") for each in _listed(mail.get(member))]
    return max(sum(max(each.count("@"), 1) if isinstance(each, str) else 1 for each in given), 1)


def _listed(given: object) -> list[object]:
    return given if isinstance(given, list) else [given] if given else []


@in_database
def _reserve(session: Session, recipients: int) -> int:
    """Count these recipients against the session's limit before the mail leaves."""
    with transaction.atomic():
        Session.objects.select_for_update(no_key=True).get(pk=session.pk)
        counted = MailSend.objects.filter(session=session, refused=False).aggregate(sum=Sum("recipients"))["sum"] or 0
        if counted + recipients > settings.MK0R_MAIL_LIMIT:
            message = f"This app may send {settings.MK0R_MAIL_LIMIT} mails in all; it has sent {counted}."
            raise _Refused(429, "daily_quota_exceeded", message)
        return MailSend.objects.create(session=session, recipients=recipients).pk


@in_database
def _release(pk: int) -> None:
    """Take a send back that the vendor did not accept."""
    MailSend.objects.filter(pk=pk).update(refused=True)


@in_database
def _admit(key: str) -> Session:
    """The open session whose own mail key this is."""
    if not key or "\0" in key:
        raise _Refused(401, "missing_api_key", "Missing API key in the authorization header.")
    found = (
        Credential.objects.select_related("resource__session")
        .filter(
            fingerprint=fingerprint(Secret(key)),
            revoked_at=None,
            resource__provider="resend",
            resource__state=Resource.State.READY,
            resource__session__state=Session.State.OPEN,
            resource__session__expires_at__gt=clock.now(),
        )
        .first()
    )
    if found is None:
        raise _Refused(403, "invalid_api_key", "API key is invalid, or its session has ended.")
    return found.resource.session


@in_database
def _audience(session: Session) -> str:
    found = Resource.objects.filter(
        session=session, provider="resend", kind="audience", state=Resource.State.READY
    ).first()
    if found is None:
        raise _Refused(404, "not_found", "Audience not found")
    return found.external_id


def _route(rest: str) -> tuple[str | None, str | None, str]:
    """`(contact, audience named in the path, what follows the contact)` of an address about contacts."""
    match rest.strip("/").split("/"):
        case ["contacts"]:
            route: tuple[str | None, str | None, str] = (None, None, "")
        case [("audiences" | "segments"), scope, "contacts"]:
            route = (None, scope, "")
        case ["contacts", contact]:
            route = (contact, None, "")
        case [("audiences" | "segments"), scope, "contacts", contact]:
            route = (contact, scope, "")
        case ["contacts", contact, "segments"]:
            route = (contact, None, "segments")
        case ["contacts", contact, "segments", scope]:
            route = (contact, scope, "segment")
        case _:
            raise _Refused(
                401, "restricted_api_key", "This API key can send mail and manage its audience's contacts only."
            )
    if route[0] is not None and not _CONTACT.match(route[0]):
        raise _Refused(422, "invalid_parameter", "A contact is named by its id or its address.")
    return route


async def _contacts(request: HttpRequest, audience: str, contact: str | None, tail: str) -> _Answer:
    if contact is None:
        match request.method:
            case "GET":
                page = {name: request.GET[name] for name in _PAGE if name in request.GET}
                return await _platform(
                    "GET", f"/segments/{audience}/contacts" + (f"?{urlencode(page)}" if page else "")
                )
            case "POST":
                given = _object(request)
                body = {name: given[name] for name in _CREATE if name in given} | {"segments": [audience]}
                return await _platform("POST", "/contacts", body)
        raise _Refused(405, "method_not_allowed", "Only GET and POST are allowed here.")
    memberships = await _memberships(contact)
    if audience not in memberships:
        raise _Refused(404, "not_found", "Contact not found")
    return await _contact(request, audience, quote(contact, safe="@"), tail, shared=memberships != {audience})


async def _contact(request: HttpRequest, audience: str, contact: str, tail: str, *, shared: bool) -> _Answer:
    """One contact that is in the session's audience."""
    match (request.method, tail):
        case ("GET", "segments"):
            return _Answer(200, {"object": "list", "has_more": False, "data": [{"id": audience}]}, {})
        case ("POST", "segment"):
            return _Answer(200, {"object": "contact_segment", "id": audience}, {})
        case ("DELETE", "segment"):
            return await _platform("DELETE", f"/contacts/{contact}/segments/{audience}")
        case ("GET", ""):
            return await _platform("GET", f"/contacts/{contact}")
        case ("PATCH", "") if shared:
            raise _Refused(
                403, "invalid_access", "This contact belongs to other audiences too and cannot be changed here."
            )
        case ("PATCH", ""):
            given = _object(request)
            return await _platform("PATCH", f"/contacts/{contact}", {k: given[k] for k in _CREATE[1:] if k in given})
        case ("DELETE", ""):
            path = f"/contacts/{contact}" + (f"/segments/{audience}" if shared else "")
            return await _platform("DELETE", path)
    raise _Refused(405, "method_not_allowed", "This is not allowed here.")


async def _memberships(contact: str) -> set[str]:
    """Ids of every audience the contact is in; empty when there is no such contact."""
    found: set[str] = set()
    path = f"/contacts/{quote(contact, safe='@')}/segments?limit=100"
    after = ""
    for _ in range(_MAX_PAGES):
        answer = await _platform("GET", path + after)
        body = answer.body if answer.status == 200 and isinstance(answer.body, dict) else {}
        data = body.get("data")
        items = data if isinstance(data, list) else []
        page = [item["id"] for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)]
        found |= set(page)
        if not page or body.get("has_more") is not True:
            break
        after = f"&after={quote(page[-1], safe='')}"
    return found


async def _platform(method: str, path: str, body: object = None) -> _Answer:
    return await _exchange(method, path, key=settings.RESEND_API_KEY, body=body, headers={})


async def _exchange(method: str, path: str, *, key: str, body: object, headers: dict[str, str]) -> _Answer:
    """One exchange with the vendor; its answer is parsed and thereby bounded and harmless."""
    sent = {"authorization": f"Bearer {key}", "accept-encoding": "identity", **headers}
    if body is not None:
        sent["content-type"] = "application/json"
    payload = json.dumps(body).encode() if body is not None else None
    try:
        async with (
            asyncio.timeout(DEADLINE),
            client().request(
                method, settings.RESEND_API_URL + path, data=payload, headers=sent, allow_redirects=False
            ) as upstream,
        ):
            raw = b""
            async for piece in upstream.content.iter_chunked(65_536):
                raw += piece
                if len(raw) > MAX_ANSWER:
                    raise _Refused(502, "application_error", "The mail service's answer is too large.")
            answer = json.loads(raw or b"{}")
    except aiohttp.ClientConnectorError:
        log.warning("gateway.mail_unreachable error=ClientConnectorError")
        raise _Unsent(502, "application_error", "The mail service could not be reached.") from None
    except TimeoutError:
        raise _Refused(504, "application_error", "The mail service did not answer in time.") from None
    except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
        log.warning("gateway.mail_unreachable error=%s", type(error).__name__)
        raise _Refused(502, "application_error", "The mail service could not be reached.") from None
    if 300 <= upstream.status < 400 or (upstream.status in {401, 403} and key == settings.RESEND_API_KEY):
        raise _Refused(502, "application_error", "The mail service refuses this installation.")
    back = {name: upstream.headers[name] for name in _PASSED_BACK if name in upstream.headers}
    return _Answer(upstream.status, answer, back)


def _json(request: HttpRequest) -> Any:
    raw = request.read(MAX_REQUEST + 1)
    if len(raw) > MAX_REQUEST:
        raise _Refused(413, "validation_error", f"The request is larger than {MAX_REQUEST // 1_000_000} MB.")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise _Refused(400, "validation_error", "The request is not JSON.") from None


def _object(request: HttpRequest) -> dict[str, Any]:
    body = _json(request)
    if not isinstance(body, dict):
        raise _Refused(422, "validation_error", "The request is not a JSON object.")
    return body
