"""Tokens that open one session's repository each, kept for the hour they are good for, encrypted."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from provisioning.secrets import Secret, decrypt, encrypt


class RepositoryToken(models.Model):
    """One token of GitHub's. The row goes when the token is revoked or over; while it is there, the token may work.

    Every process takes from here, so one is minted for all, and whichever ends the session can revoke it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    resource = models.ForeignKey("provisioning.Resource", on_delete=models.CASCADE, related_name="repository_tokens")
    ciphertext = models.TextField()  # of a token of any length
    made_at = models.DateTimeField(default=timezone.now)
    fresh_until = models.DateTimeField()  # given out until then
    expires_at = models.DateTimeField()  # GitHub takes it until then

    class Meta:
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="repository_token_over")]

    def __str__(self) -> str:
        return f"token of {self.resource}"

    @property
    def _identity(self) -> str:
        return f"{self._meta.db_table}|{self.pk}|ciphertext"

    def seal(self, value: Secret) -> None:
        """Encrypt `value` for this row; the caller saves."""
        self.ciphertext = encrypt(value, identity=self._identity)

    def reveal(self) -> Secret:
        """Decrypt the token, over or not; raises `provisioning.secrets.Unreadable`."""
        return decrypt(self.ciphertext, identity=self._identity)
