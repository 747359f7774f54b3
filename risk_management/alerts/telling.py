"""Tells alerts to their channels and listeners; what one of those raises goes no further."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import RLock
from typing import Final

from risk_management.alerts.channels import CHANNELS, Channel, configured, missing_settings
from risk_management.alerts.records import Alert, AlertChannel, AlertRule, FailedDelivery
from risk_management.config.risk_config import AlertConfig
from risk_management.model.alert import ALWAYS

__all__ = ["KEPT", "Teller"]

KEPT: Final = 1000
"""Alerts kept in the history, in memory and as failed; keys kept of alerts that are raised."""

logger = logging.getLogger(__name__)


class Teller:
    """The channels of a configuration and the listeners, with what was told and what failed.

    Parameters
    ----------
    settings : AlertConfig
    """

    def __init__(self, settings: AlertConfig) -> None:
        self._lock = RLock()
        self._history: deque[Alert] = deque(maxlen=KEPT)
        self._listeners: list[Channel] = []
        self.delivered: deque[Alert] = deque(maxlen=KEPT)
        self.failed: deque[FailedDelivery] = deque(maxlen=KEPT)
        self._attached: dict[str, Channel] = {AlertChannel.MEMORY: self.delivered.append}
        self.reconfigure(settings)

    def reconfigure(self, settings: AlertConfig) -> None:
        """Make the channels anew; what was attached stays."""
        made: dict[str, Channel] = {
            AlertChannel(name): make(settings)
            for name, make in CHANNELS.items()
            if not missing_settings(AlertChannel(name), settings)
        }
        with self._lock:
            self._settings = settings
            self._channels: dict[str, Channel] = {**made, **self._attached}
            self._posted = frozenset(configured(settings))

    def attach(self, channel: AlertChannel, sender: Channel) -> None:
        """Send what goes to `channel` by `sender`, whatever the settings say."""
        with self._lock:
            self._attached[channel] = sender
            self._channels[channel] = sender

    def subscribe(self, listener: Channel) -> Callable[[], None]:
        """Call `listener` with every alert; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return unsubscribe

    @property
    def reachable(self) -> tuple[str, ...]:
        """All channels that can take an alert: those of this process, and those that have a sender."""
        with self._lock:
            return (*self._channels, *(name for name in sorted(self._posted) if name not in self._channels))

    @property
    def in_process(self) -> tuple[str, ...]:
        """The channels that are functions of this process: no row in the outbox waits for a sender."""
        with self._lock:
            return tuple(str(name) for name in self._channels)

    @property
    def history(self) -> tuple[Alert, ...]:
        """The last tellings, the newest last."""
        with self._lock:
            return tuple(self._history)

    def recall(self, alerts: Iterable[Alert]) -> None:
        """Tellings of the processes before this one, the oldest first; nobody is told again."""
        with self._lock:
            self._history.extendleft(reversed(tuple(alerts)))

    def warnings_of(self, rule: AlertRule) -> Iterator[str]:
        """The channels of a rule that can't be reached, each in a sentence with the remedy."""
        for channel in rule.channels:
            if channel not in self.reachable:
                known = AlertChannel(channel) if channel in list(AlertChannel) else None
                missing = missing_settings(known, self._settings) if known else ()
                remedy = f"set {', '.join(missing)}" if missing else "no sender for it is installed"
                yield f"alert rule {rule.rule_id!r}: channel {channel} is not configured; {remedy}"

    def tell(self, alerts: Iterable[Alert | None]) -> None:
        """Tell what is not None. Call it without a lock: a listener may call back."""
        for alert in alerts:
            if alert is None:
                continue
            with self._lock:
                self._history.append(alert)
                wanted = alert.channels if self._settings.enabled else ALWAYS
                direct = {str(name): send for name, send in self._channels.items()}
                names = [str(name) for name in wanted]
                takers = [(n, direct.get(n)) for n in names if n in direct or n not in self._posted]
                takers += [("subscriber", listener) for listener in self._listeners]
            for name, taker in takers:
                self._deliver(alert, name, taker)

    def _deliver(self, alert: Alert, channel: str, send: Channel | None) -> None:
        if send is None:
            reason = "it is not configured"
        else:
            try:
                send(alert)
            except Exception as problem:  # noqa: BLE001 - sending never raises into the gate
                # the text of an error may hold the address with its token, so only its kind is told
                reason = f"it raised {type(problem).__name__}"
            else:
                return
        self.failed.append(FailedDelivery(alert, channel, reason))
        logger.warning("alert %s was not delivered to %s: %s", alert.rule_id, channel, reason)
