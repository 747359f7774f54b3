"""Alerts on their way out: the senders of the settings, at work beside one manager."""

from __future__ import annotations

import logging
from threading import Lock

from risk_management.alerts.delivery import Delivery
from risk_management.alerts.message import channels_of, message_of
from risk_management.alerts.outcome import Outcome
from risk_management.alerts.risk_alerts import AlertSeverity, AlertType
from risk_management.config.risk_config import AlertConfig
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.integration.reporting import Reporting
from risk_management.model.alert import Alert

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
                delivery.stop()
                self._begin()
        delivery = self._delivery
        if delivery is not None:
            delivery.settle_orphans(self._manager.alert_manager.in_process)

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
        )
        self._delivery.start()

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
