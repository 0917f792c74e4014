"""The Anthropic stand-in: the Messages API, answered by a scripted builder that the real coding agent can be driven by.

It says what it is: model names carry "(scripted stand-in)" and every turn ends by telling the person so.
"""

from __future__ import annotations

from localcloud.anthropic.app import setup

__all__ = ["setup"]
