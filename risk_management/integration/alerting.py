"""Alerts on their way out: the senders of the settings, at work beside one manager."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING

from risk_management.alerts.chart import can_draw
from risk_management.alerts.delivery import Delivery
from risk_management.alerts.message import channels_of, message_of
from risk_management.alerts.outcome import Outcome
from risk_management.alerts.risk_alerts import AlertSeverity, AlertType
from risk_management.clock import SystemClock
from risk_management.config.risk_config import AlertConfig
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.integration.pictures import Pictures
from risk_management.integration.reporting import Reporting
from risk_management.model.alert import Alert

if TYPE_CHECKING:
    from risk_management.integration.telegram.bot import TelegramBot

__all__ = ["Alerting"]

logger = logging.getLogger(__name__)


class Alerting:
    """Sends what a manager tells, from `start` to `stop`.

    Parameters
    ----------
    manager : AdvancedRiskManager
    """

    def __init__(self, manager: AdvancedRiskManager) -> None:
        self._manager = manager
        self._lock = Lock()
        self._delivery: Delivery | None = None
        self._settings: AlertConfig | None = None
        self._reporting = Reporting(manager)
        self._bot: TelegramBot | None = None
        self._ignored: Counter[str] = Counter()
        self._unsubscribe = manager.alert_manager.subscribe(self._told)

    @property
    def is_running(self) -> bool:
        """Whether messages are sent."""
        return self._delivery is not None

    def start(self) -> None:
        """Begin with what is still in the outbox; a second call changes nothing."""
        with self._lock:
            if self._delivery is None:
                self._begin()

    def stop(self) -> None:
        """End; a message on its way is waited for, all others stay in the outbox."""
        with self._lock:
            delivery, self._delivery = self._delivery, None
            bot, self._bot = self._bot, None
        if bot is not None:
            bot.stop()
        if delivery is not None:
            delivery.stop()

    def close(self) -> None:
        """End for good."""
        self.stop()
        self._unsubscribe()

    def refresh(self) -> None:
        """Take other settings up, and settle what waits for a channel that nobody serves."""
        with self._lock:
            delivery = self._delivery
            if delivery is None:
                return
            if self._manager.config.alert_config != self._settings:
                if self._bot is not None:
                    self._bot.stop()
                delivery.stop()
                self._begin()
        delivery = self._delivery
        if delivery is not None:
            delivery.settle_orphans(self._manager.alert_manager.in_process)

    @property
    def ignored_commands(self) -> Mapping[str, int]:
        """Messages to the bot of the settings that were left aside, by reason."""
        return dict(self._ignored)

    def report(self) -> None:
        """Say the summaries that are due; the channels are woken."""
        delivery = self._delivery
        if delivery is not None and self._reporting.step():
            delivery.wake()

    def in_trouble(self, channel: str, outcome: Outcome) -> None:
        """Tell the other channels, and everybody who looks."""
        remedy = f"; {outcome.remedy}" if outcome.remedy else ""
        text = f"the channel {channel} does not take alerts: {outcome.reason}{remedy}"
        self._manager.alert_manager.raise_alert(
            AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, key=_key(channel)
        )

    def recovered(self, channel: str) -> None:
        """It takes alerts again."""
        self._manager.alert_manager.resolve(_key(channel))

    def _begin(self) -> None:
        # httpx alone takes 0.4 s: only who sends waits for it
        from risk_management.alerts.secrets import guard_logs  # noqa: PLC0415
        from risk_management.alerts.senders import senders_of  # noqa: PLC0415

        manager, settings = self._manager, self._manager.config.alert_config
        self._settings = settings
        guard_logs(settings)
        self._delivery = Delivery(
            manager.outbox,
            senders_of(settings) if settings.enabled else {},
            manager.clock,
            self,
            tries=settings.delivery_tries,
            label=manager.config.environment,
            pictures=Pictures(manager) if settings.charts and can_draw() else None,
        )
        self._delivery.start()
        self._bot = self._bot_of(settings)
        if self._bot is not None:
            self._bot.start()

    def _bot_of(self, settings: AlertConfig) -> TelegramBot | None:
        """A bot that takes commands, where the settings want one."""
        token, chat = settings.telegram_bot_token, settings.telegram_chat_id
        if not settings.telegram_commands or token is None or chat is None:
            return None
        from risk_management.alerts.telegram_api import TelegramApi  # noqa: PLC0415 - httpx is late
        from risk_management.integration.telegram.bot import TelegramBot  # noqa: PLC0415

        api = TelegramApi(
            settings.telegram_api_url, token.get_secret_value(), SystemClock(), settings.private_hosts
        )
        return TelegramBot(
            self._manager, api, int(chat), frozenset(settings.telegram_users), ignored=self._ignored
        )

    def _told(self, alert: Alert) -> None:
        """A telling is on disk with its rows, or there is no disk; either way this returns at once."""
        delivery = self._delivery
        if delivery is None:
            return
        manager = self._manager
        if manager.book.outage or not hasattr(manager.book.journal, "outbox"):
            delivery.add(message_of(alert), channels_of(alert))
        delivery.wake()


def _key(channel: str) -> str:
    return f"channel:{channel}"
