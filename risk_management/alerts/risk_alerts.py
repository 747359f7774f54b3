"""Alerts: rules over the metrics of an assessment, told on a change of state and never twice.

`RiskAlertManager` puts together the rules, the lives of their alerts and where they are told. It reads no
clock but the one that it was handed, and whatever a channel or a subscriber raises stays here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from risk_management.alerts.causes import standing_cause
from risk_management.alerts.channels import Channel, missing_settings
from risk_management.alerts.conditions import ConditionError, MissingMetric
from risk_management.alerts.default_rules import default_rules as rules_of
from risk_management.alerts.keeping import Alone, InBook, Keeper
from risk_management.alerts.life import Lives
from risk_management.alerts.raising import Raised
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
from risk_management.alerts.reserved import reserved
from risk_management.alerts.rounds import Rounds
from risk_management.alerts.routing import routed
from risk_management.alerts.rule_book import RuleBook
from risk_management.alerts.rule_file import rules_in
from risk_management.alerts.silences import new_silence
from risk_management.alerts.storms import fold_storms
from risk_management.alerts.telling import Teller
from risk_management.alerts.trail import Trail
from risk_management.clock import Clock, SystemClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.alert_book import STORM, active_alerts, standing_silences
from risk_management.core.book import Book
from risk_management.core.subject_metrics import Subjects, subject_metrics
from risk_management.errors import ConfigurationError, InvalidRequest, StoreUnavailable, shown
from risk_management.model.alert_book import AlertLife, Silence
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
        self._raised = Raised(self._lives, lambda: self._config.alert_config)
        if book is not None:
            book.lost.append(lambda _version: self._raised.news.forget())
        self._rounds = Rounds(
            self._keeper,
            self._rules,
            self._lives,
            self._raised,
            lambda: self._config.alert_config,
            self._subjects,
        )
        self._teller = Teller(self._config.alert_config)
        self.delivered = self._teller.delivered
        """What the memory channel took, the newest last."""
        self.failed = self._teller.failed
        """What a channel did not take, the newest last."""
        self.trail = Trail()
        """What the metrics did lately."""
        self.reconfigure(self._config)

    # -- rules --------------------------------------------------------------------------------------

    def add_custom_rule(
        self, rule: AlertRule, *, replace: bool = False, actor: str = SYSTEM, reason: str = ""
    ) -> None:
        """Watch one more rule. A channel that is not configured is a warning, see `warnings`.

        With a store the rule is there again after a restart; adding it again as it is changes nothing.

        Parameters
        ----------
        rule : AlertRule
        replace : bool
            Put it in the place of another one with its id.
        actor : str
        reason : str
            Why, for the journal.

        Raises
        ------
        ConfigurationError
            Another rule has this id, or the system itself alerts under it; nothing was registered.
        """
        with self._lock:
            known = self._rules.watched.get(rule.rule_id)
            if known is not None and known.rule == rule:
                return
            if why := reserved(rule.rule_id):
                raise ConfigurationError(why)
            if known is not None and not replace:
                raise ConfigurationError(
                    f"an alert rule {rule.rule_id!r} exists; choose another rule_id, remove it first, "
                    "or pass replace=True"
                )
            now = self._clock.now()
            self._keeper.apply(RuleChanged(now, actor, rule.rule_id, rule.facts(), reason=reason))
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
            self._keeper.apply(RuleChanged(now, actor, rule_id, None, self._rules.is_settled(rule_id)))
            self._rounds.end_removed(now)
            self._hand_out(now)
        return known.rule

    @property
    def rules(self) -> tuple[AlertRule, ...]:
        """All rules, in the order of their registration."""
        return tuple(watched.rule for watched in self._rules.watched.values())

    def told_by(self, rule: AlertRule) -> tuple[str, ...]:
        """Channels that hear of a rule beside the log and memory: its own, or those of the routes.

        A route that is of single bots counts only for their alerts, and not here.
        """
        now, kind = self._clock.now(), rule.alert_type
        sample = Alert("", rule.rule_id, rule.name, kind, rule.severity, AlertState.FIRING, "", now, now)
        return routed(sample, rule.channels, self._config.alert_config, self._reachable())

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
        if self._config.alert_config.charts:
            self.trail.add(moment, metrics)
        return self._kept(lambda: self._evaluated(metrics, moment, subjects)) or []

    def raise_alert(
        self,
        alert_type: AlertType,
        severity: AlertSeverity,
        message: str,
        now: datetime | None = None,
        *,
        key: str = "",
        about: str = "",
        traded: Mapping[str, int] | None = None,
    ) -> Alert | None:
        """Alert to something that is no rule; it lasts until `resolve`.

        The same key again is the same alert: it is counted, and told anew only if it got more severe or is
        about something else. While it lasts, `evaluate` repeats it.

        Parameters
        ----------
        alert_type : AlertType
        severity : AlertSeverity
        message : str
        now : datetime, optional
        key : str
            By default the type and the message.
        about : str
            What the fact is about, such as an order. Another one under the same key is news: it is told at
            once and needs a new acknowledgement; of a flood five are, and the rest together a minute later.
        traded : Mapping of str to int, optional
            Of an act, ledger units by symbol: it is news in the same words too, and where it is folded its
            units are told in sum.

        Returns
        -------
        Alert or None
            The alert as it stands; None while it cools down after a resolution.
        """
        moment = now or self._clock.now()
        kind, level = AlertType(alert_type), AlertSeverity(severity)

        def raised() -> Alert | None:
            with self._lock:
                named = key or f"{kind}:{message}"
                current = self._raised.add(named, kind, level, message, moment, about=about, traded=traded)
                self._hand_out(moment)
                return current

        return self._kept(raised)

    def resolve(self, key: str, now: datetime | None = None) -> Alert | None:
        """End an alert that was raised; returns the notice, None if there was nothing to end.

        The alert of a rule ends by itself when its condition holds no more.
        """
        life = self._lives.get(f"!{key}")
        if life is None or not life.is_open:
            return None
        moment = now or self._clock.now()

        def ended() -> Alert | None:
            with self._lock:
                notice = self._raised.end(key, moment)
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
        with self._lock:
            life, now = self._open_life(alert_id, actor), self._clock.now()
            alert = self._lives.acknowledge(life, actor, one_line(comment), now)
            self._hand_out(now)
            return alert

    def end_raised(self, alert_id: str, actor: str, comment: str = "") -> Alert:
        """End an active alert that was raised, in the name of a person; returns the notice.

        Where a cause goes on that the book does not know, the system raises it again when it looks next.

        Raises
        ------
        InvalidRequest
            ``INVALID_NAME`` without an actor; ``UNKNOWN_ALERT`` if no such alert is active;
            ``ALERT_OF_RULE`` if a rule holds it, or a stop, liquidation or difference that still stands:
            that one ends when its cause does.
        """
        with self._lock:
            life, now = self._open_life(alert_id, actor), self._clock.now()
            is_own = life.alert.raised and not life.alert.rule_id.startswith(STORM)
            stands = standing_cause(self._book.state, life.alert.rule_id) if is_own and self._book else ""
            if stands or not is_own:
                raise InvalidRequest(
                    "ALERT_OF_RULE",
                    "alert_id",
                    f"{life.alert.name} ends by itself when its cause does"
                    f"{f' ({stands})' if stands else ''}; acknowledge or silence it",
                )
            said = one_line(f"by {actor}: {comment}" if comment else f"by {actor}")
            notice = self._raised.end(life.alert.rule_id, now, said, actor)
            self._hand_out(now)
            return notice or life.alert

    def _open_life(self, alert_id: str, actor: str) -> AlertLife:
        """The active alert that a person means."""
        if not actor.strip() or not actor.isprintable() or len(actor) > 128:
            raise InvalidRequest(
                "INVALID_NAME", "actor", f"actor is 1 to 128 printable characters; got {shown(actor)}"
            )
        for life in self._keeper.alerts.lives.values():
            if life.is_active and life.alert.alert_id == alert_id:
                return life
        raise InvalidRequest(
            "UNKNOWN_ALERT", "alert_id", f"no alert {alert_id!r:.40} is active; it may have been resolved"
        )

    @property
    def active(self) -> tuple[Alert, ...]:
        """Alerts that hold now, with their counts; the most severe first."""
        return active_alerts(self._keeper.alerts, self._lives.counted)

    def recall(self, alerts: Iterable[Alert]) -> None:
        """Take tellings of the processes before this one into the history, the oldest first."""
        self._teller.recall(alerts)

    @property
    def history(self) -> tuple[Alert, ...]:
        """The last 1000 tellings, with a store those of earlier processes too, the newest last."""
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
            self._rounds.go(metrics, now, subjects)
            return self._hand_out(now)

    def _subjects(self, now: datetime) -> Subjects:
        if self._book is None:
            return {}
        return subject_metrics(self._book.state, self._book.config, now)

    def _reachable(self) -> tuple[str, ...]:
        """All channels that can take an alert: those with settings, further addresses, and those attached."""
        settings = self._config.alert_config
        configured = (channel for channel in AlertChannel if not missing_settings(channel, settings))
        return tuple(dict.fromkeys((*configured, *self._teller.reachable, *settings.named_urls())))
