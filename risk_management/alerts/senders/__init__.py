"""The channels that send something, one file each; `SENDERS` knows how each is made from the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydantic import SecretStr

from risk_management.alerts.channels import configured
from risk_management.alerts.outcome import Sender
from risk_management.alerts.senders._http import Poster, Timeouts
from risk_management.alerts.senders.by_apprise import ByApprise
from risk_management.alerts.senders.discord import Discord
from risk_management.alerts.senders.email import Email, MailServer
from risk_management.alerts.senders.slack import Slack
from risk_management.alerts.senders.telegram import Telegram
from risk_management.alerts.senders.webhook import Webhook
from risk_management.clock import SystemClock
from risk_management.config.risk_config import AlertConfig
from risk_management.model.alert import AlertChannel
from risk_management.registry import Registry

__all__ = ["SENDERS", "SenderFactory", "senders_of"]

SenderFactory = Callable[[AlertConfig, Timeouts], Sender]
"""Makes a sender from the settings; called only where they are complete."""

SENDERS: Final[Registry[SenderFactory]] = Registry("sender")
"""How the channels with settings of their own are made."""


def senders_of(settings: AlertConfig, timeouts: Timeouts | None = None) -> dict[str, Sender]:
    """A sender for every channel that is configured, by name.

    Raises
    ------
    ConfigurationError
        An Apprise URL can't be used.
    """
    times = timeouts or Timeouts()
    urls = settings.named_urls()
    made: dict[str, Sender] = {}
    for name in configured(settings):
        if name in urls:
            made[name] = ByApprise(
                name, urls[name].get_secret_value(), settings.private_hosts, times.total / 2
            )
        else:
            made[name] = SENDERS.get(name)(settings, times)
    return made


def _poster(settings: AlertConfig, timeouts: Timeouts) -> Poster:
    return Poster(SystemClock(), settings.private_hosts, timeouts)


def _said(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


@SENDERS.register(AlertChannel.TELEGRAM.value)
def _telegram(settings: AlertConfig, timeouts: Timeouts) -> Sender:
    token, chat = _said(settings.telegram_bot_token), settings.telegram_chat_id or ""
    return Telegram(_poster(settings, timeouts), settings.telegram_api_url, token, chat)


@SENDERS.register(AlertChannel.EMAIL.value)
def _email(settings: AlertConfig, timeouts: Timeouts) -> Sender:
    written = settings.email_to or settings.smtp_username or ""
    recipients = tuple(one.strip() for one in written.split(","))
    name = settings.smtp_username or ""
    sender = settings.email_from or (name if "@" in name else recipients[0])
    server = MailServer(
        host=settings.smtp_server or "",
        port=settings.smtp_port,
        security=settings.smtp_security,
        username=name,
        password=_said(settings.smtp_password),
        seconds=timeouts.total,
    )
    return Email(server, sender, recipients, SystemClock())


@SENDERS.register(AlertChannel.DISCORD.value)
def _discord(settings: AlertConfig, timeouts: Timeouts) -> Sender:
    return Discord(_poster(settings, timeouts), _said(settings.discord_webhook_url))


@SENDERS.register(AlertChannel.SLACK.value)
def _slack(settings: AlertConfig, timeouts: Timeouts) -> Sender:
    return Slack(_poster(settings, timeouts), _said(settings.slack_webhook_url))


@SENDERS.register(AlertChannel.WEBHOOK.value)
def _webhook(settings: AlertConfig, timeouts: Timeouts) -> Sender:
    key = _said(settings.webhook_signing_key)
    return Webhook(_poster(settings, timeouts), _said(settings.webhook_url), key)
