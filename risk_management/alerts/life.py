"""The lives of alerts: each fires, repeats, escalates and is resolved; nothing in between is told twice.

What must outlive the process stands in the keeper's record and changes by events alone. In memory are the
counts since the last telling, and how long something has been seen that is not told yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2s
from typing import Final

from risk_management.alerts.keeping import Keeper
from risk_management.alerts.records import one_line
from risk_management.alerts.room import Room
from risk_management.alerts.routing import QUIET, SILENCE, addressed, escalation_of, outside, routed
from risk_management.config.risk_config import AlertConfig
from risk_management.model.alert import Alert, AlertSeverity, AlertState, AlertType
from risk_management.model.alert_book import AlertLife
from risk_management.model.amend import amended
from risk_management.model.events import AlertNoted, AlertTold
from risk_management.model.portfolio import SYSTEM

__all__ = ["Lives", "Saying", "Subject"]

_LATE: Final = 5.0
"""Seconds from a look at the clock until what was seen then is told, at most."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What does not change while an alert lives.

    Parameters
    ----------
    key : str
        Key of the alert.
    rule_id : str
        The rule's id, or the key under which it is raised.
    name : str
    alert_type : AlertType
    severity : AlertSeverity
    channels : tuple of str
        That the rule names; without any it is routed.
    cooldown, repeat, hold : float
        Seconds; see `AlertRule`.
    raised : bool
    was_told : bool
        It is about what was told before: it cools down, however grave.
    bot, strategy, symbol : str
        Whom the rule is judged for.
    """

    key: str
    rule_id: str
    name: str
    alert_type: AlertType
    severity: AlertSeverity
    channels: tuple[str, ...]
    cooldown: float
    repeat: float
    hold: float = 0.0
    raised: bool = False
    was_told: bool = False
    bot: str = ""
    strategy: str = ""
    symbol: str = ""


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
class _Seen:
    """What is counted between two tellings.

    Parameters
    ----------
    alert_id : str
        The alert that is counted for; empty while none is active.
    count : int
    since : datetime or None
        When it began.
    """

    alert_id: str = ""
    count: int = 0
    since: datetime | None = None


class Lives:
    """Decides what is told of each alert. The owner holds the keeper's lock and hands in the time.

    Parameters
    ----------
    keeper : Keeper
    settings : callable
        The settings of now.
    reachable : callable
        All channels that there are now.
    """

    def __init__(
        self,
        keeper: Keeper,
        settings: Callable[[], AlertConfig],
        reachable: Callable[[], Iterable[str]],
    ) -> None:
        self._keeper = keeper
        self._settings, self._reachable = settings, reachable
        self._memory: dict[str, _Seen] = {}
        self.room = Room(keeper)
        self.told: list[Alert] = []
        """What was told and not taken by the owner yet."""

    def get(self, key: str) -> AlertLife | None:
        """What is remembered of an alert."""
        return self._keeper.alerts.lives.get(key)

    def is_active(self, key: str) -> bool:
        """Whether an alert was told and is not over."""
        life = self.get(key)
        return life is not None and life.is_active

    def is_open(self, key: str) -> bool:
        """Whether there is anything that could be over: told, waiting, or seen a moment ago."""
        life, seen = self.get(key), self._memory.get(key)
        return (life is not None and life.is_open) or (seen is not None and seen.since is not None)

    def current(self, key: str) -> Alert | None:
        """The active alert with its count of now."""
        life = self.get(key)
        return None if life is None or not life.is_active else self.counted(life)

    def counted(self, life: AlertLife) -> Alert:
        """An active alert with its count of now."""
        seen = self._memory.get(life.alert.key)
        is_known = seen is not None and seen.alert_id == life.alert.alert_id
        return amended(life.alert, count=seen.count) if seen is not None and is_known else life.alert

    # -- what happens --------------------------------------------------------------------------------

    def seen(
        self, subject: Subject, now: datetime, say: Callable[[], Saying], *, news: bool = False
    ) -> Alert | None:
        """It holds; returns what is told.

        Parameters
        ----------
        subject : Subject
        now : datetime
        say : callable
            Asked for the words only when something is told.
        news : bool
            More than was told: it is told again at once and needs a new acknowledgement.
        """
        life = self.get(subject.key)
        is_open = life is not None and life.is_open
        if self.room.is_spent or not (is_open or self.room.takes(subject.key, subject.severity, now)):
            return None
        seen = self._seen(subject.key)
        seen.count += 1
        if seen.since is None:
            seen.since = now
        told = self.tick(subject, now, say, news=news)
        must_remember = subject.raised or subject.hold > 0.0
        if told is None and must_remember and not is_open:
            self._note(self._made(AlertState.WAITING, subject, now, say()), now)
        return told

    def tick(
        self, subject: Subject, now: datetime, say: Callable[[], Saying], *, news: bool = False
    ) -> Alert | None:
        """Time passed, and nothing is known to have changed but what is news; returns what is told."""
        if self.room.is_spent:
            return None
        seen, life = self._seen(subject.key), self.get(subject.key)
        if life is not None and life.is_active and news:
            return self._tell(AlertState.REPEATED, subject, now, say(), acknowledged_by="", comment="")
        if life is not None and life.is_active:
            return self._goes_on(life, subject, now, say)
        if seen.since is None or self._must_wait(subject, life, seen.since, now):
            return None
        return self._tell(AlertState.FIRING, subject, now, say())

    def over(
        self, subject: Subject, now: datetime, ending: Callable[[], str] = str, actor: str = SYSTEM
    ) -> Alert | None:
        """It holds no more; returns the notice, if it had been told."""
        life, seen = self.get(subject.key), self._memory.get(subject.key)
        if life is None or not life.is_open:
            if seen is not None:
                seen.since = None
            return None
        if self.room.is_spent:
            return None
        if life.is_waiting:
            self._seen(subject.key).since = None
            self._note(amended(life.alert, state=AlertState.RESOLVED, at=now), now)
            return None
        span = timedelta(seconds=round(max(0.0, (now - life.alert.first_at).total_seconds())))
        said = f" ({ending()})".removesuffix(" ()")
        message = one_line(f"Resolved after {span}: {life.alert.name}{said}.")
        ended = amended(self.counted(life), state=AlertState.RESOLVED, at=now, message=message)
        self._memory.pop(subject.key, None)
        return self._send(ended, subject, actor)

    def acknowledge(self, life: AlertLife, actor: str, comment: str, now: datetime) -> Alert:
        """Somebody took it on: it repeats no more. The first name stays."""
        if not life.alert.acknowledged_by:
            said = f": {comment}" if comment else ""
            message = one_line(f"Acknowledged by {actor}: {life.alert.name}{said}.")
            taken = amended(
                self.counted(life),
                acknowledged_by=actor,
                comment=comment,
                state=AlertState.ACKNOWLEDGED,
                at=now,
                message=message,
            )
            sent = addressed(taken, life.heard, self._keeper.alerts, self._settings(), now)
            self._keep(sent, actor)
        return self.current(life.alert.key) or life.alert

    def tell_again(self, life: AlertLife, now: datetime) -> None:
        """An alert that was over before its quiet hours were: its end is told now."""
        again = amended(life.alert, at=now)
        wanted = outside(life.alert.held)
        sent = addressed(again, wanted, self._keeper.alerts, self._settings(), now)
        if sent.held_for != QUIET:
            self._keep(sent, SYSTEM)

    # -- inside --------------------------------------------------------------------------------------

    def _seen(self, key: str) -> _Seen:
        """The counts of an alert; begun anew where they are not those of the record."""
        seen, life = self._memory.get(key), self.get(key)
        active = life.alert.alert_id if life is not None and life.is_active else ""
        if seen is None or seen.alert_id != active:
            seen = self._memory[key] = _Seen(active)
            if life is not None and life.is_open:
                seen.count, seen.since = life.alert.count, life.alert.first_at
        return seen

    def _goes_on(
        self, life: AlertLife, subject: Subject, now: datetime, say: Callable[[], Saying]
    ) -> Alert | None:
        alert = life.alert
        if alert.acknowledged_by:
            return None
        if self._must_escalate(life, now):
            return self._tell(AlertState.ESCALATED, subject, now, say())
        is_due = subject.repeat > 0.0 and _passed(alert.at, now, subject.repeat)
        if is_due or self._is_free(alert, now):
            return self._tell(AlertState.REPEATED, subject, now, say())
        return None

    def _must_escalate(self, life: AlertLife, now: datetime) -> bool:
        """Whether nobody acknowledged in time, and somebody is left who could be told."""
        settings = self._settings()
        within = settings.acknowledge_within.get(life.alert.severity, 0.0)
        if life.escalated or not within or life.due_since is None or life.alert.held_for == SILENCE:
            return False
        if not _passed(life.due_since, now, within):
            return False
        return not set(escalation_of(life.alert, settings, self._reachable())) <= set(life.heard)

    def _is_free(self, alert: Alert, now: datetime) -> bool:
        """Whether what kept its channels from being told is over."""
        if alert.held_for not in (SILENCE, QUIET):
            return False
        again = addressed(alert, alert.held, self._keeper.alerts, self._settings(), now)
        return again.held_for not in (SILENCE, QUIET)

    @staticmethod
    def _must_wait(subject: Subject, life: AlertLife | None, since: datetime, now: datetime) -> bool:
        if not _passed(since, now, subject.hold):
            return True
        is_urgent = subject.severity >= AlertSeverity.EMERGENCY and not subject.was_told
        if life is None or life.ended is None or is_urgent:
            return False
        return not _passed(life.ended, now, subject.cooldown)

    def _tell(
        self, state: AlertState, subject: Subject, now: datetime, saying: Saying, **changes: str
    ) -> Alert:
        alert = amended(self._made(state, subject, now, saying), **changes)
        sent = self._send(alert, subject)
        seen = self._memory[subject.key]
        seen.alert_id = sent.alert_id
        return sent

    def _made(self, state: AlertState, subject: Subject, now: datetime, saying: Saying) -> Alert:
        life, seen = self.get(subject.key), self._memory[subject.key]
        before = life.alert if life is not None and life.is_active else None
        episode = (0 if life is None else life.episode) + 1
        return Alert(
            alert_id=before.alert_id if before else _new_id(subject.key, episode, now),
            rule_id=subject.rule_id,
            name=subject.name,
            alert_type=subject.alert_type,
            severity=subject.severity,
            state=state,
            message=one_line(saying.message),
            numbers=tuple(saying.values.items()),
            first_at=before.first_at if before else seen.since or now,
            at=now,
            count=seen.count,
            acknowledged_by=before.acknowledged_by if before else "",
            comment=before.comment if before else "",
            raised=subject.raised,
            bot=subject.bot,
            strategy=subject.strategy,
            symbol=subject.symbol,
        )

    def _send(self, alert: Alert, subject: Subject, actor: str = SYSTEM) -> Alert:
        """Decide where a telling goes, and keep it."""
        settings, reachable = self._settings(), tuple(self._reachable())
        life = self.get(subject.key)
        wanted = routed(alert, subject.channels, settings, reachable)
        if life is not None and life.is_active:
            further = escalation_of(alert, settings, reachable)
            is_escalated = life.escalated or alert.state is AlertState.ESCALATED
            wanted = (*wanted, *(further if is_escalated else ()))
            if alert.state is AlertState.RESOLVED:  # who heard that it began hears that it is over
                wanted = (*wanted, *life.heard)
        sent = addressed(alert, outside(wanted), self._keeper.alerts, settings, alert.at)
        self._keep(sent, actor)
        return sent

    def _keep(self, alert: Alert, actor: str) -> None:
        self._keeper.apply(AlertTold(at=alert.at, actor=actor, alert=alert))
        self.told.append(alert)
        self.room.use()

    def _note(self, alert: Alert, now: datetime) -> None:
        self._keeper.apply(AlertNoted(at=now, actor=SYSTEM, alert=alert))
        self.room.use()


def _new_id(key: str, episode: int, now: datetime) -> str:
    """The same in a replay, another one for every firing."""
    text = f"{key}|{episode}|{now.isoformat()}"
    return blake2s(text.encode(errors="replace"), digest_size=8).hexdigest()


def _passed(since: datetime, now: datetime, seconds: float) -> bool:
    """Whether the span is over; a clock that was set back ends it, so that nothing stays silent.

    Who comes a moment later may have looked at the clock a moment earlier: that is no step of it.
    """
    elapsed = (now - since).total_seconds()
    return not 0.0 <= (0.0 if -_LATE <= elapsed < 0.0 else elapsed) < seconds
