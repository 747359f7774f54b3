"""One round over the rules: what holds, what is over, and what can't be said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime

from risk_management.alerts.life import Lives, Saying, Subject
from risk_management.alerts.records import AlertRule
from risk_management.alerts.rule_book import Watched
from risk_management.errors import UndefinedMeasure

__all__ = ["Judge"]


class Judge:
    """Holds rules against the metrics of one moment.

    Parameters
    ----------
    lives : Lives
    subject : callable
        What a rule alerts to, by the rule and whom it is judged for.
    now : datetime
    """

    def __init__(self, lives: Lives, subject: Callable[[AlertRule, str], Subject], now: datetime) -> None:
        self._lives, self._subject, self._now = lives, subject, now
        self.blind: dict[str, list[AlertRule]] = {}
        """Metrics that are missing, each with the rules that need it."""
        self.judged: set[str] = set()
        """Keys of what was judged."""

    def judge(self, watched: Watched, metrics: Mapping[str, float], name: str = "") -> None:
        """Judge a rule, for one bot, strategy or symbol where it is judged for each."""
        rule, condition, _ = watched
        key = f"{rule.rule_id}[{name}]" if name else rule.rule_id
        self.judged.add(key)
        holds = self._holds(watched, metrics, key)
        if holds is False and not self._lives.is_open(key):
            return
        subject = self._subject(rule, name)

        def say() -> Saying:
            values = {metric: metrics[metric] for metric in condition.metrics if metric in metrics}
            return Saying(rule.says(metrics, name), values)

        if holds is None:
            self._lives.tick(subject, self._now, say)
        elif holds:
            self._lives.seen(subject, self._now, say)
        else:
            self._lives.over(subject, self._now, lambda: rule.numbers(metrics))

    def _holds(self, watched: Watched, metrics: Mapping[str, float], key: str) -> bool | None:
        """Whether the alert holds; None where that can't be said, or nothing ends it yet."""
        rule, condition, ending = watched
        try:
            if condition(metrics):
                return True
            if ending is None or not self._lives.is_active(key):
                return False
            return False if ending(metrics) else None
        except UndefinedMeasure:
            read = (*condition.metrics, *(ending.metrics if ending is not None else ()))
            missing = [metric for metric in read if math.isnan(metrics.get(metric, math.nan))]
            for metric in missing or [f"the arithmetic of {rule.condition}"]:
                self.blind.setdefault(metric, []).append(rule)
            return None
