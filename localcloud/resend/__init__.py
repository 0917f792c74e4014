"""The Resend stand-in: audiences, segments, contacts, API keys and mail that lands in a mailbox on this machine.

Wire facts follow Resend's published OpenAPI description. Audiences and segments are two names for one store, as newer
clients send the calls for the one to the other.
"""

from __future__ import annotations

from localcloud.resend.app import setup

__all__ = ["setup"]
