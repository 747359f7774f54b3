"""One round over all rules and over what was raised: what fires, goes on, is over, or can't be said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from risk_management.alerts.judging import Judge
from risk_management.alerts.keeping import Keeper
from risk_management.alerts.life import Lives
from risk_management.alerts.raising import Raised
from risk_management.alerts.records import AlertRule
from risk_management.alerts.room import BLIND, CROWDED, MOST_OPEN, UNJUDGED
from risk_management.alerts.rule_book import RuleBook, Watched
from risk_management.alerts.storms import watch_storms
from risk_management.alerts.subjects import raised_subject, rule_subject
from risk_management.config.risk_config import AlertConfig
from risk_management.core.alert_book import STORM
from risk_management.core.subject_metrics import Subjects
from risk_management.model.alert import AlertSeverity, AlertState, AlertType
from risk_management.model.alert_book import AlertLife

__all__ = ["MOST_JUDGED", "Rounds"]

MOST_JUDGED: Final = 5000
"""Rules times the bots, strategies or symbols that they are judged for, in one round."""


class Rounds:
    """Holds all rules against the metrics of a moment. The owner holds the keeper's lock.

    Parameters
    ----------
    keeper : Keeper
    rules : RuleBook
    lives : Lives
    raised : Raised
    settings : callable
        The settings of now.
    subjects : callable
        The metrics of bots, strategies and symbols at a moment.
    """

    def __init__(
        self,
        keeper: Keeper,
        rules: RuleBook,
        lives: Lives,
        raised: Raised,
        settings: Callable[[], AlertConfig],
        subjects: Callable[[datetime], Subjects],
    ) -> None:
        self._keeper, self._rules, self._lives, self._raised = keeper, rules, lives, raised
        self._settings, self._subjects = settings, subjects
        self._blind: frozenset[str] = frozenset()

    def go(self, metrics: Mapping[str, float], now: datetime, subjects: Subjects | None) -> None:
        """One round, the most severe first: where there is more to tell than a round may, the rest waits."""
        room = self._lives.room
        room.begin()
        try:
            self._raised_ones(now)
            judge = Judge(self._lives, lambda rule, name: rule_subject(rule, name, self._settings()), now)
            unjudged = self._judged(judge, metrics, now, subjects)
            self._orphans(judge.judged, unjudged, now)
        finally:
            room.end()
        self._report_blind(judge.blind, now)
        self._report_unjudged(unjudged, now)
        self._report_crowd(now)
        watch_storms(self._lives, self._keeper.alerts, self._settings(), now)

    def end_removed(self, now: datetime) -> None:
        """Resolve alerts whose rule is watched no more."""
        known = self._rules.watched
        for life in tuple(self._keeper.alerts.lives.values()):
            if not life.alert.raised and life.alert.rule_id not in known:
                subject = raised_subject(life.alert, self._settings())
                self._lives.over(subject, now, lambda: "the rule was removed")

    def _raised_ones(self, now: datetime) -> None:
        """What is judged by no rule: alerts that were raised, and ends that wait for their hours."""
        for life in self._gravest_first():
            alert = life.alert
            if alert.state is AlertState.RESOLVED:
                if alert.held_for == "quiet":
                    self._lives.tell_again(life, now)
            elif alert.raised and not alert.rule_id.startswith(STORM):
                self._raised.tick(alert, now)

    def _gravest_first(self) -> Iterator[AlertLife]:
        return iter(sorted(self._keeper.alerts.lives.values(), key=lambda life: -life.alert.severity.rank))

    def _judged(
        self, judge: Judge, metrics: Mapping[str, float], now: datetime, subjects: Subjects | None
    ) -> tuple[AlertRule, ...]:
        """Judge all rules; returns those that there were too many names for."""
        unjudged: list[AlertRule] = []
        left = MOST_JUDGED
        for watched in self._enabled():
            rule = watched.rule
            if rule.scope == "portfolio":
                judge.judge(watched, metrics)
                continue
            if subjects is None:
                subjects = self._subjects(now)
            each = subjects.get(rule.scope, {})
            if len(each) > left:
                unjudged.append(rule)
                continue
            left -= len(each)
            for name, words in each.items():
                judge.judge(watched, {**metrics, **words}, name)
        return tuple(unjudged)

    def _enabled(self) -> list[Watched]:
        enabled = [watched for watched in self._rules.watched.values() if watched.rule.enabled]
        return sorted(enabled, key=lambda watched: -watched.rule.severity.rank)

    def _orphans(self, judged: set[str], unjudged: tuple[AlertRule, ...], now: datetime) -> None:
        """End alerts of bots, strategies and symbols that are no more."""
        skipped = {rule.rule_id for rule in unjudged}
        for key, life in tuple(self._keeper.alerts.lives.items()):
            alert = life.alert
            if life.is_open and not alert.raised and key not in judged and alert.rule_id not in skipped:
                subject = raised_subject(alert, self._settings())
                self._lives.over(subject, now, lambda: "it is watched no more")

    def _report_blind(self, blind: Mapping[str, list[AlertRule]], now: datetime) -> None:
        """One alert for all metrics that are missing; more of them are news, fewer are not."""
        if not blind:
            self._blind = frozenset()
            self._raised.end(BLIND, now)
            return
        rules = [rule for watching in blind.values() for rule in watching]
        blinded = ", ".join(dict.fromkeys(rule.name for rule in rules))
        severity = max(AlertSeverity.WARNING, min(AlertSeverity.CRITICAL, max(r.severity for r in rules)))
        is_news = bool(self._blind) and not blind.keys() <= self._blind
        self._blind |= blind.keys()
        text = f"No number for {', '.join(blind)}: these rules can't be judged: {blinded}."
        self._raised.add(BLIND, AlertType.DATA_QUALITY, severity, text, now, news=is_news)

    def _report_unjudged(self, unjudged: tuple[AlertRule, ...], now: datetime) -> None:
        if not unjudged:
            self._raised.end(UNJUDGED, now)
            return
        names = ", ".join(rule.rule_id for rule in unjudged)
        text = (
            f"Rules times the names that they are judged for are more than {MOST_JUDGED:,}; these are not "
            f"judged: {names}. Take rules out, or judge the whole book with scope portfolio."
        )
        self._raised.add(UNJUDGED, AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, now)

    def _report_crowd(self, now: datetime) -> None:
        room = self._lives.room
        refused, room.refused = room.refused, 0
        if not refused and not room.is_crowded:
            self._raised.end(CROWDED, now)
        elif refused:
            text = (
                f"{MOST_OPEN} alerts are open; {refused} more hold, no more severe than those, and are told "
                "nowhere. Take out rules that fire for everything, and resolve what was raised and is over."
            )
            self._raised.add(CROWDED, AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, now)
