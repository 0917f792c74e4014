"""The three doors of a sandbox: model, git, mail."""

from __future__ import annotations

from django.urls import path

from gateway import git_door, mail_door, model_door

urlpatterns = [
    path("model/v1/messages", model_door.messages),
    path("model/v1/messages/count_tokens", model_door.count_tokens),
    path("model/v1/models", model_door.models),
    path("git/<slug:slug>.git/info/refs", git_door.info_refs),
    path("git/<slug:slug>.git/git-upload-pack", git_door.upload_pack),
    path("git/<slug:slug>.git/git-receive-pack", git_door.receive_pack),
    path("mail/emails", mail_door.send),
    path("mail/emails/batch", mail_door.send_batch),
    path("mail/<path:rest>", mail_door.contacts),
]
