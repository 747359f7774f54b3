"""What an alert is: what it is about, how much it matters, where it goes, and one telling of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

__all__ = [
    "ALWAYS",
    "Alert",
    "AlertChannel",
    "AlertSeverity",
    "AlertState",
    "AlertType",
]


class AlertType(StrEnum):
    """What an alert is about."""

    PORTFOLIO_HEAT = "portfolio_heat"
    DRAWDOWN = "drawdown"
    CORRELATION = "correlation"
    VAR_BREACH = "var_breach"
    POSITION_LIMIT = "position_limit"
    VOLATILITY_SPIKE = "volatility_spike"
    SYSTEM_ERROR = "system_error"
    DATA_QUALITY = "data_quality"
    """A number that a rule needs is missing, stale or NaN."""


class AlertSeverity(StrEnum):
    """How much it matters; ``INFO < WARNING < CRITICAL < EMERGENCY``."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        """0 for INFO to 3 for EMERGENCY."""
        return list(type(self)).index(self)

    def __lt__(self, other: str) -> bool:
        return self.rank < AlertSeverity(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= AlertSeverity(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > AlertSeverity(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= AlertSeverity(other).rank


class AlertChannel(StrEnum):
    """Where an alert goes; every alert goes to LOG and MEMORY as well.

    Further addresses of the settings are channels too, by names such as ``url:ntfy``.
    """

    TELEGRAM = "telegram"
    EMAIL = "email"
    DISCORD = "discord"
    SLACK = "slack"
    WEBHOOK = "webhook"
    LOG = "log"
    MEMORY = "memory"


ALWAYS: Final = (AlertChannel.LOG, AlertChannel.MEMORY)
"""Channels that hear of every alert."""


class AlertState(StrEnum):
    """Why an alert is told now."""

    WAITING = "waiting"
    """It was seen and is not told yet: it holds too short, or cools down."""
    FIRING = "firing"
    REPEATED = "repeated"
    ESCALATED = "escalated"
    """Nobody acknowledged it in time: further people are told."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One telling of an alert.

    Parameters
    ----------
    alert_id : str
        The same from firing through repeats to the resolution.
    rule_id : str
        The rule, or the key under which it was raised.
    name : str
    alert_type : AlertType
    severity : AlertSeverity
    state : AlertState
        Why it is told now.
    message : str
        One line for a person: the number against its limit.
    first_at, at : datetime
        When it began and the time of this telling.
    numbers : tuple of (str, float)
        The metrics of the condition, as they were.
    count : int
        Times that it was seen since the last resolution, those in silence included.
    channels : tuple of str
        Where this telling goes: values of `AlertChannel`, or names of further addresses.
    acknowledged_by : str
        Who took it on; empty until somebody does.
    comment : str
        What was said to it then.
    held : tuple of str
        Channels that were not told, and would have been.
    held_for : str
        Why not: ``silence``, ``quiet`` (hours) or ``storm``.
    raised : bool
        It was raised under a key and belongs to no rule.
    bot, strategy, symbol : str
        Whom a rule was judged for, where it is judged for each one.
    """

    alert_id: str
    rule_id: str
    name: str
    alert_type: AlertType
    severity: AlertSeverity
    state: AlertState
    message: str
    first_at: datetime
    at: datetime
    numbers: tuple[tuple[str, float], ...] = ()
    count: int = 1
    channels: tuple[str, ...] = ()
    acknowledged_by: str = ""
    comment: str = ""
    held: tuple[str, ...] = ()
    held_for: str = ""
    raised: bool = False
    bot: str = ""
    strategy: str = ""
    symbol: str = ""

    @property
    def values(self) -> Mapping[str, float]:
        """The metrics of the condition, as they were."""
        return MappingProxyType(dict(self.numbers))

    @property
    def subject(self) -> str:
        """Whom the rule was judged for; empty for the whole book."""
        return self.bot or self.strategy or self.symbol

    @property
    def key(self) -> str:
        """Names what is alerted to: the rule, and whom it was judged for; ``!`` before a key raised."""
        name = f"!{self.rule_id}" if self.raised else self.rule_id
        return f"{name}[{self.subject}]" if self.subject else name

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; a value that is no finite number is None."""
        return {
            "alert_id": self.alert_id,
            "rule_id": self.rule_id,
            "name": self.name,
            "alert_type": self.alert_type.value,
            "severity": self.severity.value,
            "state": self.state.value,
            "message": self.message,
            "values": {name: value if math.isfinite(value) else None for name, value in self.numbers},
            "first_at": self.first_at.isoformat(),
            "at": self.at.isoformat(),
            "count": self.count,
            "channels": [str(channel) for channel in self.channels],
            "acknowledged_by": self.acknowledged_by,
            "comment": self.comment,
            "held": [str(channel) for channel in self.held],
            "held_for": self.held_for,
            "raised": self.raised,
            "bot": self.bot,
            "strategy": self.strategy,
            "symbol": self.symbol,
        }
