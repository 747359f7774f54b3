"""What a condition is compiled into: small closures over a mapping of metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from risk_management.errors import UndefinedMeasure

__all__ = [
    "Metrics",
    "MissingMetric",
    "Number",
    "Truth",
    "against",
    "both",
    "calculation",
    "either",
    "reader",
]

Metrics = Mapping[str, float]
Number = Callable[[Metrics], float]
Truth = Callable[[Metrics], bool]


class MissingMetric(UndefinedMeasure):
    """A metric that decides the condition is missing or NaN: the answer is unknown, not "fine".

    Parameters
    ----------
    name : str
        The metric.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is missing or not a number")
        self.name = name


def reader(name: str) -> Number:
    """Reads one metric."""

    def read(metrics: Metrics) -> float:
        value = metrics.get(name)
        if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
            raise MissingMetric(name)
        return value

    return read


def against(name: str, compare: Callable[[float, float], bool], bound: float) -> Truth:
    """Holds one metric against a constant: the common case, in one call."""

    def holds(metrics: Metrics) -> bool:
        value = metrics.get(name)
        if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
            raise MissingMetric(name)
        return compare(value, bound)

    return holds


def calculation(calculate: Callable[[float, float], float], one: Number, other: Number) -> Number:
    """Arithmetic of two numbers; without a result it raises UndefinedMeasure."""

    def value(metrics: Metrics) -> float:
        try:
            result = calculate(one(metrics), other(metrics))
        except ZeroDivisionError:
            raise UndefinedMeasure("the condition divides by zero") from None
        if result != result:  # noqa: PLR0124 - only NaN differs from itself
            raise UndefinedMeasure("the condition's arithmetic has no result")
        return result

    return value


def either(one: Truth, other: Truth) -> Truth:
    """One ``or`` the other; true as soon as one side is, whatever the other lacks."""

    def holds(metrics: Metrics) -> bool:
        try:
            first = one(metrics)
        except UndefinedMeasure:
            if other(metrics):
                return True
            raise
        return first or other(metrics)

    return holds


def both(one: Truth, other: Truth) -> Truth:
    """One ``and`` the other; false as soon as one side is, whatever the other lacks."""

    def holds(metrics: Metrics) -> bool:
        try:
            first = one(metrics)
        except UndefinedMeasure:
            if not other(metrics):
                return False
            raise
        return first and other(metrics)

    return holds
