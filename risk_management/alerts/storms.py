"""Many alerts in a short time: a channel gets one message about them, with their number by type."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from risk_management.alerts.keeping import Keeper
from risk_management.alerts.life import Lives, Saying, Subject
from risk_management.alerts.routing import STORMY, is_stormy
from risk_management.config.risk_config import AlertConfig
from risk_management.core.alert_book import STORM
from risk_management.model.alert import Alert, AlertSeverity, AlertType
from risk_management.model.alert_book import AlertBook, ChannelLoad

__all__ = ["fold_storms", "watch_storms"]


def fold_storms(
    lives: Lives, keeper: Keeper, settings: AlertConfig, told: Iterable[Alert], now: datetime
) -> None:
    """Tell each channel of its storm once something was folded."""
    stormy = (channel for alert in told if alert.held_for == STORMY for channel in alert.held)
    for channel in dict.fromkeys(stormy):
        text = _begun(channel, settings, keeper.alerts)
        lives.seen(_subject(channel, settings), now, partial(Saying, text))


def watch_storms(lives: Lives, book: AlertBook, settings: AlertConfig, now: datetime) -> None:
    """Repeat the message while a storm goes on, and say its numbers when it is over."""
    for channel, load in book.loads.items():
        life = lives.get(f"!{STORM}{channel}") if load.folded else None
        if life is None or not life.is_active:
            continue
        subject = _subject(channel, settings)
        if is_stormy(load, settings, now):
            lives.tick(subject, now, partial(Saying, _begun(channel, settings, book)))
        else:
            lives.over(subject, now, partial(_ended, load))


def _subject(channel: str, settings: AlertConfig) -> Subject:
    return Subject(
        key=f"!{STORM}{channel}",
        rule_id=f"{STORM}{channel}",
        name=f"Alert storm on {channel}",
        alert_type=AlertType.SYSTEM_ERROR,
        severity=AlertSeverity.WARNING,
        channels=(channel,),
        cooldown=0.0,
        repeat=settings.repeat,
        raised=True,
    )


def _begun(channel: str, settings: AlertConfig, book: AlertBook) -> str:
    return (
        f"More than {settings.storm_alerts} messages within {settings.storm_window:g} s on {channel}: "
        f"further warnings are folded into this one until it calms down; what is graver comes in full. "
        f"So far {_counts(book.loads[channel].folded)}. The alert list has each of them."
    )


def _ended(load: ChannelLoad) -> str:
    return f"{sum(count for _, count in load.folded)} were folded: {_counts(load.folded)}"


def _counts(folded: tuple[tuple[str, int], ...]) -> str:
    ordered = sorted(folded, key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in ordered)
