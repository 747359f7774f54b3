"""What is remembered of alerts: their lives, silences, rules added at run time, and what channels carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from risk_management.model.alert import Alert, AlertSeverity, AlertState, AlertType

__all__ = ["NO_ALERTS", "AlertBook", "AlertLife", "ChannelLoad", "RuleFacts", "Silence"]


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AlertLife:
    """What is remembered of one alert.

    Parameters
    ----------
    alert : Alert
        As it was last told; while it waits, as it would be.
    episode : int
        Times that it fired.
    ended : datetime or None
        When it was last resolved.
    due_since : datetime or None
        From here the time runs in which somebody should acknowledge it.
    escalated : bool
        Further people were told, because nobody did.
    heard : tuple of str
        Channels that were told since it fired.
    """

    alert: Alert
    episode: int = 0
    ended: datetime | None = None
    due_since: datetime | None = None
    escalated: bool = False
    heard: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether it was told and is not over."""
        return self.alert.state not in (AlertState.WAITING, AlertState.RESOLVED)

    @property
    def is_waiting(self) -> bool:
        """Whether it was seen and is not told yet."""
        return self.alert.state is AlertState.WAITING

    @property
    def is_open(self) -> bool:
        """Whether it was told or is waited for, and is not over."""
        return self.alert.state is not AlertState.RESOLVED


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that nobody is told of for a while; they live on, and the log and the memory hear of them.

    Parameters
    ----------
    silence_id : str
    by, reason : str
        Who asked for it, and why.
    since, until : datetime
        It ends by itself.
    rule_id, alert_type, bot, symbol : str
        What it matches: all that are not empty, and at least one is not. An emergency is silenced by its
        exact rule alone.
    """

    silence_id: str
    by: str
    reason: str
    since: datetime
    until: datetime
    rule_id: str = ""
    alert_type: str = ""
    bot: str = ""
    symbol: str = ""

    def covers(self, alert: Alert, now: datetime) -> bool:
        """Whether nobody is told of an alert now."""
        if not self.since <= now < self.until:
            return False
        if alert.severity is AlertSeverity.EMERGENCY and self.rule_id != alert.rule_id:
            return False
        pairs = (
            (self.rule_id, alert.rule_id),
            (self.alert_type, alert.alert_type.value),
            (self.bot, alert.bot),
            (self.symbol, alert.symbol),
        )
        return all(wanted in ("", found) for wanted, found in pairs)


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """An alert rule as it is written down; see `AlertRule`."""

    rule_id: str
    name: str
    alert_type: AlertType
    severity: AlertSeverity
    condition: str
    channels: tuple[str, ...] = ()
    cooldown: float | None = None
    repeat: float | None = None
    hold: float = 0.0
    enabled: bool = True
    message: str = ""
    release: str = ""
    scope: str = "portfolio"
    meaning: str = ""
    did: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class ChannelLoad:
    """What a channel carried lately.

    Parameters
    ----------
    recent : tuple of datetime
        The newest tellings, those that were folded included, oldest first.
    folded : tuple of (str, int)
        Tellings of the storm that goes on, by type of alert.
    """

    recent: tuple[datetime, ...] = ()
    folded: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class AlertBook:
    """All that is remembered of alerts.

    Parameters
    ----------
    lives : Mapping of str to AlertLife
        By the alert's key.
    silences : Mapping of str to Silence
    rules : Mapping of str to RuleFacts
        Added at run time.
    removed : frozenset of str
        Rules of the settings that somebody took out.
    loads : Mapping of str to ChannelLoad
        By channel.
    """

    lives: Mapping[str, AlertLife] = field(default_factory=_nothing)
    silences: Mapping[str, Silence] = field(default_factory=_nothing)
    rules: Mapping[str, RuleFacts] = field(default_factory=_nothing)
    removed: frozenset[str] = frozenset()
    loads: Mapping[str, ChannelLoad] = field(default_factory=_nothing)


NO_ALERTS = AlertBook()
