"""Guessing of tokens held down: so many wrong ones from one address in five minutes, over all processes, and no more.

Synchronous database code.
"""

from __future__ import annotations

from django.db import connection

from sessions_app.addresses import network_of

MOST = 20
WINDOW = 300  # seconds
_MISSED = """
INSERT INTO staff_misses AS held (address, since, count) VALUES (%(address)s, clock_timestamp(), 1)
ON CONFLICT (address) DO UPDATE SET
  count = CASE WHEN held.since < %(old)s THEN 1 ELSE held.count + 1 END,
  since = CASE WHEN held.since < %(old)s THEN clock_timestamp() ELSE held.since END
""".replace("%(old)s", "clock_timestamp() - make_interval(secs => %(window)s)")
_FORGET = "DELETE FROM staff_misses WHERE since < clock_timestamp() - make_interval(secs => %(window)s)"
_LEFT = """
SELECT ceil(extract(epoch FROM since - clock_timestamp()) + %(window)s) FROM staff_misses
WHERE address = %(address)s AND count >= %(most)s AND since > clock_timestamp() - make_interval(secs => %(window)s)
"""


def missed(address: str) -> None:
    """Somebody there came with a token that does not exist. What is old is forgotten on the way."""
    with connection.cursor() as cursor:
        cursor.execute(_MISSED, {"address": _network(address), "window": WINDOW})
        cursor.execute(_FORGET, {"window": WINDOW})


def seconds_left(address: str) -> int:
    """For how long nothing from there is looked at any more; 0: it is."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"address": _network(address), "window": WINDOW, "most": MOST})
        row = cursor.fetchone()
    return max(1, int(row[0])) if row else 0


def _network(address: str) -> str:
    """What one caller can have as many addresses of as they like: of IPv6, the first 64 bits."""
    return network_of(address, of_ipv4=32).removesuffix("/32") or address[:64]
