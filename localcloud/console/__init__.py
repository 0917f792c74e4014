"""`/_cloud/`: what a person sees of localcloud, and what tests and tools read of it as JSON.

A person comes in by a one-time link. Everything shown was written by strangers' apps, so all of it is escaped, no page
holds inline script or style, and the HTML of a mail is served only for a frame without scripts and without an origin.
"""

from __future__ import annotations

from localcloud.console.app import setup

__all__ = ["setup"]
