"""The rules that are watched: those of the settings, without those taken out, and those added at run time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from risk_management.alerts.conditions import Condition
from risk_management.alerts.keeping import Keeper
from risk_management.alerts.records import AlertRule
from risk_management.errors import ConfigurationError
from risk_management.model.alert_book import AlertBook

__all__ = ["RuleBook", "Watched"]

logger = logging.getLogger(__name__)


class Watched(NamedTuple):
    """A rule with its conditions, ready to be asked."""

    rule: AlertRule
    condition: Condition
    ending: Condition | None


class RuleBook:
    """All rules by id, in the order of their registration.

    Parameters
    ----------
    keeper : Keeper
        Knows what was added and taken out.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._settled: tuple[AlertRule, ...] = ()
        self._built: tuple[AlertBook, Mapping[str, Watched]] | None = None
        self.unusable: tuple[str, ...] = ()
        """Sentences about rules of the store that this version can't use."""

    def settle(self, rules: tuple[AlertRule, ...]) -> None:
        """Use other rules of the settings."""
        self._settled, self._built = rules, None

    def is_settled(self, rule_id: str) -> bool:
        """Whether it is a rule of the settings."""
        return any(rule.rule_id == rule_id for rule in self._settled)

    @property
    def watched(self) -> Mapping[str, Watched]:
        """All rules, compiled; made anew where a rule came or went."""
        book, built = self._keeper.alerts, self._built
        if built is not None and built[0].rules is book.rules and built[0].removed is book.removed:
            return built[1]
        problems: list[str] = []
        watched = {rule.rule_id: _watched(rule) for rule in self._all(book, problems)}
        self._built, self.unusable = (book, watched), tuple(problems)
        return watched

    def _all(self, book: AlertBook, problems: list[str]) -> Iterator[AlertRule]:
        yield from (r for r in self._settled if r.rule_id not in book.removed | book.rules.keys())
        for facts in book.rules.values():
            try:
                yield AlertRule.of(facts)
            except ConfigurationError as problem:
                problems.append(f"the rule {facts.rule_id!r} of the store can't be used: {problem}")
                logger.error("%s", problems[-1])


def _watched(rule: AlertRule) -> Watched:
    return Watched(rule, rule.compiled(), rule.ending())
