"""The daily summary and the weekly report, put into the outbox once their time has come."""

from __future__ import annotations

import logging
from datetime import date

from risk_management.alerts.message import IN_PROCESS
from risk_management.alerts.occasions import Occasion, latest_occasions
from risk_management.alerts.routing import channels_of_info
from risk_management.alerts.summary import before_of, summary_message
from risk_management.core.risk_manager import AdvancedRiskManager

__all__ = ["Reporting"]

logger = logging.getLogger(__name__)


class Reporting:
    """Says each summary and report once: what was said stands in the outbox, also after a restart.

    Parameters
    ----------
    manager : AdvancedRiskManager
    """

    def __init__(self, manager: AdvancedRiskManager) -> None:
        self._manager = manager
        self._since = manager.clock.now()
        self._done: dict[str, date] = {}

    def step(self) -> tuple[str, ...]:
        """Say what is due; returns the keys of what was put into the outbox.

        The very first one of a book waits for its time; after that one that was missed is said late.
        """
        settings, now = self._manager.config.alert_config, self._manager.clock.now()
        if not settings.enabled:
            return ()
        due = [one for one in latest_occasions(settings, now) if self._done.get(one.kind) != one.day]
        return tuple(key for one in due if (key := self._say(one)))

    def _say(self, occasion: Occasion) -> str:
        manager = self._manager
        last = manager.outbox.newest(f"{occasion.kind}-")
        said_on = None if last is None else str(last.facts.get("day", ""))
        is_due = occasion.at >= self._since if said_on is None else said_on < occasion.day.isoformat()
        key = ""
        if is_due:
            now, seen = manager.clock.now(), manager.look()
            message = summary_message(manager.state, seen, occasion, before_of(last), now)
            channels = channels_of_info(manager.config.alert_config)
            logger.info("%s\n%s", message.title, message.text)
            manager.outbox.put(message, (name for name in channels if name not in IN_PROCESS))
            key = message.key
        self._done[occasion.kind] = occasion.day
        return key
