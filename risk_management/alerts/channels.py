"""Where alerts go within this process, and which channels beyond it have what they need.

A channel of this process is a function that takes an alert and returns at once, for it is called on the way
of an assessment: the log, the memory, what is attached. All others have a row in the outbox, in the
transaction of the alert itself, and a sender that works in a thread of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from risk_management.alerts.records import Alert, AlertChannel, AlertSeverity, AlertState
from risk_management.config.risk_config import AlertConfig
from risk_management.registry import Registry

__all__ = ["CHANNELS", "Channel", "ChannelFactory", "configured", "log_channel", "missing_settings"]

Channel = Callable[[Alert], None]
"""Takes an alert; what it raises is recorded and told on the log, and stops nothing."""
ChannelFactory = Callable[[AlertConfig], Channel]
"""Makes a channel from its settings; called only where `missing_settings` is empty."""

CHANNELS: Final[Registry[ChannelFactory]] = Registry("channel")
"""All channels that can be made from settings, by name."""

logger = logging.getLogger(__name__)

_LEVELS: Final = {
    AlertSeverity.INFO: logging.INFO,
    AlertSeverity.WARNING: logging.WARNING,
    AlertSeverity.CRITICAL: logging.ERROR,
    AlertSeverity.EMERGENCY: logging.CRITICAL,
}
_NEEDS: Final[dict[AlertChannel, tuple[str, ...]]] = {
    AlertChannel.TELEGRAM: ("telegram_bot_token", "telegram_chat_id"),
    AlertChannel.EMAIL: ("smtp_server", "smtp_username"),
    AlertChannel.DISCORD: ("discord_webhook_url",),
    AlertChannel.SLACK: ("slack_webhook_url",),
    AlertChannel.WEBHOOK: ("webhook_url",),
}


def missing_settings(channel: AlertChannel, settings: AlertConfig) -> tuple[str, ...]:
    """The names of the settings that the channel still needs, as in the environment."""
    needed = _NEEDS.get(channel, ())
    if channel is AlertChannel.EMAIL and settings.email_to:
        needed = ("smtp_server",)
    return tuple(name.upper() for name in needed if not getattr(settings, name))


def configured(settings: AlertConfig) -> tuple[str, ...]:
    """The names of all channels beyond this process that have what they need, the named ones first."""
    named = [channel.value for channel in _NEEDS if not missing_settings(channel, settings)]
    return (*named, *settings.named_urls())


def log_channel(alert: Alert) -> None:
    """Tell the log of this module, at the level of the severity; a resolution is INFO."""
    level = logging.INFO if alert.state is AlertState.RESOLVED else _LEVELS[alert.severity]
    logger.log(
        level,
        "alert %s %s [%s, %d so far]: %s",
        alert.state.value,
        alert.rule_id,
        alert.severity.value,
        alert.count,
        alert.message,
    )


@CHANNELS.register(AlertChannel.LOG)
def _log(_settings: AlertConfig) -> Channel:
    return log_channel
