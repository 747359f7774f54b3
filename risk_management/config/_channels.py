"""Whether the settings of the alert channels can work: addresses, a safe way for passwords, Apprise URLs."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from risk_management.config.risk_config import AlertConfig

__all__ = ["channel_problems", "load_apprise", "service_of"]

ADDRESSES: Final = ("discord_webhook_url", "slack_webhook_url", "webhook_url", "telegram_api_url")
TOKEN: Final = re.compile(r"[A-Za-z0-9:_-]+\Z")
CHAT: Final = re.compile(r"(-?\d{1,20}|@[A-Za-z0-9_]{1,64})\Z")
MAILBOX: Final = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\Z")
SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,31}\Z")


def channel_problems(settings: AlertConfig) -> Iterator[str]:
    """What can't work, each with the name of the setting; no value of a secret is told."""
    for name in ADDRESSES:
        secret = getattr(settings, name)
        if secret is not None:
            text = secret if isinstance(secret, str) else secret.get_secret_value()
            yield from (f"alert_config.{name}: {said}" for said in _of_address(text, settings.private_hosts))
    yield from _of_telegram(settings)
    yield from _of_mail(settings)
    yield from _of_urls(settings)


def load_apprise() -> ModuleType:
    """The library, which is read late and loads plugins that use modules on their way out of Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise  # noqa: PLC0415 - 0.2 s, only where it is needed

        apprise.Apprise.instantiate("json://localhost")  # reads all plugins, here and not later
    module: ModuleType = apprise
    return module


def service_of(url: str, **options: Any) -> Any:
    """What Apprise makes of a URL, None where it is none of its own; it would log its secrets."""
    apprise, logger = load_apprise(), logging.getLogger("apprise")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        return apprise.Apprise.instantiate(url, **options)
    finally:
        logger.setLevel(before)


def _of_address(text: str, private: tuple[str, ...]) -> Iterator[str]:
    if any(not c.isprintable() or c.isspace() for c in text):
        yield "an address has no spaces or control characters"
        return
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        yield "not an address; write https://host/path"
        return
    yield from _of_parts(parts, private)


def _of_parts(parts: SplitResult, private: tuple[str, ...]) -> Iterator[str]:
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield "not an address; write https://host/path"
    elif parts.username is not None or parts.password is not None:
        yield "a name or password in an address ends up in logs; take it out"
    elif parts.scheme == "http" and parts.hostname not in private:
        yield "must begin with https://; plain http is for hosts of private_hosts alone"


def _of_telegram(settings: AlertConfig) -> Iterator[str]:
    token, chat = settings.telegram_bot_token, settings.telegram_chat_id
    if token is not None and not TOKEN.match(token.get_secret_value()):
        yield "alert_config.telegram_bot_token: no bot token; copy it whole from @BotFather"
    if chat is not None and not CHAT.match(chat):
        yield "alert_config.telegram_chat_id: a chat is a number such as -100123, or @channelname"
    if settings.telegram_commands and (token is None or chat is None or chat.startswith("@")):
        yield (
            "alert_config.telegram_commands: commands need telegram_bot_token, and telegram_chat_id as "
            "a number; set both, or take telegram_commands out"
        )


def _of_mail(settings: AlertConfig) -> Iterator[str]:
    for name in ("email_to", "email_from"):
        text = getattr(settings, name)
        if text is not None and not all(MAILBOX.match(one.strip()) for one in text.split(",")):
            yield f"alert_config.{name}: not an address; write name@host, several with a comma between"
    host = settings.smtp_server
    if host is not None and not re.match(r"[A-Za-z0-9.:_-]+\Z", host):
        yield "alert_config.smtp_server: not a host; write a name such as smtp.gmail.com"
    is_open = settings.smtp_security == "none" and host not in settings.private_hosts
    if is_open and settings.smtp_password is not None:
        yield (
            "alert_config.smtp_security: none would send the password in the clear; take starttls or tls, "
            "or list the server in private_hosts"
        )


def _of_urls(settings: AlertConfig) -> Iterator[str]:
    if not settings.urls:
        return
    for number, secret in enumerate(settings.urls, 1):
        url = secret.get_secret_value()
        where = f"alert_config.urls (ALERT_URLS): number {number}"
        if not SCHEME.match(url.partition("://")[0].lower()) or "://" not in url:
            yield f"{where} is not an Apprise URL; write scheme://..."
            continue
        if service_of(url) is None:
            yield f"{where} is not one that Apprise can use; see the page of its service at appriseit.com"
