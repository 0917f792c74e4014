"""The product's addresses, its pages, and the stage door."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from stage import SCENES

from mk0r.urls import urlpatterns as product


@csrf_exempt
def stage(request: HttpRequest, what: str) -> JsonResponse:
    """Prepare a scene."""
    told: dict[str, Any] = SCENES[what](json.loads(request.body))
    return JsonResponse(told)


def fail(request: HttpRequest) -> JsonResponse:
    """A view with a fault in it."""
    raise RuntimeError("on purpose")


urlpatterns = [path("_stage/fail", fail), path("_stage/<str:what>", stage), *product]
if not any(getattr(each, "name", None) == "home" for each in product):
    urlpatterns.append(path("", include("sessions_app.urls")))
