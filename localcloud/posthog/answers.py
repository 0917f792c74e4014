"""What PostHog's clients are told about the project: nothing is switched on but the capture of events."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any


def config(key: str) -> dict[str, Any]:
    """The remote configuration that posthog-js loads first."""
    return {
        "token": key,
        "supportedCompression": ["gzip", "gzip-js"],
        "hasFeatureFlags": False,
        "captureDeadClicks": False,
        "capturePerformance": False,
        "autocapture_opt_out": False,
        "autocaptureExceptions": False,
        "analytics": {"endpoint": "/i/v0/e/"},
        "elementsChainAsString": True,
        "errorTracking": {"autocaptureExceptions": False, "suppressionRules": []},
        "logs": {"captureConsoleLogs": False},
        "sessionRecording": False,
        "heatmaps": False,
        "conversations": False,
        "surveys": False,
        "productTours": False,
        "defaultIdentifiedOnly": True,
        "siteApps": [],
        "toolbarParams": {},
        "toolbarVersion": "toolbar",
        "isAuthenticated": False,
    }


def config_script(key: str) -> str:
    """The same as a script. The key must have been checked; it is written as JSON all the same."""
    name, value = json.dumps(key), json.dumps({"config": config(key), "siteApps": []})
    return (
        "(function () {\n  window._POSTHOG_REMOTE_CONFIG = window._POSTHOG_REMOTE_CONFIG || {};\n"
        f"  window._POSTHOG_REMOTE_CONFIG[{name}] = {value};\n}})();\n"
    )


def flags(key: str, *, with_config: bool) -> dict[str, Any]:
    """No feature flags, in the form of `/flags/`."""
    body: dict[str, Any] = {
        "flags": {},
        "errorsWhileComputingFlags": False,
        "requestId": str(uuid.uuid4()),
        "evaluatedAt": int(time.time() * 1000),
    }
    return config(key) | body if with_config else body


def definitions(group_types: list[dict[str, Any]]) -> dict[str, Any]:
    """No feature flags, for clients that would decide them themselves."""
    mapping = {str(kind["group_type_index"]): kind["group_type"] for kind in group_types}
    return {"flags": [], "group_type_mapping": mapping, "cohorts": {}}


def decide(key: str) -> dict[str, Any]:
    """No feature flags, in the form older clients ask for."""
    return config(key) | {"featureFlags": {}, "featureFlagPayloads": {}, "errorsWhileComputingFlags": False}
