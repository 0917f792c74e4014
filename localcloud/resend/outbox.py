"""The outbox: one task that lets mails leave when they are due, by SMTP where EMAIL_URL names a server."""

from __future__ import annotations

import asyncio
import base64
import logging
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

from localcloud.resend import verdicts
from localcloud.resend.mailbox import Mailbox, message_id
from localcloud.resend.verdicts import Verdict

log = logging.getLogger("localcloud.resend")

SMTP_SECONDS = 20


class Outbox:
    """Sends due mails one after the other. `run` is the task; `wake` tells it that there may be work."""

    def __init__(self, mailbox: Mailbox, email_url: str | None) -> None:
        self._mailbox = mailbox
        self._email_url = email_url
        self._news = asyncio.Event()

    def wake(self) -> None:
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled. A mail that was leaving when the process was killed leaves again at the next start."""
        while True:
            self._news.clear()
            waiting = self._mailbox.next_due()
            if waiting is None:
                await self._news.wait()
                continue
            identity, due = waiting
            seconds = (due - datetime.now(UTC)).total_seconds()
            if seconds <= 0:
                await self._send(identity)
                continue
            try:
                async with asyncio.timeout(min(seconds, 3600)):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _send(self, identity: str) -> None:
        mail = self._mailbox.get(identity)
        if mail is None:
            return
        self._mailbox.happened(identity, "sent")
        verdict = verdicts.foreseen(mail)
        trouble = None
        if verdict is None and self._email_url is not None:
            verdict, trouble = await self._hand_on(self._email_url, mail)
        if verdict is None or verdict.event == "complained":  # who complains has got the mail
            self._mailbox.happened(identity, "delivered")
        if verdict is not None:
            self._mailbox.happened(identity, verdict.event, trouble=trouble, **verdict.detail)

    async def _hand_on(self, email_url: str, mail: dict[str, Any]) -> tuple[Verdict | None, str | None]:
        """Give a mail to the SMTP server; what it says of it, and a word for the mailbox when it did not take it."""
        try:
            refused = await asyncio.to_thread(forward, email_url, mail)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except Exception as error:  # noqa: BLE001 -- one mail that cannot be handed over must not stop the others
            log.warning("mail %s was kept here but EMAIL_URL's server did not take it: %s", mail["id"], error)
            reason = f"The SMTP server of EMAIL_URL did not take it: {error}"
            return verdicts.failed(reason), reason
        said = [f"smtp; {code} {text.decode('utf-8', 'replace')}" for code, text in refused.values()]
        if not said:
            return None, None
        trouble = f"The SMTP server of EMAIL_URL refused {', '.join(refused)}: {'; '.join(said)}"
        gone = any(500 <= code < 600 for code, _ in refused.values())
        return (verdicts.bounced(said) if gone else verdicts.failed(trouble)), trouble


def forward(email_url: str, mail: dict[str, Any]) -> dict[str, tuple[int, bytes]]:
    """Hand one mail to the SMTP server; returns the recipients it refused, with its words.

    Raises `smtplib.SMTPException`, `OSError`, `ValueError`.
    """
    parts = urlsplit(email_url)
    host, implicit = parts.hostname or "localhost", parts.scheme in ("smtps", "smtp+ssl")
    port = parts.port or (465 if implicit else 587 if parts.scheme == "smtp+tls" else 25)
    context = ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(host, port, timeout=SMTP_SECONDS, context=context)
        if implicit
        else smtplib.SMTP(host, port, timeout=SMTP_SECONDS)
    )
    with server:
        if parts.scheme == "smtp+tls":
            server.starttls(context=context)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        recipients = [parseaddr(address)[1] for address in (*mail["to"], *mail["cc"], *mail["bcc"])]
        return server.send_message(_message(mail), parseaddr(mail["from"])[1], recipients)


def _message(mail: dict[str, Any]) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["Subject"] = mail["from"], " ".join(mail["subject"].split())
    for header, member in (("To", "to"), ("Cc", "cc"), ("Reply-To", "reply_to")):
        if mail[member]:
            message[header] = ", ".join(mail[member])
    message["Message-ID"] = message_id(mail)
    for name, value in mail["headers"].items():
        if name not in message:
            message[name] = value
    message.set_content(mail["text"] or "")
    if mail["html"] is not None:
        if mail["text"] is None:
            message.set_content(mail["html"], subtype="html")
        else:
            message.add_alternative(mail["html"], subtype="html")
    for item in mail["attachments"]:
        maintype, _, subtype = (item["content_type"] or "application/octet-stream").partition("/")
        message.add_attachment(
            base64.b64decode(item["content"]), maintype=maintype, subtype=subtype, filename=item["filename"]
        )
    return message
