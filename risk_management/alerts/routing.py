"""Where one telling goes: by its rule or the routes, without what is silenced, quiet or part of a storm."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from risk_management.alerts.channels import configured
from risk_management.config.risk_config import AlertConfig
from risk_management.core.alert_book import STORM
from risk_management.model.alert import ALWAYS, Alert, AlertSeverity, AlertState
from risk_management.model.alert_book import AlertBook, ChannelLoad
from risk_management.model.amend import amended

__all__ = [
    "QUIET",
    "SILENCE",
    "STORMY",
    "addressed",
    "channels_of_info",
    "escalation_of",
    "is_stormy",
    "outside",
    "routed",
]

SILENCE: Final = "silence"
QUIET: Final = "quiet"
STORMY: Final = "storm"
"""Why a channel was not told."""


def routed(
    alert: Alert, named: Iterable[str], settings: AlertConfig, reachable: Iterable[str]
) -> tuple[str, ...]:
    """Channels that an alert goes to.

    Parameters
    ----------
    alert : Alert
    named : iterable of str
        Channels that its rule names; they beat the routes.
    settings : AlertConfig
    reachable : iterable of str
        All channels that there are.
    """
    chosen = tuple(named)
    if not chosen:
        route = next((route for route in settings.routes if route.takes(alert)), None)
        chosen = tuple(reachable) if route is None else route.channels
    return outside(chosen)


def escalation_of(alert: Alert, settings: AlertConfig, reachable: Iterable[str]) -> tuple[str, ...]:
    """Channels that are told when nobody acknowledges: those of the settings, or of the next severity."""
    if settings.escalation_channels:
        return outside(settings.escalation_channels)
    severities = list(AlertSeverity)
    louder = severities[min(alert.severity.rank + 1, len(severities) - 1)]
    return routed(amended(alert, severity=louder), (), settings, reachable)


def channels_of_info(settings: AlertConfig) -> tuple[str, ...]:
    """Channels of what is no alert, such as a summary: those of the settings, or where an INFO goes."""
    if settings.summary_channels:
        return outside(settings.summary_channels)
    wide = (one for one in settings.routes if not one.alert_types and not one.bots)
    route = next((one for one in wide if AlertSeverity.INFO in (one.severities or AlertSeverity)), None)
    return configured(settings) if route is None else outside(route.channels)


def outside(channels: Iterable[str]) -> tuple[str, ...]:
    """Channels without those that hear of everything, each once."""
    return tuple(dict.fromkeys(str(channel) for channel in channels if channel not in ALWAYS))


def addressed(
    alert: Alert, wanted: tuple[str, ...], book: AlertBook, settings: AlertConfig, now: datetime
) -> Alert:
    """The alert with the channels that are told now, and those that are not and why.

    Parameters
    ----------
    alert : Alert
    wanted : tuple of str
        Where it would go, from `routed`.
    book : AlertBook
        Silences and what the channels carry.
    settings : AlertConfig
    now : datetime
    """
    if not settings.enabled:
        return amended(alert, channels=ALWAYS)
    held, why = _held(alert, wanted, book, settings, now)
    told = tuple(channel for channel in wanted if channel not in held)
    return amended(alert, channels=(*told, *ALWAYS), held=held, held_for=why if held else "")


def _held(
    alert: Alert, wanted: tuple[str, ...], book: AlertBook, settings: AlertConfig, now: datetime
) -> tuple[tuple[str, ...], str]:
    if alert.state is AlertState.ACKNOWLEDGED:
        return (), ""
    if any(silence.covers(alert, now) for silence in book.silences.values()):
        return wanted, SILENCE
    hours = settings.quiet_hours
    if hours is not None and alert.severity <= AlertSeverity.WARNING and hours.are_on(now):
        return wanted, QUIET
    if alert.severity >= AlertSeverity.CRITICAL or (alert.raised and alert.rule_id.startswith(STORM)):
        return (), ""
    stormy = tuple(c for c in wanted if is_stormy(book.loads.get(c), settings, now))
    return stormy, STORMY


def is_stormy(load: ChannelLoad | None, settings: AlertConfig, now: datetime) -> bool:
    """Whether a channel got as many messages as it may within the window."""
    if load is None or len(load.recent) < settings.storm_alerts:
        return False
    span = (now - load.recent[-settings.storm_alerts]).total_seconds()
    return 0.0 <= span < settings.storm_window
