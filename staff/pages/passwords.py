"""A member of staff chooses a password of their own, the old one given unless it was a one-time password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from staff import accounts, audit, signing
from staff.actors import of_request


class OwnPassword(PasswordChangeForm):
    """A wrong old password counts as a failed sign-in."""

    def __init__(self, user: User, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        self.request = request
        super().__init__(user, *args, **kwargs)

    def clean_old_password(self) -> str:
        """The old password, once it is confirmed to be theirs."""
        given: str = self.cleaned_data["old_password"]
        if not signing.confirm(self.request, given):
            raise forms.ValidationError("This is not your password.", code="password_incorrect")
        return given


class FirstPassword(SetPasswordForm):  # type: ignore[type-arg]
    """For somebody whose one-time password is used up: there is no old one to give."""

    def __init__(self, user: User, *args: Any, request: HttpRequest, **kwargs: Any) -> None:  # noqa: ARG002
        super().__init__(user, *args, **kwargs)


class _Change(PasswordChangeView):
    template_name = "staff/password.html"
    title = "Your password"

    def get_form_class(self) -> Any:
        return FirstPassword if self.request.session.get(signing.MUST_CHOOSE) else OwnPassword

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        self.request.session.pop(signing.MUST_CHOOSE, None)
        accounts.chosen(form.user)
        audit.record(of_request(self.request), "password_chosen", self.request.user.get_username())
        messages.success(self.request, "Your password is changed. Whatever else was signed in with the old one is not.")
        return answer


def change(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The page and what it sends."""
    first = bool(request.session.get(signing.MUST_CHOOSE))
    view = _Change.as_view(success_url=reverse("admin:index"), extra_context={**context, "first": first})
    answer: HttpResponse = view(request)  # type: ignore[assignment]
    return answer
