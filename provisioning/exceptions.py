"""Errors of provisioning.

ProvisioningError
├── VendorError      a vendor refused, failed, or did not answer as its protocol says
└── SandboxLost      the session's sandbox no longer exists, or never came to be
"""

from __future__ import annotations


class ProvisioningError(Exception):
    """Root of what provisioning raises on purpose. Its text is fit for a visitor and holds no secret."""


class SandboxLost(ProvisioningError):
    """The session's sandbox no longer exists, or never came to be; its files are gone with it."""
