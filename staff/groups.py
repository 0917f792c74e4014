"""The three groups of staff and the least rights each needs. A superuser needs none of them."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
_LOOKS_AT = ("provisioning", "sessions_app", "gateway", "staff")  # apps whose rows every member of staff may see
_OPERATES = {"teardown", "retry", "extend", "end_turn", "revoke", "archive", "sweep", "pause_vendor"}
_ADMINISTERS = _OPERATES | {"forget", "rotate", "reveal", "transfer", "approve"}
GRANTED = {VIEWER: set[str](), OPERATOR: _OPERATES, ADMIN: _ADMINISTERS}
# Accounts can be made, changed and put out of use; a removed one would take its name from the log's reader.
_ACCOUNTS = {"view_user", "add_user", "change_user", "view_group"}


def ensure() -> None:
    """Make the groups, and give each exactly the rights it should have; what was added by hand is taken back."""
    looks = Q(content_type__app_label__in=_LOOKS_AT, codename__startswith="view_")
    for name, powers in GRANTED.items():
        group, _ = Group.objects.get_or_create(name=name)
        rights = looks | Q(content_type__app_label="staff", codename__in=powers)
        if name == ADMIN:
            rights |= Q(content_type__app_label="auth", codename__in=_ACCOUNTS)
        group.permissions.set(Permission.objects.filter(rights))
