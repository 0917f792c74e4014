"""How what staff type into a search box is found: by the beginning of a name or an id, or by words of a title.

Everything here is found by way of an index. That is why a part from the middle of a name finds nothing.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Q, QuerySet

from provisioning.models import Resource
from provisioning.names import verify
from sessions_app.models import Session, Version

HELP = "Slug or name at a vendor, from its beginning"
_NAMED = re.compile(r"mk0r-([a-z0-9]{1,12})", re.IGNORECASE)
_SLUG = re.compile(r"[a-z0-9]{1,12}\Z")
_ADDRESS = re.compile(r"/(?:s|sessions)/([a-z0-9]{12})\b")
_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")
_FEW = 500  # sessions that are looked up by name; where more fit, the list is gone through from its newest on
_SHORTEST_ID = 4  # characters; fewer begin too many ids to tell anything
_WORD = re.compile(r"\w+")


def slug_of(words: str) -> str:
    """The slug, or the beginning of one, that these words can mean: bare, in a name of ours, or in an address."""
    for shape in (_NAMED, _ADDRESS):
        if match := shape.search(words):
            return match[1].lower()
    return words.lower() if _SLUG.match(words.lower()) else ""


def of_session(queryset: QuerySet[Any], words: str, path: str = "session__") -> QuerySet[Any]:
    """Rows that belong to a session whose slug begins so."""
    slug = slug_of(words)
    return queryset.filter(**{f"{path}slug__startswith": slug}) if slug else queryset.none()


def sessions(queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
    """Sessions by slug, by words of their title, or by the id or name of something they own or owned at a vendor.

    Each way is a query of its own that its index answers, up to a bound. What goes beyond it is so common that the
    list, newest first, meets a page of it soon. A whole slug of ours proves itself, and can mean nothing else.
    """
    slug, asked = slug_of(words), _asked(words)
    if verify(slug):
        return queryset.filter(slug=slug)
    titled = Session.objects.alias(words=SearchVector("title", config="simple")).order_by()
    ways = ([Q(slug__startswith=slug)] if slug else []) + ([Q(words=asked)] if asked is not None else [])
    found: list[Any] = [titled.filter(way).values_list("pk", flat=True)[: _FEW + 1] for way in ways]
    if len(words) >= _SHORTEST_ID:
        found.append(_owners(words))
    few = list(found[0].union(*found[1:])[: _FEW + 1]) if found else []
    if len(few) <= _FEW:
        return queryset.filter(pk__in=few)
    common: QuerySet[Any] = queryset.alias(words=SearchVector("title", config="simple"))
    return common.filter(reduce(or_, ways, Q(pk__in=few)))


def resources(queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
    """Resources by their name or id at the vendor."""
    named = _NAMED.search(words)
    name = named[0].lower() if named else f"mk0r-{slug_of(words)}" if slug_of(words) else words
    return queryset.filter(Q(name__startswith=name) | (_with_id() & Q(external_id__startswith=words)))


def versions(queryset: QuerySet[Any], words: str) -> QuerySet[Any]:
    """Versions by their commit where the words can be one, or by the session's slug."""
    ways = of_session(Version.objects.order_by(), words).values_list("pk")
    if _COMMIT.match(words.lower()):
        ways = ways.union(Version.objects.filter(sha__startswith=words.lower()).order_by().values_list("pk"))
    return queryset.filter(pk__in=ways)


def _owners(words: str) -> QuerySet[Any, Any]:
    owned = Resource.objects.filter(_with_id(), external_id__startswith=words)
    return owned.order_by().values_list("session_id", flat=True)


def _with_id() -> Q:
    return ~Q(external_id="")


def _asked(words: str) -> SearchQuery | None:
    """All of the words, the last from its beginning: what is typed is often not finished."""
    found = _WORD.findall(words.lower())[:8]
    return SearchQuery(" & ".join(f"{one}:*" for one in found), search_type="raw", config="simple") if found else None
