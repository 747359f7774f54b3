"""The fold of what is remembered of alerts: a pure step from one event to the next record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from risk_management.model.alert import ALWAYS, Alert, AlertSeverity, AlertState
from risk_management.model.alert_book import AlertBook, AlertLife, ChannelLoad, Silence
from risk_management.model.amend import amended
from risk_management.model.events import AlertNoted, AlertTold, Event, RuleChanged, SilenceEnded, SilenceSet

__all__ = ["MOST_LIVES", "MOST_RECENT", "STORM", "active_alerts", "alerts_after", "standing_silences"]

MOST_LIVES: Final = 1000
"""Alerts that are remembered; the idle ones go first, then the least severe, the oldest of them."""
MOST_RECENT: Final = 100
"""Tellings of a channel whose times are kept."""
STORM: Final = "alert_storm:"
"""What the key of a storm begins with; its channel follows."""


def active_alerts(
    book: AlertBook, counted: Callable[[AlertLife], Alert] = lambda life: life.alert
) -> tuple[Alert, ...]:
    """Alerts that hold now, the most severe first; their counts are those of the last telling."""
    alerts = [counted(life) for life in book.lives.values() if life.is_active]
    return tuple(sorted(alerts, key=lambda alert: (-alert.severity.rank, alert.first_at)))


def standing_silences(book: AlertBook, now: datetime) -> tuple[Silence, ...]:
    """Silences that stand at a moment, the one that ends first first."""
    standing = (silence for silence in book.silences.values() if silence.until > now)
    return tuple(sorted(standing, key=lambda silence: silence.until))


def alerts_after(book: AlertBook, event: Event) -> AlertBook:
    """What is remembered after one event; events of another kind change nothing."""
    if isinstance(event, AlertTold):
        return _told(book, event.alert)
    if isinstance(event, AlertNoted):
        return _noted(book, event.alert)
    if isinstance(event, RuleChanged):
        return _rule_changed(book, event)
    if isinstance(event, SilenceSet):
        return _silenced(book, event.silence, event.at)
    if isinstance(event, SilenceEnded):
        return amended(book, silences=_without(book.silences, event.silence_id))
    return book


def _told(book: AlertBook, alert: Alert) -> AlertBook:
    old = book.lives.get(alert.key)
    before = old or AlertLife(alert)
    outside = tuple(channel for channel in alert.channels if channel not in ALWAYS)
    heard = tuple(dict.fromkeys((*before.heard, *outside)))
    if alert.state is AlertState.FIRING:
        life = AlertLife(alert, before.episode + 1, before.ended, alert.at, heard=outside)
    elif alert.state is AlertState.ACKNOWLEDGED:
        taken = amended(before.alert, acknowledged_by=alert.acknowledged_by, comment=alert.comment)
        life = amended(before, alert=amended(taken, count=alert.count), heard=heard)
    elif alert.state is AlertState.RESOLVED:
        was_over = before.alert.state is AlertState.RESOLVED  # it is told late, after quiet hours
        life = amended(before, alert=alert, ended=before.ended if was_over else alert.at, heard=heard)
    else:
        was_taken = bool(before.alert.acknowledged_by) and not alert.acknowledged_by
        is_news = was_taken or alert.severity > before.alert.severity
        life = amended(
            before,
            alert=alert,
            due_since=alert.at if is_news else before.due_since,
            escalated=alert.state is AlertState.ESCALATED or (before.escalated and not is_news),
            heard=heard,
        )
    return amended(book, lives=_with_life(book.lives, alert.key, life), loads=_carried(book, alert, outside))


def _noted(book: AlertBook, alert: Alert) -> AlertBook:
    """An alert waits, or does no more; nobody was told."""
    old = book.lives.get(alert.key) or AlertLife(alert)
    return amended(book, lives=_with_life(book.lives, alert.key, amended(old, alert=alert)))


def _silenced(book: AlertBook, silence: Silence, now: datetime) -> AlertBook:
    """A silence began; those that ended by themselves are let go."""
    kept = {name: known for name, known in book.silences.items() if known.until > now}
    return amended(book, silences=MappingProxyType({**kept, silence.silence_id: silence}))


def _rule_changed(book: AlertBook, event: RuleChanged) -> AlertBook:
    """A rule was added at run time or, without one, was taken out."""
    if event.rule is not None:
        return amended(book, rules=MappingProxyType({**book.rules, event.rule_id: event.rule}))
    removed = book.removed | {event.rule_id} if event.is_settled else book.removed
    return amended(book, rules=_without(book.rules, event.rule_id), removed=removed)


def _with_life(lives: Mapping[str, AlertLife], key: str, life: AlertLife) -> Mapping[str, AlertLife]:
    fresh = dict(lives)
    if key not in fresh and len(fresh) >= MOST_LIVES:
        del fresh[min(fresh, key=lambda k: _worth(fresh[k]))]
    fresh[key] = life
    return MappingProxyType(fresh)


def _worth(life: AlertLife) -> tuple[bool, int, datetime]:
    """What is forgotten first has the least of it."""
    if life.is_open:
        return (True, life.alert.severity.rank, life.alert.first_at)
    return (False, 0, life.alert.at)


def _carried(book: AlertBook, alert: Alert, outside: tuple[str, ...]) -> Mapping[str, ChannelLoad]:
    """The channels' loads with one more telling; what a person did and emergencies are no load."""
    if alert.raised and alert.rule_id.startswith(STORM):
        channel = alert.rule_id.removeprefix(STORM)
        is_over = alert.state is AlertState.RESOLVED and channel in book.loads
        if not is_over:
            return book.loads
        return MappingProxyType({**book.loads, channel: amended(book.loads[channel], folded=())})
    if alert.severity is AlertSeverity.EMERGENCY or alert.state is AlertState.ACKNOWLEDGED:
        return book.loads
    folded = alert.held if alert.held_for == "storm" else ()
    if not outside and not folded:
        return book.loads
    loads = dict(book.loads)
    for channel in (*outside, *folded):
        load = loads.get(channel, ChannelLoad())
        counts = dict(load.folded)
        if channel in folded:
            counts[alert.alert_type.value] = counts.get(alert.alert_type.value, 0) + 1
        loads[channel] = ChannelLoad((*load.recent, alert.at)[-MOST_RECENT:], tuple(counts.items()))
    return MappingProxyType(loads)


def _without(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return MappingProxyType({name: value for name, value in mapping.items() if name != key})
