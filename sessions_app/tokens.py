"""The two tokens of a session, derived and never stored.

`mk0r_<slug>_…` is the session's API key: its owner's authority over REST and WebSocket without a cookie.
`mk0rgw_<slug>_…` is the gateway token: what the session's sandbox presents at the gateway's doors, and the password its
owner clones with. Both are HMACs of the server's secret, a purpose, the session's id and its key generation, so an
idempotent replay returns the same key and raising the generation revokes both. The slug in front only finds the row.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from django.conf import settings

from provisioning import clock
from sessions_app.models import Session

_KEY_PREFIX, _GATEWAY_PREFIX = "mk0r_", "mk0rgw_"
_REST = re.compile(r"([a-z0-9]{12})_[0-9a-f]{48}\Z")


def _derive(purpose: str, session: Session) -> str:
    key = hashlib.sha256(b"mk0r.token|" + settings.SECRET_KEY.encode()).digest()
    message = f"{purpose}|{session.id}|{session.key_generation}".encode()
    return hmac.digest(key, message, "sha256").hex()[:48]


def session_key(session: Session) -> str:
    """The session's API key. It stays good after the session ended, for reading state and receipt."""
    return f"{_KEY_PREFIX}{session.slug}_{_derive('api', session)}"


def gateway_token(session: Session) -> str:
    """What the session's sandbox shows at the gateway. Worth nothing once the session has ended or expired."""
    return f"{_GATEWAY_PREFIX}{session.slug}_{_derive('gateway', session)}"


def _find(token: str, prefix: str) -> Session | None:
    if not token.startswith(prefix):
        return None
    match = _REST.match(token.removeprefix(prefix))
    return Session.objects.filter(slug=match[1]).first() if match else None


def resolve_session_key(token: str) -> Session | None:
    """The session whose API key this is, whatever its state, or None. Compares in constant time."""
    session = _find(token, _KEY_PREFIX)
    return session if session and hmac.compare_digest(token, session_key(session)) else None


def resolve_gateway_token(token: str) -> Session | None:
    """The open session whose gateway token this is, or None. Compares in constant time.

    The token's lease is the session's own: it is dead from then on, whoever is late in ending the session (I-12).
    """
    session = _find(token, _GATEWAY_PREFIX)
    if session is None or session.state != Session.State.OPEN or session.expires_at <= clock.now():
        return None
    return session if hmac.compare_digest(token, gateway_token(session)) else None
