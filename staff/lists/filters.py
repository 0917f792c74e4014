"""Filters of the lists. Each narrows by something that an index finds, and none reads rows to know its own choices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.contrib.postgres.aggregates import BoolAnd
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone

from provisioning.models import Resource
from provisioning.names import has_shape
from provisioning.words import REASONS
from sessions_app.events import TYPES
from sessions_app.models import Session, Turn
from sessions_app.turns import ACTIVE

WITHIN = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
State = Resource.State


class Choice(SimpleListFilter):
    """One of fixed choices; anything else in the address narrows nothing."""

    choices_: ClassVar[tuple[tuple[str, str], ...]]

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, str]]:  # noqa: ARG002
        """The choices."""
        return self.choices_

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """The rows of the one that is chosen."""
        value = self.value()
        return self.narrow(queryset, value) if value in dict(self.choices_) else queryset

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those of the rows that the choice means."""
        raise NotImplementedError


def within(field: str, title: str, parameter: str = "age") -> type[Choice]:
    """A filter by how long ago `field` was: within the last hour, day or week."""

    class Within(Choice):
        choices_ = tuple((name, f"last {name}") for name in WITHIN)

        def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
            return queryset.filter(**{f"{field}__gte": timezone.now() - WITHIN[value]})

    Within.title, Within.parameter_name = title, parameter
    return Within


class OfSession(SimpleListFilter):
    """The rows of one session, by its slug; shown only where a link has set it."""

    title = "session"
    parameter_name = "session"
    path = "session__slug"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> Iterable[tuple[str, str]]:  # noqa: ARG002
        """The one that is set."""
        value = self.value()
        return [(value, value)] if value else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        """Its rows; none for what is no slug."""
        value = self.value() or ""
        return queryset.filter(**{self.path: value}) if has_shape(value) else queryset.none()


class OfSessionByResource(OfSession):
    """The same for what belongs to a resource."""

    path = "resource__session__slug"


class OfSessionByName(OfSession):
    """The same for what knows no session but its slug."""

    path = "session"


class Reason(Choice):
    """Why a resource failed or is stuck."""

    title = "reason"
    parameter_name = "reason"
    choices_ = tuple((reason, reason.replace("_", " ")) for reason in sorted(REASONS))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those whose error says so."""
        return queryset.filter(error__isnull=False, error__reason=value)


class EventType(Choice):
    """What a line of the log is about."""

    title = "type"
    parameter_name = "type"
    choices_ = tuple((name, name) for name in sorted(TYPES))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """The lines of that type."""
        return queryset.filter(type=value)


class Legs(Choice):
    """Sessions by how their legs are."""

    title = "legs"
    parameter_name = "legs"
    choices_ = (("live", "all live"), ("failed", "one failed"), ("stuck", "one stuck"), ("moving", "one under way"))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those sessions."""
        if value == "live":
            # Asked of one open session after the other, newest first; an EXISTS is made a join of everything.
            its = Resource.objects.filter(session=OuterRef("pk")).order_by().values("session")
            whole = its.annotate(whole=BoolAnd(Q(state=State.READY))).values("whole")
            opened: QuerySet[Any] = queryset.filter(state=Session.State.OPEN).alias(whole=Subquery(whole))
            return opened.filter(whole=True)
        states = {"failed": [State.FAILED], "stuck": [State.STUCK], "moving": [State.CREATING, State.UNKNOWN]}[value]
        return queryset.filter(pk__in=Resource.objects.filter(state__in=states).values("session_id"))


class TurnUnderWay(Choice):
    """Sessions whose agent works, or is about to."""

    title = "turn"
    parameter_name = "turn"
    choices_ = (("running", "running"),)

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:  # noqa: ARG002
        """Those sessions."""
        return queryset.filter(pk__in=Turn.objects.filter(state__in=ACTIVE).values("session_id"))


class Prompted(Choice):
    """Sessions that were asked for something, or never."""

    title = "prompt"
    parameter_name = "prompted"
    choices_ = (("yes", "prompted"), ("no", "never prompted"))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those sessions."""
        return queryset.filter(prompted_at__isnull=value == "no")


class Spend(Choice):
    """Sessions by what they have cost."""

    title = "spend"
    parameter_name = "spend"
    choices_ = (("some", "more than nothing"), ("1", "$1 or more"), ("5", "$5 or more"), ("20", "$20 or more"))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those sessions."""
        return queryset.filter(spent_usd__gt=0) if value == "some" else queryset.filter(spent_usd__gte=int(value))


class Lease(Choice):
    """Credentials by whether they are still good."""

    title = "lease"
    parameter_name = "lease"
    choices_ = (("running", "running"), ("over", "over, not revoked yet"), ("revoked", "revoked"))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those credentials."""
        if value == "revoked":
            return queryset.filter(revoked_at__isnull=False)
        over = Q(expires_at__lte=timezone.now())
        return queryset.filter(over if value == "over" else ~over, revoked_at=None)


class Open(Choice):
    """Alerts that are open, or over."""

    title = "state"
    parameter_name = "open"
    choices_ = (("yes", "open"), ("no", "over"))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those alerts."""
        return queryset.filter(cleared_at__isnull=value == "yes")


class Answer(Choice):
    """Calls to the model by what came of them."""

    title = "answer"
    parameter_name = "answer"
    choices_ = (("whole", "whole"), ("cut", "cut off"), ("refused", "refused"), ("none", "none"))

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those calls."""
        return queryset.filter(
            {
                "whole": Q(complete=True),
                "cut": Q(complete=False, status__gt=0, status__lt=400),
                "refused": Q(complete=False, status__gte=400),
                "none": Q(complete=False, status=0),
            }[value]
        )
