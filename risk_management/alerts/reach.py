"""Numbers at which an alert rule fires, and numbers at which it is over, within what each metric can be."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Final, NamedTuple

from risk_management.alerts.conditions import Condition
from risk_management.alerts.records import AlertRule
from risk_management.errors import UndefinedMeasure
from risk_management.model.vocabulary import words_of

__all__ = ["Reach", "reach_of", "span_of"]

FRACTIONS: Final = (
    "absorption_ratio",
    "bot_enabled",
    "bot_refused_share",
    "bot_win_rate",
    "correlation_spike",
    "drawdown",
    "herfindahl",
    "position_multiplier",
)
SIGNED: Final = (
    "bot_profit",
    "cash",
    "equity",
    "net_exposure",
    "strategy_profit",
    "symbol_exposure",
    "symbol_profit",
)
SPANS: Final[dict[str, tuple[float, float]]] = {
    **dict.fromkeys(FRACTIONS, (0.0, 1.0)),
    **dict.fromkeys(("max_correlation", "average_correlation"), (-1.0, 1.0)),
    **dict.fromkeys(("daily_loss", "weekly_loss", "rolling_loss"), (-math.inf, 1.0)),
    **dict.fromkeys(SIGNED, (-math.inf, math.inf)),
    "var_exceptions": (0.0, 250.0),
    "var_zone": (0.0, 2.0),
}
"""What a metric can be; one that is not named is 0 or more."""
USUAL: Final = (0.0, 0.5, 1.0, 2.0, 10.0, 100.0, 10_000.0, 1_000_000.0)
MOST: Final = 20_000
"""Combinations that are tried."""
NEAR: Final = 1e-6


class Reach(NamedTuple):
    """Metrics at which a rule holds, and at which it is over; None where no combination tried is such."""

    firing: Mapping[str, float] | None
    quiet: Mapping[str, float] | None


def span_of(word: str) -> tuple[float, float]:
    """The least and the most that a metric can be."""
    return SPANS.get(word, (0.0, math.inf))


def reach_of(rule: AlertRule) -> Reach:
    """Search the corners of a rule's condition and of what ends it."""
    condition, ending = rule.compiled(), rule.ending()
    firing = quiet = None
    for metrics in _combinations(rule, condition, ending):
        holds = _is_true(condition, metrics)
        if holds and firing is None:
            firing = metrics
        elif holds is False and quiet is None and (ending is None or _is_true(ending, metrics)):
            quiet = metrics
        if firing is not None and quiet is not None:
            break
    return Reach(firing, quiet)


def _is_true(condition: Condition, metrics: Mapping[str, float]) -> bool | None:
    try:
        return condition(metrics)
    except UndefinedMeasure:
        return None


def _combinations(
    rule: AlertRule, condition: Condition, ending: Condition | None
) -> Iterator[dict[str, float]]:
    """Every combination of the values worth trying, or many drawn at random where there are too many."""
    parts = [condition] if ending is None else [condition, ending]
    words = tuple(dict.fromkeys(word for part in parts for word in part.metrics))
    known = [limit for part in parts for limit in part.limits]
    values = [
        _values(word, words_of(rule.scope)[word].unit, [one.value for one in known if one.metric == word])
        for word in words
    ]
    if math.prod(map(len, values)) <= MOST:
        yield from (dict(zip(words, chosen, strict=True)) for chosen in product(*values))
        return
    yield from islice(_drawn(words, values), MOST)


def _drawn(words: Sequence[str], values: Sequence[Sequence[float]]) -> Iterator[dict[str, float]]:
    rnd = random.Random(0)  # noqa: S311 - no secret: the same search each time
    while True:
        yield {word: rnd.choice(few) for word, few in zip(words, values, strict=True)}


def _values(word: str, unit: str, thresholds: Sequence[float]) -> list[float]:
    """Thresholds with their neighbours, then usual values, within what the metric can be."""
    least, most = span_of(word)
    tried = list(thresholds)
    for value in thresholds:
        step = NEAR * max(1.0, abs(value))
        whole = math.floor(value)
        tried += [value - step, value + step, whole, whole + 1.0, whole - 1.0]
    tried += [edge for edge in (least, most) if math.isfinite(edge)]
    tried += [*USUAL, *(-value for value in USUAL)]
    if unit == "count":
        tried = [value for value in tried if value == math.floor(value)]
    return list(dict.fromkeys(value for value in tried if least <= value <= most))
