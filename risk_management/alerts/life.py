"""The life of one alert: it fires, repeats and is resolved; nothing in between is told twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2s

from risk_management.alerts.records import (
    Alert,
    AlertSeverity,
    AlertState,
    AlertType,
    one_line,
)

__all__ = ["Life", "Saying", "Subject"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What does not change while an alert lives.

    Parameters
    ----------
    key : str
        The rule's id, or the key under which it is raised.
    name : str
    alert_type : AlertType
    severity : AlertSeverity
    channels : tuple of str
    cooldown, repeat, hold : float
        Seconds; see `AlertRule`.
    """

    key: str
    name: str
    alert_type: AlertType
    severity: AlertSeverity
    channels: tuple[str, ...]
    cooldown: float
    repeat: float
    hold: float = 0.0


@dataclass(frozen=True, slots=True)
class Saying:
    """What an alert would say now.

    Parameters
    ----------
    message : str
    values : Mapping of str to float
    """

    message: str
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Life:
    """What is remembered of a subject. The owner holds the lock and hands in the time.

    Parameters
    ----------
    subject : Subject
    alert : Alert or None
        As it was last told, while it is active.
    """

    subject: Subject
    alert: Alert | None = None
    _since: datetime | None = None
    _ended: datetime | None = None
    _count: int = 0
    _episode: int = 0

    @property
    def waits(self) -> bool:
        """Whether it was seen and is not told yet: it holds too short or cools down."""
        return self._since is not None and self.alert is None

    def current(self) -> Alert | None:
        """The active alert with its count of now."""
        return None if self.alert is None else replace(self.alert, count=self._count)

    def seen(self, now: datetime, say: Callable[[], Saying], *, news: bool = False) -> Alert | None:
        """It holds; returns what is to be told.

        Parameters
        ----------
        now : datetime
        say : callable
            Asked for the words only when something is told.
        news : bool
            More than was told: it is told again at once and needs a new acknowledgement.
        """
        self._count += 1
        if self._since is None:
            self._since = now
        if news and self.alert is not None:
            self.alert = replace(self.alert, acknowledged_by="", severity=self.subject.severity)
            return self._tell(AlertState.REPEATED, now, say())
        return self.tick(now, say)

    def tick(self, now: datetime, say: Callable[[], Saying]) -> Alert | None:
        """Time passed and nothing is known to have changed; returns what is to be told."""
        if self._since is None:
            return None
        if self.alert is None:
            return None if self._must_wait(now, self._since) else self._tell(AlertState.FIRING, now, say())
        is_due = self.subject.repeat > 0.0 and _passed(self.alert.at, now, self.subject.repeat)
        if is_due and not self.alert.acknowledged_by:
            return self._tell(AlertState.REPEATED, now, say())
        return None

    def over(self, now: datetime, ending: Callable[[], str] = str) -> Alert | None:
        """It holds no more; returns the notice, if it had been told."""
        self._since = None
        alert = self.current()
        if alert is None:
            return None
        span = timedelta(seconds=round(max(0.0, (now - alert.first_at).total_seconds())))
        said = f" ({ending()})".removesuffix(" ()")
        self.alert, self._ended, self._count = None, now, 0
        message = one_line(f"Resolved after {span}: {self.subject.name}{said}.")
        return replace(alert, state=AlertState.RESOLVED, at=now, message=message)

    def acknowledge(self, actor: str, now: datetime) -> Alert | None:
        """Somebody took it on: it repeats no more. The first name stays; returns what is to be told."""
        if self.alert is None or self.alert.acknowledged_by:
            return None
        self.alert = replace(self.alert, acknowledged_by=actor)
        message = one_line(f"Acknowledged by {actor}: {self.subject.name}.")
        return replace(self.alert, state=AlertState.ACKNOWLEDGED, at=now, message=message, count=self._count)

    def _must_wait(self, now: datetime, since: datetime) -> bool:
        if not _passed(since, now, self.subject.hold):
            return True
        if self._ended is None or self.subject.severity >= AlertSeverity.EMERGENCY:
            return False
        return not _passed(self._ended, now, self.subject.cooldown)

    def _tell(self, state: AlertState, now: datetime, saying: Saying) -> Alert:
        subject, before = self.subject, self.alert
        if before is None:
            self._episode += 1
        self.alert = Alert(
            alert_id=before.alert_id if before else self._new_id(now),
            rule_id=subject.key,
            name=subject.name,
            alert_type=subject.alert_type,
            severity=subject.severity,
            state=state,
            message=one_line(saying.message),
            numbers=tuple(saying.values.items()),
            first_at=before.first_at if before else self._since or now,
            at=now,
            count=self._count,
            channels=subject.channels,
            acknowledged_by=before.acknowledged_by if before else "",
        )
        return self.alert

    def _new_id(self, now: datetime) -> str:
        """The same in a replay, another one for every firing."""
        text = f"{self.subject.key}|{self._episode}|{now.isoformat()}"
        return blake2s(text.encode(errors="replace"), digest_size=8).hexdigest()


def _passed(since: datetime, now: datetime, seconds: float) -> bool:
    """Whether the span is over; a clock that was set back ends it, so that nothing stays silent."""
    return not 0.0 <= (now - since).total_seconds() < seconds
