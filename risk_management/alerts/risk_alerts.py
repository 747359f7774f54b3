"""Alerts: rules over the metrics of an assessment, told on a change of state and never twice.

`RiskAlertManager` keeps the rules and the life of every alert. It reads no clock but the one that it
was handed, and whatever a channel or a subscriber raises stays here.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from risk_management.alerts.channels import Channel
from risk_management.alerts.conditions import Condition, ConditionError, MissingMetric
from risk_management.alerts.default_rules import default_rules as rules_of
from risk_management.alerts.keeping import Alone, InBook, Keeper
from risk_management.alerts.life import Life, Saying, Subject
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
from risk_management.alerts.telling import ALWAYS, KEPT, Teller
from risk_management.clock import Clock, SystemClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.book import Book
from risk_management.errors import (
    ConfigurationError,
    InvalidRequest,
    StoreUnavailable,
    UndefinedMeasure,
    shown,
)
from risk_management.model.events import AlertTold
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
]

T = TypeVar("T")
logger = logging.getLogger(__name__)

BLIND: Final = "missing_metrics"
"""Key of the alert about metrics that rules need and do not get."""


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
        Keeps every telling as an event, together with what caused it.
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
        self._keeper: Keeper = Alone() if book is None else InBook(book)
        self._lock = self._keeper.lock
        self._rules: dict[str, tuple[AlertRule, Condition, Life]] = {}
        self._raised: dict[str, tuple[Life, Saying]] = {}
        self._blind: frozenset[str] = frozenset()
        self._defaults = {rule.rule_id for rule in rules_of(self._config)} if default_rules else set()
        self._teller = Teller(self._config.alert_config)
        self.delivered = self._teller.delivered
        """What the memory channel took, the newest last."""
        self.failed = self._teller.failed
        """What a channel did not take, the newest last."""
        self.reconfigure(self._config)

    # -- rules --------------------------------------------------------------------------------------

    def add_custom_rule(self, rule: AlertRule) -> None:
        """Watch one more rule. A channel that is not configured is a warning, see `warnings`.

        Raises
        ------
        ConfigurationError
            Another rule has this id; nothing was registered.
        """
        with self._lock:
            if rule.rule_id in self._rules:
                raise ConfigurationError(
                    f"an alert rule {rule.rule_id!r} exists; choose another rule_id or remove it first"
                )
            self._rules[rule.rule_id] = (rule, rule.compiled(), Life(self._subject(rule)))
            for text in self._teller.warnings_of(rule):
                logger.warning("%s", text)

    def remove_rule(self, rule_id: str) -> AlertRule:
        """Watch a rule no more; an alert of it that is active is resolved.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_RULE``.
        """
        with self._lock:
            if rule_id not in self._rules:
                raise InvalidRequest("UNKNOWN_RULE", "rule_id", f"no alert rule is called {rule_id!r:.80}")
            rule, _, life = self._rules.pop(rule_id)
            self._defaults.discard(rule_id)
            self._tell([life.over(self._clock.now(), lambda: "the rule was removed")])
        return rule

    @property
    def rules(self) -> tuple[AlertRule, ...]:
        """All rules, in the order of their registration."""
        with self._lock:
            return tuple(rule for rule, _, _ in self._rules.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Rules whose channel can't be reached, each in a sentence with the remedy."""
        with self._lock:
            return tuple(
                text for rule, _, _ in self._rules.values() for text in self._teller.warnings_of(rule)
            )

    def reconfigure(self, config: RiskManagementConfig) -> None:
        """Use other settings: channels are made anew and the default rules get the new limits.

        A default rule that is active goes on; one that was removed stays removed.
        """
        wanted = rules_of(config)
        with self._lock:
            self._config = config
            self._teller.reconfigure(config.alert_config)
            for rule in wanted:
                if rule.rule_id in self._defaults:
                    life = self._rules[rule.rule_id][2] if rule.rule_id in self._rules else None
                    self._rules[rule.rule_id] = (
                        rule,
                        rule.compiled(),
                        life or Life(self._subject(rule)),
                    )
            for rule, _, life in self._rules.values():
                life.subject = self._subject(rule)
            for life, _ in self._raised.values():
                subject = life.subject
                life.subject = self._raised_subject(subject.key, subject.alert_type, subject.severity)

    # -- watching -----------------------------------------------------------------------------------

    def evaluate(self, metrics: Mapping[str, float], now: datetime | None = None) -> list[Alert]:
        """Hold all rules against fresh metrics.

        Parameters
        ----------
        metrics : Mapping of str to float
            Words of the vocabulary; one that a rule needs and that is missing or NaN leaves the rule
            as it is and raises an alert of its own.
        now : datetime, optional
            Aware time of the metrics.

        Returns
        -------
        list of Alert
            What was told: firing, repeated and resolved.
        """
        moment = now or self._clock.now()
        return self._kept(lambda: self._evaluated(metrics, moment)) or []

    def _evaluated(self, metrics: Mapping[str, float], moment: datetime) -> list[Alert]:
        with self._lock:
            told: list[Alert | None] = []
            blind: dict[str, list[AlertRule]] = {}
            for rule, condition, life in self._rules.values():
                if rule.enabled:
                    told.append(_judged(rule, condition, life, metrics, moment, blind))
            told.append(self._report_blind(blind, moment))
            for life, saying in self._raised.values():
                told.append(life.tick(moment, _again(saying)))
            return self._tell(told)

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
                found = self._raise(key or f"{kind}:{message}", kind, level, Saying(message), moment)
                self._tell(found[:1])
                return found[1]

        return self._kept(raised)

    def resolve(self, key: str, now: datetime | None = None) -> Alert | None:
        """End an alert that was raised; returns the notice, None if there was nothing to end.

        The alert of a rule ends by itself when its condition holds no more.
        """
        moment = now or self._clock.now()

        def ended() -> Alert | None:
            with self._lock:
                found = self._raised.get(key)
                notice = found[0].over(moment) if found else None
                self._tell([notice])
                return notice

        return self._kept(ended)

    def acknowledge(self, alert_id: str, actor: str) -> Alert:
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
            for life in self._lives():
                if life.alert is not None and life.alert.alert_id == alert_id:
                    return self._acknowledged(life, life.alert, actor)
        raise InvalidRequest(
            "UNKNOWN_ALERT", "alert_id", f"no alert {alert_id!r:.40} is active; it may have been resolved"
        )

    @property
    def active(self) -> tuple[Alert, ...]:
        """Alerts that hold now, with their counts; the most severe first."""
        with self._lock:
            alerts = [alert for life in self._lives() if (alert := life.current())]
        return tuple(sorted(alerts, key=lambda alert: (-alert.severity.rank, alert.first_at)))

    @property
    def history(self) -> tuple[Alert, ...]:
        """The last 1000 tellings, the newest last."""
        return self._teller.history

    def subscribe(self, listener: Callable[[Alert], None]) -> Callable[[], None]:
        """Call `listener` with every alert that is told; returns what ends that."""
        return self._teller.subscribe(listener)

    def attach(self, channel: AlertChannel, sender: Channel) -> None:
        """Send what goes to `channel` by `sender`, whatever the settings say; it must return at once."""
        self._teller.attach(AlertChannel(channel), sender)

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
            if not is_own:
                raise
        try:
            return work()
        except StoreUnavailable as problem:
            logger.critical("an alert can't be kept: %s", problem)
            return None

    def _tell(self, found: Iterable[Alert | None]) -> list[Alert]:
        """Keep what is not None as events, and tell it once that is done. Call it under the lock."""
        alerts = [alert for alert in found if alert is not None]
        for alert in alerts:
            actor = alert.acknowledged_by if alert.state is AlertState.ACKNOWLEDGED else SYSTEM
            self._keeper.apply(AlertTold(at=alert.at, actor=actor, alert=alert))
        if alerts:
            self._keeper.afterwards(lambda: self._teller.tell(alerts))
        return alerts

    def _acknowledged(self, life: Life, alert: Alert, actor: str) -> Alert:
        self._tell([life.acknowledge(actor, self._clock.now())])
        return life.current() or alert

    def _lives(self) -> Iterable[Life]:
        yield from (life for _, _, life in self._rules.values())
        yield from (life for life, _ in self._raised.values())

    def _subject(self, rule: AlertRule) -> Subject:
        settings = self._config.alert_config
        return Subject(
            key=rule.rule_id,
            name=rule.name,
            alert_type=rule.alert_type,
            severity=rule.severity,
            channels=tuple(dict.fromkeys((*rule.channels, *ALWAYS))),
            cooldown=settings.cooldown if rule.cooldown is None else rule.cooldown,
            repeat=settings.repeat if rule.repeat is None else rule.repeat,
            hold=rule.hold,
        )

    def _report_blind(self, blind: Mapping[str, list[AlertRule]], now: datetime) -> Alert | None:
        """One alert for all metrics that are missing; more of them are news, fewer are not."""
        if not blind:
            self._blind = frozenset()
            found = self._raised.get(BLIND)
            return found[0].over(now) if found else None
        rules = [rule for watching in blind.values() for rule in watching]
        blinded = ", ".join(dict.fromkeys(rule.name for rule in rules))
        severity = max(AlertSeverity.WARNING, min(AlertSeverity.CRITICAL, max(r.severity for r in rules)))
        is_news = bool(self._blind) and not blind.keys() <= self._blind
        self._blind |= blind.keys()
        text = f"No number for {', '.join(blind)}: these rules can't be judged: {blinded}."
        return self._raise(BLIND, AlertType.DATA_QUALITY, severity, Saying(text), now, news=is_news)[0]

    def _raise(
        self,
        key: str,
        kind: AlertType,
        severity: AlertSeverity,
        saying: Saying,
        now: datetime,
        *,
        news: bool = False,
    ) -> tuple[Alert | None, Alert | None]:
        """What is to be told and the alert as it stands."""
        life = self._raised[key][0] if key in self._raised else self._new_life(key, kind, severity)
        is_worse = severity > life.subject.severity
        if is_worse or life.alert is None:
            life.subject = replace(life.subject, severity=severity, alert_type=kind)
        self._raised[key] = (life, saying)
        return life.seen(now, _again(saying), news=news or is_worse), life.current()

    def _new_life(self, key: str, kind: AlertType, severity: AlertSeverity) -> Life:
        if len(self._raised) >= KEPT:
            idle = (k for k, (life, _) in self._raised.items() if life.alert is None and not life.waits)
            oldest = next(idle, next(iter(self._raised)))
            if self._raised.pop(oldest)[0].alert is not None:
                logger.warning("more than %d alerts are open; the oldest is forgotten: %.80r", KEPT, oldest)
        return Life(self._raised_subject(key, kind, severity))

    def _raised_subject(self, key: str, kind: AlertType, severity: AlertSeverity) -> Subject:
        """An alert that is no rule goes to every channel there is."""
        settings = self._config.alert_config
        name = one_line(f"{kind.value.replace('_', ' ').capitalize()} ({key})")
        channels = self._teller.reachable
        return Subject(key, name, kind, severity, channels, settings.cooldown, settings.repeat)


def _again(saying: Saying) -> Callable[[], Saying]:
    return lambda: saying


def _judged(
    rule: AlertRule,
    condition: Condition,
    life: Life,
    metrics: Mapping[str, float],
    now: datetime,
    blind: dict[str, list[AlertRule]],
) -> Alert | None:
    def say() -> Saying:
        values = {name: metrics[name] for name in condition.metrics if name in metrics}
        return Saying(rule.says(metrics), values)

    try:
        holds = condition(metrics)
    except UndefinedMeasure:
        missing = [m for m in condition.metrics if math.isnan(metrics.get(m, math.nan))]
        for name in missing or [f"the arithmetic of {rule.condition}"]:
            blind.setdefault(name, []).append(rule)
        return life.tick(now, say)
    return life.seen(now, say) if holds else life.over(now, lambda: rule.numbers(metrics))
