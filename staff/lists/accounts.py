"""Accounts of staff and the groups they are in.

Rights come from groups alone, and groups are what `staff.groups` says. Nobody gives a right that they do not have, nor
touches an account that has one they lack: what an account can do is a part of what whoever manages it can do. Passwords
are nobody's business but their owner's: an account begins, and begins again, with a one-time password shown once. No
account is removed, because the audit log speaks of it; it is put out of use.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import admin as _djangos  # noqa: F401 (registers lists that ours replace)
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.cache import add_never_cache_headers

from staff import audit, onetime
from staff.actors import of_request
from staff.lists.base import ReadOnly

admin.site.unregister([User, Group])

_ABOUT = ("username", "first_name", "last_name", "email")
_RIGHTS = ("is_active", "groups", "is_superuser")


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    """An account without its password."""

    class Meta:
        model = User
        fields = (*_ABOUT, *_RIGHTS)


@admin.register(User)
class AccountAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who can come in, and what they may do."""

    form = AccountForm
    list_display = ("username", "in_groups", "is_active", "is_superuser", "last_login", "date_joined")
    list_filter = ("is_active", "is_superuser", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    list_per_page = 50
    show_full_result_count = False
    actions = None
    change_form_template = "staff/account.html"
    filter_horizontal = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With the groups of all, in one query more."""
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="groups")
    def in_groups(self, user: User) -> str:
        """The names of its groups."""
        return ", ".join(sorted(group.name for group in user.groups.all())) or "none"

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """No list can be asked about a password, hashed or not."""
        return "password" not in lookup and super().lookup_allowed(lookup, value, request)

    # Who may do what to whom

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """An account is managed by those alone who may do all that it may."""
        return super().has_change_permission(request, obj) and (obj is None or _covers(request, obj))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may add accounts may change them as well."""
        return super().has_add_permission(request) and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002
        """The audit log speaks of it."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Being a superuser is shown to superusers; nobody changes their own rights."""
        rights = _RIGHTS if _is_superuser(request) else _RIGHTS[:-1]
        times = () if obj is None else ((None, {"fields": ("last_login", "date_joined")}),)
        return ((None, {"fields": _ABOUT}), ("Rights", {"fields": rights}), *times)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Nobody changes their own rights, or puts themselves out of use."""
        times = ("last_login", "date_joined") if obj is not None else ()
        return (*_RIGHTS, *times) if obj is not None and obj.pk == request.user.pk else times

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Groups can be given by those who have all the rights that come with them."""
        if db_field.name == "groups":
            mine = [group.pk for group in Group.objects.prefetch_related("permissions") if _may_give(request, group)]
            kwargs["queryset"] = Group.objects.filter(pk__in=mine).order_by("name")
            kwargs["widget"] = forms.CheckboxSelectMultiple
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    # What is written

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Every account made here is a member of staff's and has no password yet."""
        if not change:
            obj.is_staff = True
            obj.set_unusable_password()
        if obj.is_superuser and not _is_superuser(request):  # not even by a form that was tampered with
            raise PermissionDenied
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Written down with the groups it has from now on."""
        super().save_related(request, form, formsets, change)
        user = form.instance
        audit.record(
            of_request(request), "account_changed" if change else "account_added", user.get_username(),
            changed=list(form.changed_data), groups=sorted(user.groups.values_list("name", flat=True)),
            active=user.is_active, superuser=user.is_superuser,
        )  # fmt: skip

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: str | None = None) -> HttpResponse:  # noqa: ARG002
        """Show the new account's one-time password, once."""
        return self._one_time(request, obj)

    # The one-time password

    def get_urls(self) -> list[URLPattern]:
        """The list's own, and the one that gives an account a new way in."""
        again = self.admin_site.admin_view(self.one_time)
        return [path("<int:pk>/one-time/", again, name="auth_user_one_time"), *super().get_urls()]

    def one_time(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give an account a one-time password in place of what it had."""
        found = User.objects.filter(pk=pk).first()
        if found is None:
            raise Http404
        if not self.has_change_permission(request, found) or not found.is_staff:
            raise PermissionDenied
        if request.method != "POST":  # they had to sign in again: it is asked for anew
            return redirect("admin:auth_user_change", found.pk)
        return self._one_time(request, found)

    def _one_time(self, request: HttpRequest, user: User) -> HttpResponse:
        with transaction.atomic():
            password = onetime.give(user)
            audit.record(of_request(request), "one_time_password", user.get_username())
        back = reverse("admin:auth_user_change", args=[user.pk])
        context = {
            **self.admin_site.each_context(request),
            "title": "One-time password",
            "name": user.get_username(),
            "password": password,
            "back": back,
        }
        answer = TemplateResponse(request, "staff/one_time.html", context)
        add_never_cache_headers(answer)
        return answer


@admin.register(Group)
class GroupAdmin(ReadOnly):
    """What each group may do. `staff.groups` says so, and takes back what is changed by hand."""

    list_display = ("name", "members", "rights")
    fields = ("name", "members", "rights")
    readonly_fields = ("members", "rights")
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """With members and rights of all, in two queries more."""
        return super().get_queryset(request).prefetch_related("user_set", "permissions")

    @admin.display(description="members")
    def members(self, group: Group) -> str:
        """Whoever is in it and can come in."""
        return ", ".join(sorted(user.username for user in group.user_set.all() if user.is_active)) or "none"

    @admin.display(description="may")
    def rights(self, group: Group) -> str:
        """What it may do beyond looking."""
        return ", ".join(sorted(one.codename for one in group.permissions.all() if not _looks(one))) or "look"


def _looks(permission: Permission) -> bool:
    return permission.codename.startswith("view_")


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


def _covers(request: HttpRequest, other: User) -> bool:
    """Whether this member of staff may do all that `other` may, or could once it is in use again."""
    if _is_superuser(request):
        return True
    if other.is_superuser:
        return False
    held = Permission.objects.filter(group__user=other) | Permission.objects.filter(user=other)
    return request.user.has_perms(_named(held.select_related("content_type").distinct()))


def _may_give(request: HttpRequest, group: Group) -> bool:
    return request.user.has_perms(_named(group.permissions.select_related("content_type")))


def _named(permissions: QuerySet[Permission]) -> list[str]:
    return [f"{one.content_type.app_label}.{one.codename}" for one in permissions]
