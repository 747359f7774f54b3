"""E-mail, by an SMTP server."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Final, Literal

from risk_management.alerts.chart import Picture
from risk_management.alerts.message import Message
from risk_management.alerts.outcome import DELIVERED, Cap, Outcome, refused, retry
from risk_management.alerts.senders._text import cut
from risk_management.clock import Clock

__all__ = ["Email", "MailServer"]

FOR_GOOD: Final = 500
"""Replies from here on will not change by themselves (RFC 5321, 4.2.1)."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in.

    Parameters
    ----------
    host : str
    port : int
    security : str
        ``starttls``, ``tls`` or ``none``.
    username, password : str
        Empty: none is needed.
    seconds : float
        For each step.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: str = ""
    seconds: float = 10.0


class Email:
    """Sends one mail a message.

    Parameters
    ----------
    server : MailServer
    sender : str
    recipients : tuple of str
    clock : Clock
        The real time, for the ``Date``.
    """

    caps = (Cap(30, 60.0),)

    def __init__(self, server: MailServer, sender: str, recipients: tuple[str, ...], clock: Clock) -> None:
        self._server, self._sender, self._recipients = server, sender, recipients
        self._clock = clock

    def send(self, message: Message) -> Outcome:
        """Plain text. The ``Message-ID`` is that of the message: a mailbox may drop what comes twice."""
        return self.send_with(message, None)

    def send_with(self, message: Message, picture: Picture | None) -> Outcome:
        """Plain text; with a picture the same as HTML besides, which shows it."""
        mail = EmailMessage()
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._recipients)
        mail["Subject"] = cut(" ".join(message.title.split()), 200)
        mail["Date"] = format_datetime(self._clock.now())
        mail["Message-ID"] = f"<{message.key}@{self._sender.rpartition('@')[2] or 'risk'}>"
        mail["Auto-Submitted"] = "auto-generated"
        text = message.text.encode("utf-8", "replace").decode()
        mail.set_content(text)
        if picture is not None:
            _illustrate(mail, text, picture, f"{message.key}.png")
        try:
            return self._hand_in(mail)
        except smtplib.SMTPNotSupportedError:  # of what is handed in: SMTPUTF8
            return refused(
                "the mail server takes no address with letters beyond ASCII", "check ALERT_EMAIL_TO"
            )
        except smtplib.SMTPAuthenticationError as problem:
            return _of_code(problem.smtp_code, "the login", "check SMTP_USERNAME and SMTP_PASSWORD")
        except smtplib.SMTPRecipientsRefused as problem:
            code = min((int(said[0]) for said in problem.recipients.values()), default=FOR_GOOD)
            return _of_code(code, "the recipient", "check ALERT_EMAIL_TO")
        except smtplib.SMTPSenderRefused as problem:
            return _of_code(problem.smtp_code, "the sender", "set alert_config.email_from")
        except smtplib.SMTPResponseException as problem:
            return _of_code(problem.smtp_code, "the mail", "see the mail server's log")
        except ssl.SSLError:
            return refused("TLS failed: the mail server's certificate can't be verified", "check SMTP_SERVER")
        except (smtplib.SMTPException, OSError) as problem:
            return retry(
                f"the mail server did not take it: {type(problem).__name__}",
                remedy="check SMTP_SERVER and SMTP_PORT",
            )

    def _hand_in(self, mail: EmailMessage) -> Outcome:
        server, context = self._server, ssl.create_default_context()
        connection: smtplib.SMTP = (
            smtplib.SMTP_SSL(server.host, server.port, timeout=server.seconds, context=context)
            if server.security == "tls"
            else smtplib.SMTP(server.host, server.port, timeout=server.seconds)
        )
        try:
            if server.security == "starttls" and not _worked(lambda: connection.starttls(context=context)):
                return refused(
                    "the mail server offers no STARTTLS",
                    "set alert_config.smtp_security to what the server does: tls is usual at port 465",
                )
            if server.password and not _worked(lambda: connection.login(server.username, server.password)):
                return refused(
                    "the mail server offers no login on this way",
                    "take SMTP_PASSWORD out if it needs none; many offer a login only with "
                    "alert_config.smtp_security starttls or tls",
                )
            connection.send_message(mail, self._sender, self._recipients)
            return DELIVERED
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):  # it has been taken, or it has not
                connection.quit()


def _illustrate(mail: EmailMessage, text: str, picture: Picture, name: str) -> None:
    """Add the text as HTML with the picture below it; a reader of plain text sees what it shows in words."""
    mail.set_content(f"{text}\n\n{picture.text}\n")
    said = escape(text).replace("\n", "<br>\n")
    shown = f'<img src="cid:{name}@chart" alt="{escape(picture.text)}" width="704" height="352">'
    mail.add_alternative(f"<html><body><p>{said}</p>\n<p>{shown}</p></body></html>\n", subtype="html")
    parts = mail.get_payload()
    html = parts[-1] if isinstance(parts, list) else None
    if isinstance(html, EmailMessage):
        inline = f"<{name}@chart>"
        html.add_related(picture.png, "image", "png", cid=inline, filename=name, disposition="inline")


def _worked(step: Callable[[], object]) -> bool:
    """Whether the server offers a step at all."""
    try:
        step()
    except smtplib.SMTPNotSupportedError:
        return False
    return True


def _of_code(code: int, what: str, remedy: str) -> Outcome:
    said = f"the mail server refused {what}: {code}"
    return refused(said, remedy) if code >= FOR_GOOD else retry(said, remedy=remedy)
