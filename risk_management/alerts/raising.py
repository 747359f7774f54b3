"""Alerts that are no rule: raised under a key until somebody says that it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from risk_management.alerts.life import Lives, Saying
from risk_management.alerts.news import Folded, News
from risk_management.alerts.records import one_line
from risk_management.alerts.subjects import new_subject, raised_subject
from risk_management.config.risk_config import AlertConfig
from risk_management.model.alert import Alert, AlertSeverity, AlertType
from risk_management.model.portfolio import SYSTEM

__all__ = ["Raised"]

logger = logging.getLogger(__name__)


class Raised:
    """Raises, repeats and ends them. The owner holds the keeper's lock.

    Parameters
    ----------
    lives : Lives
    settings : callable
        The settings of now.
    """

    def __init__(self, lives: Lives, settings: Callable[[], AlertConfig]) -> None:
        self._lives, self._settings = lives, settings
        self._sayings: dict[str, str] = {}
        self._old: set[str] = set()
        """Keys that came up again with what was told before."""
        self.news = News()

    def add(
        self,
        key: str,
        kind: AlertType,
        severity: AlertSeverity,
        message: str,
        now: datetime,
        *,
        news: bool = False,
        about: str = "",
        traded: Mapping[str, int] | None = None,
    ) -> Alert | None:
        """See it, and return the alert as it stands; what it is `about` is news where it was not told.

        What `traded` is an act, and its units are told also where it is folded.
        """
        life = self._lives.get(f"!{key}")
        is_open = life is not None and life.is_active
        is_worse = life is not None and is_open and severity > life.alert.severity
        subject = new_subject(key, kind, severity, self._settings())
        if life is not None and is_open and not is_worse:
            subject = raised_subject(life.alert, self._settings())
        if about and life is not None and is_open:
            is_said = one_line(message) == life.alert.message
            is_new = self.news.add(key, about, now, is_said=is_said, text=message, traded=traded)
            news = is_new or news
        elif about and self.news.begin(key, about, now):  # it does not wait for the end of another's cooling
            subject = replace(subject, cooldown=0.0)
            self._old.discard(key)
        elif about:
            subject = replace(subject, was_told=True)
            self._old.add(key)
        self._lives.seen(subject, now, lambda: Saying(message), news=news or is_worse)
        if self._lives.get(subject.key) is None:
            logger.warning("an alert is told nowhere else, too many are open: %.80s: %s", key, message)
            return None
        self._sayings[subject.key] = message
        return self._lives.current(subject.key)

    def tick(self, alert: Alert, now: datetime) -> None:
        """Time passed: it may be due again, or the rest of a flood of news be due."""
        subject = raised_subject(alert, self._settings())
        subject = replace(subject, was_told=alert.rule_id in self._old)
        waiting = self.news.waiting(alert.rule_id, now)
        told = self._lives.tick(subject, now, partial(self._again, alert, waiting), news=waiting.count > 0)
        if waiting.count and told is not None:
            self.news.tell_waiting(alert.rule_id, now)

    def end(self, key: str, now: datetime, said: str = "", actor: str = SYSTEM) -> Alert | None:
        """It is over; returns the notice, if it had been told."""
        life = self._lives.get(f"!{key}")
        self._sayings.pop(f"!{key}", None)
        if life is None:
            return None
        folded = self.news.folded(key)
        if folded.count:  # what was not told yet is told with the end
            said = f"{folded.explain()}; {said}".removesuffix("; ")
        subject = raised_subject(life.alert, self._settings())
        notice = self._lives.over(subject, now, lambda: said, actor)
        if folded.count and notice is not None:
            self.news.tell_waiting(key, now)
        return notice

    def _again(self, alert: Alert, waiting: Folded) -> Saying:
        return Saying(waiting.explain() if waiting.count else self._sayings.get(alert.key, alert.message))
