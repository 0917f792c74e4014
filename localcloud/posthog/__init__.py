"""The PostHog stand-in: every way PostHog's clients send events, a store of them, and queries over it.

Wire facts follow PostHog's open capture service and what its clients were seen to send. There are no feature flags,
surveys or recordings here, and the answers say so, which keeps the clients quiet.
"""

from __future__ import annotations

from localcloud.posthog.app import setup

__all__ = ["setup"]
