"""Alerts: rules over the metrics of an assessment, told on a change of state and never twice.

`RiskAlertManager` puts together the rules, the lives of their alerts and where they are told. It reads no
clock but the one that it was handed, and whatever a channel or a subscriber raises stays here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from risk_management.alerts.channels import Channel, missing_settings
from risk_management.alerts.conditions import ConditionError, MissingMetric
from risk_management.alerts.default_rules import default_rules as rules_of
from risk_management.alerts.judging import Judge
from risk_management.alerts.keeping import Alone, InBook, Keeper
from risk_management.alerts.life import Lives, Saying, Subject
from risk_management.alerts.records import (
    Alert,
    AlertChannel,
    AlertRule,
    AlertSeverity,
    AlertState,
    AlertType,
    FailedDelivery,
    one_line,
)
from risk_management.alerts.rule_book import RuleBook
from risk_management.alerts.rule_file import rules_in
from risk_management.alerts.silences import new_silence
from risk_management.alerts.storms import fold_storms, watch_storms
from risk_management.alerts.telling import Teller
from risk_management.clock import Clock, SystemClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.alert_book import MOST_LIVES, STORM, active_alerts, standing_silences
from risk_management.core.book import Book
from risk_management.core.subject_metrics import Subjects, subject_metrics
from risk_management.errors import ConfigurationError, InvalidRequest, StoreUnavailable, shown
from risk_management.model.alert_book import Silence
from risk_management.model.events import RuleChanged, SilenceEnded, SilenceSet
from risk_management.model.portfolio import SYSTEM

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertRule",
    "AlertSeverity",
    "AlertState",
    "AlertType",
    "ConditionError",
    "FailedDelivery",
    "MissingMetric",
    "RiskAlertManager",
    "Silence",
    "settled_rules",
]

T = TypeVar("T")
logger = logging.getLogger(__name__)

BLIND: Final = "missing_metrics"
"""Key of the alert about metrics that rules need and do not get."""


def settled_rules(
    config: RiskManagementConfig, own: tuple[AlertRule, ...] | None = None, *, default_rules: bool = True
) -> tuple[AlertRule, ...]:
    """The rules of the settings: the default ones, then those of `alert_config.rules_file`.

    Parameters
    ----------
    config : RiskManagementConfig
    own : tuple of AlertRule, optional
        Those of the file, where it is not to be read.
    default_rules : bool

    Raises
    ------
    ConfigurationError
        The file can't be used; the text has every mistake with its place.
    """
    own = _rules_of_file(config) if own is None else own
    taken = {rule.rule_id for rule in own}
    return (*(r for r in (rules_of(config) if default_rules else ()) if r.rule_id not in taken), *own)


def _rules_of_file(config: RiskManagementConfig) -> tuple[AlertRule, ...]:
    path = config.alert_config.rules_file
    return () if path is None else rules_in(path)


class RiskAlertManager:
    """Rules, the life of their alerts and where they are told. Safe to use from many threads.

    Parameters
    ----------
    config : RiskManagementConfig, optional
    clock : Clock, optional
        Gives the time where a call does not; by default the machine's.
    default_rules : bool
        Start with the rules of `default_rules.default_rules`.
    book : Book, optional
        Keeps what is remembered, event by event, together with what caused it. Without one it is gone
        with the manager.
    """

    def __init__(
        self,
        config: RiskManagementConfig | None = None,
        clock: Clock | None = None,
        default_rules: bool = True,
        *,
        book: Book | None = None,
    ) -> None:
        self._config = config or RiskManagementConfig()
        self._clock = clock or SystemClock()
        self._book = book
        self._keeper: Keeper = Alone() if book is None else InBook(book)
        self._lock = self._keeper.lock
        self._with_defaults = default_rules
        self._own: tuple[AlertRule, ...] = ()
        self._rules = RuleBook(self._keeper)
        self._lives = Lives(self._keeper, lambda: self._config.alert_config, self._reachable)
        self._sayings: dict[str, str] = {}
        self._blind: frozenset[str] = frozenset()
        self._teller = Teller(self._config.alert_config)
        self.delivered = self._teller.delivered
        """What the memory channel took, the newest last."""
        self.failed = self._teller.failed
        """What a channel did not take, the newest last."""
        self.reconfigure(self._config)

    # -- rules --------------------------------------------------------------------------------------

    def add_custom_rule(self, rule: AlertRule, *, replace: bool = False, actor: str = SYSTEM) -> None:
        """Watch one more rule. A channel that is not configured is a warning, see `warnings`.

        With a store the rule is there again after a restart; adding it again as it is changes nothing.

        Parameters
        ----------
        rule : AlertRule
        replace : bool
            Put it in the place of another one with its id.
        actor : str

        Raises
        ------
        ConfigurationError
            Another rule has this id; nothing was registered.
        """
        with self._lock:
            known = self._rules.watched.get(rule.rule_id)
            if known is not None and known.rule == rule:
                return
            if known is not None and not replace:
                raise ConfigurationError(
                    f"an alert rule {rule.rule_id!r} exists; choose another rule_id, remove it first, "
                    "or pass replace=True"
                )
            self._keeper.apply(RuleChanged(self._clock.now(), actor, rule.rule_id, rule.facts()))
            for text in self._teller.warnings_of(rule):
                logger.warning("%s", text)

    def remove_rule(self, rule_id: str, *, actor: str = SYSTEM) -> AlertRule:
        """Watch a rule no more; alerts of it that are active are resolved.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_RULE``.
        """
        with self._lock:
            known = self._rules.watched.get(rule_id)
            if known is None:
                raise InvalidRequest("UNKNOWN_RULE", "rule_id", f"no alert rule is called {rule_id!r:.80}")
            now = self._clock.now()
            self._keeper.apply(RuleChanged(now, actor, rule_id, None))
            self._end_orphans(now)
            self._hand_out(now)
        return known.rule

    @property
    def rules(self) -> tuple[AlertRule, ...]:
        """All rules, in the order of their registration."""
        return tuple(watched.rule for watched in self._rules.watched.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Rules whose channel can't be reached or that can't be used, each in a sentence with the remedy."""
        found = tuple(text for rule in self.rules for text in self._teller.warnings_of(rule))
        return (*found, *self._rules.unusable)

    def own_rules(self, config: RiskManagementConfig) -> tuple[AlertRule, ...]:
        """The rules of the settings' file: those in use, read only where the settings of alerts are others.

        Limits can be changed while somebody edits the file.

        Raises
        ------
        ConfigurationError
            The file can't be used.
        """
        ours, theirs = (one.alert_config.model_dump() for one in (self._config, config))
        return self._own if ours == theirs else _rules_of_file(config)

    def reconfigure(self, config: RiskManagementConfig, own: tuple[AlertRule, ...] | None = None) -> None:
        """Use other settings: channels are made anew and the rules of the settings get the new limits.

        A rule that is active goes on; one that was removed stays removed.

        Parameters
        ----------
        config : RiskManagementConfig
        own : tuple of AlertRule, optional
            What `own_rules` gave; by default the file is read.

        Raises
        ------
        ConfigurationError
            The rules file can't be used; nothing was changed.
        """
        own = _rules_of_file(config) if own is None else own
        wanted = settled_rules(config, own, default_rules=self._with_defaults)
        with self._lock:
            self._config, self._own = config, own
            self._teller.reconfigure(config.alert_config)
            self._rules.settle(wanted)

    # -- watching -----------------------------------------------------------------------------------

    def evaluate(
        self,
        metrics: Mapping[str, float],
        now: datetime | None = None,
        subjects: Subjects | None = None,
    ) -> list[Alert]:
        """Hold all rules against fresh metrics.

        Parameters
        ----------
        metrics : Mapping of str to float
            Words of the vocabulary; one that a rule needs and that is missing or NaN leaves the rule
            as it is and raises an alert of its own.
        now : datetime, optional
            Aware time of the metrics.
        subjects : Mapping, optional
            By scope and name the metrics of bots, strategies and symbols, for rules that are judged for
            each; by default those of the Book.

        Returns
        -------
        list of Alert
            What was told: firing, repeated, escalated and resolved.
        """
        moment = now or self._clock.now()
        return self._kept(lambda: self._evaluated(metrics, moment, subjects)) or []

    def raise_alert(
        self,
        alert_type: AlertType,
        severity: AlertSeverity,
        message: str,
        now: datetime | None = None,
        *,
        key: str = "",
    ) -> Alert | None:
        """Alert to something that is no rule; it lasts until `resolve`.

        The same key again is the same alert: it is counted, and told anew only if it got more severe.
        While it lasts, `evaluate` repeats it.

        Parameters
        ----------
        alert_type : AlertType
        severity : AlertSeverity
        message : str
        now : datetime, optional
        key : str
            By default the type and the message.

        Returns
        -------
        Alert or None
            The alert as it stands; None while it cools down after a resolution.
        """
        moment = now or self._clock.now()
        kind, level = AlertType(alert_type), AlertSeverity(severity)

        def raised() -> Alert | None:
            with self._lock:
                current = self._raise(key or f"{kind}:{message}", kind, level, message, moment)
                self._hand_out(moment)
                return current

        return self._kept(raised)

    def resolve(self, key: str, now: datetime | None = None) -> Alert | None:
        """End an alert that was raised; returns the notice, None if there was nothing to end.

        The alert of a rule ends by itself when its condition holds no more.
        """
        life = self._lives.get(f"!{key}")
        if life is None or not (life.is_active or life.is_waiting):
            return None
        moment = now or self._clock.now()

        def ended() -> Alert | None:
            with self._lock:
                notice = self._resolve(key, moment)
                self._hand_out(moment)
                return notice

        return self._kept(ended)

    def acknowledge(self, alert_id: str, actor: str, comment: str = "") -> Alert:
        """Take an active alert on: it is not repeated. The first name stays.

        Raises
        ------
        InvalidRequest
            ``INVALID_NAME`` without an actor; ``UNKNOWN_ALERT`` if no such alert is active.
        """
        if not actor.strip() or not actor.isprintable() or len(actor) > 128:
            raise InvalidRequest(
                "INVALID_NAME", "actor", f"actor is 1 to 128 printable characters; got {shown(actor)}"
            )
        with self._lock:
            now = self._clock.now()
            for life in self._keeper.alerts.lives.values():
                if life.is_active and life.alert.alert_id == alert_id:
                    alert = self._lives.acknowledge(life, actor, one_line(comment), now)
                    self._hand_out(now)
                    return alert
        raise InvalidRequest(
            "UNKNOWN_ALERT", "alert_id", f"no alert {alert_id!r:.40} is active; it may have been resolved"
        )

    @property
    def active(self) -> tuple[Alert, ...]:
        """Alerts that hold now, with their counts; the most severe first."""
        return active_alerts(self._keeper.alerts, self._lives.counted)

    @property
    def history(self) -> tuple[Alert, ...]:
        """The last 1000 tellings of this process, the newest last."""
        return self._teller.history

    def subscribe(self, listener: Callable[[Alert], None]) -> Callable[[], None]:
        """Call `listener` with every alert that is told; returns what ends that."""
        return self._teller.subscribe(listener)

    def attach(self, channel: AlertChannel, sender: Channel) -> None:
        """Send what goes to `channel` by `sender`, whatever the settings say; it must return at once."""
        self._teller.attach(AlertChannel(channel), sender)

    # -- silences -----------------------------------------------------------------------------------

    @property
    def silences(self) -> tuple[Silence, ...]:
        """Those that stand now, the one that ends first first."""
        return standing_silences(self._keeper.alerts, self._clock.now())

    def silence(
        self,
        seconds: float,
        actor: str,
        reason: str,
        *,
        rule_id: str = "",
        alert_type: str = "",
        bot: str = "",
        symbol: str = "",
    ) -> Silence:
        """Tell nobody of some alerts for a while; what still holds at its end is told then.

        An EMERGENCY is silenced only by its exact `rule_id`.

        Raises
        ------
        InvalidRequest
            It matches nothing or everything, is too long, or has no name or reason; nothing was changed.
        """
        with self._lock:
            now, known = self._clock.now(), self.silences
            made = new_silence(
                known,
                now,
                seconds,
                actor,
                reason,
                rule_id=rule_id,
                alert_type=alert_type,
                bot=bot,
                symbol=symbol,
            )
            self._keeper.apply(SilenceSet(now, actor, made))
        return made

    def end_silence(self, silence_id: str, actor: str) -> Silence:
        """End a silence before its time.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_SILENCE``.
        """
        with self._lock:
            found = next((s for s in self.silences if s.silence_id == silence_id), None)
            if found is None:
                raise InvalidRequest(
                    "UNKNOWN_SILENCE",
                    "silence_id",
                    f"no silence {silence_id!r:.40} stands; it may have ended",
                )
            self._keeper.apply(SilenceEnded(self._clock.now(), actor, silence_id))
        return found

    @property
    def in_process(self) -> tuple[str, ...]:
        """The channels that are told within this process."""
        return self._teller.in_process

    # -- inside -------------------------------------------------------------------------------------

    def _kept(self, work: Callable[[], T]) -> T | None:
        """Do something that is told, also while the store can't be written: then it is kept in memory.

        Within a lock that is held already it is the caller's own writing that fails, and his to try again.
        """
        is_own = not self._lock.is_mine
        try:
            return work()
        except StoreUnavailable:
            self._lives.told = []
            if not is_own:
                raise
        try:
            return work()
        except StoreUnavailable as problem:
            logger.critical("an alert can't be kept: %s", problem)
            return None

    def _hand_out(self, now: datetime) -> list[Alert]:
        """Tell what was decided once the lock is left, storms included. Call it under the lock."""
        settings = self._config.alert_config
        fold_storms(self._lives, self._keeper, settings, tuple(self._lives.told), now)
        alerts, self._lives.told = self._lives.told, []
        if alerts:
            self._keeper.afterwards(lambda: self._teller.tell(alerts))
        return alerts

    def _evaluated(
        self, metrics: Mapping[str, float], now: datetime, subjects: Subjects | None
    ) -> list[Alert]:
        with self._lock:
            self._lives.told = []
            judge = Judge(self._lives, self._subject, now)
            scoped: Subjects | None = subjects
            for watched in self._rules.watched.values():
                if not watched.rule.enabled:
                    continue
                if watched.rule.scope == "portfolio":
                    judge.judge(watched, metrics)
                    continue
                if scoped is None:
                    scoped = self._subjects(now)
                for name, words in scoped.get(watched.rule.scope, {}).items():
                    judge.judge(watched, {**metrics, **words}, name)
            self._report_blind(judge.blind, now)
            self._go_on(judge.judged, now)
            return self._hand_out(now)

    def _subjects(self, now: datetime) -> Subjects:
        if self._book is None:
            return {}
        return subject_metrics(self._book.state, self._book.config, now)

    def _go_on(self, judged: set[str], now: datetime) -> None:
        """What is not judged by its rule: alerts that were raised, orphans, what waits for its hours."""
        for key, life in tuple(self._keeper.alerts.lives.items()):
            alert = life.alert
            if alert.state is AlertState.RESOLVED:
                if alert.held_for == "quiet":
                    self._lives.tell_again(life, now)
            elif alert.raised and not alert.rule_id.startswith(STORM):
                self._lives.tick(self._raised_subject(alert), now, partial(self._again, alert))
            elif not alert.raised and key not in judged:
                self._lives.over(self._raised_subject(alert), now, lambda: "it is watched no more")
        watch_storms(self._lives, self._keeper.alerts, self._config.alert_config, now)

    def _end_orphans(self, now: datetime) -> None:
        """Resolve alerts whose rule is watched no more."""
        known = self._rules.watched
        for life in tuple(self._keeper.alerts.lives.values()):
            if not life.alert.raised and life.alert.rule_id not in known:
                self._lives.over(self._raised_subject(life.alert), now, lambda: "the rule was removed")

    def _subject(self, rule: AlertRule, name: str) -> Subject:
        settings = self._config.alert_config
        return Subject(
            key=f"{rule.rule_id}[{name}]" if name else rule.rule_id,
            rule_id=rule.rule_id,
            name=f"{rule.name} ({name})" if name else rule.name,
            alert_type=rule.alert_type,
            severity=rule.severity,
            channels=tuple(rule.channels),
            cooldown=settings.cooldown if rule.cooldown is None else rule.cooldown,
            repeat=settings.repeat if rule.repeat is None else rule.repeat,
            hold=rule.hold,
            bot=name if rule.scope == "bot" else "",
            strategy=name if rule.scope == "strategy" else "",
            symbol=name if rule.scope == "symbol" else "",
        )

    def _raised_subject(self, alert: Alert) -> Subject:
        """An alert that is no rule goes by the routes."""
        settings = self._config.alert_config
        return Subject(
            alert.key,
            alert.rule_id,
            alert.name,
            alert.alert_type,
            alert.severity,
            (),
            settings.cooldown,
            settings.repeat,
            raised=alert.raised,
            bot=alert.bot,
            strategy=alert.strategy,
            symbol=alert.symbol,
        )

    def _report_blind(self, blind: Mapping[str, list[AlertRule]], now: datetime) -> None:
        """One alert for all metrics that are missing; more of them are news, fewer are not."""
        if not blind:
            self._blind = frozenset()
            self._resolve(BLIND, now)
            return
        rules = [rule for watching in blind.values() for rule in watching]
        blinded = ", ".join(dict.fromkeys(rule.name for rule in rules))
        severity = max(AlertSeverity.WARNING, min(AlertSeverity.CRITICAL, max(r.severity for r in rules)))
        is_news = bool(self._blind) and not blind.keys() <= self._blind
        self._blind |= blind.keys()
        text = f"No number for {', '.join(blind)}: these rules can't be judged: {blinded}."
        self._raise(BLIND, AlertType.DATA_QUALITY, severity, text, now, news=is_news)

    def _raise(
        self,
        key: str,
        kind: AlertType,
        severity: AlertSeverity,
        message: str,
        now: datetime,
        *,
        news: bool = False,
    ) -> Alert | None:
        """See it, and return the alert as it stands."""
        life = self._lives.get(f"!{key}")
        if life is None:
            self._make_room()
        is_open = life is not None and life.is_active
        is_worse = life is not None and is_open and severity > life.alert.severity
        subject = self._new_subject(key, kind, severity)
        if life is not None and is_open and not is_worse:
            subject = self._raised_subject(life.alert)
        self._sayings[subject.key] = message
        self._lives.seen(subject, now, lambda: Saying(message), news=news or is_worse)
        return self._lives.current(subject.key)

    def _new_subject(self, key: str, kind: AlertType, severity: AlertSeverity) -> Subject:
        settings = self._config.alert_config
        name = one_line(f"{kind.value.replace('_', ' ').capitalize()} ({key})")
        return Subject(
            f"!{key}", key, name, kind, severity, (), settings.cooldown, settings.repeat, raised=True
        )

    def _make_room(self) -> None:
        """Say what is forgotten, where one more alert is more than can be remembered."""
        lives = self._keeper.alerts.lives
        if len(lives) >= MOST_LIVES and all(life.is_active or life.is_waiting for life in lives.values()):
            oldest = min(lives.values(), key=lambda life: life.alert.at).alert.rule_id
            logger.warning("more than %d alerts are open; the oldest is forgotten: %.80r", MOST_LIVES, oldest)

    def _resolve(self, key: str, now: datetime) -> Alert | None:
        life = self._lives.get(f"!{key}")
        if life is None:
            return None
        self._sayings.pop(f"!{key}", None)
        return self._lives.over(self._raised_subject(life.alert), now)

    def _again(self, alert: Alert) -> Saying:
        return Saying(self._sayings.get(alert.key, alert.message))

    def _reachable(self) -> tuple[str, ...]:
        """All channels that can take an alert: those with settings, further addresses, and those attached."""
        settings = self._config.alert_config
        configured = (channel for channel in AlertChannel if not missing_settings(channel, settings))
        return tuple(dict.fromkeys((*configured, *self._teller.reachable, *settings.named_urls())))
