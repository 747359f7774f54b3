"""Which sorted observations a quantile or a tail mean rests on, and with what weight."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, floor
from typing import Final

from risk_management.errors import UndefinedMeasure
from risk_management.measures._inputs import choice, exact_count, level

__all__ = ["QUANTILE_TYPES", "quantile_position", "tail_plan", "tail_size"]

QUANTILE_TYPES: Final = (1, 6, 7, 8)


def quantile_position(observations: int, share: float, quantile_type: int = 7) -> tuple[int, int, float]:
    """Indices `low`, `high` of the ascending order and the weight of `high`, for the `share` quantile.

    Hyndman and Fan (1996), "Sample quantiles in statistical packages", definitions 1, 6, 7 and 8.
    """
    choice(quantile_type, "quantile_type", QUANTILE_TYPES)
    n = observations
    if quantile_type == 1:
        index = min(max(ceil(exact_count(n * share)) - 1, 0), n - 1)
        return index, index, 0.0
    position = {
        6: (n + 1) * share - 1,
        7: (n - 1) * share,
        8: (n + 1 / 3) * share - 2 / 3,
    }[quantile_type]
    position = min(max(exact_count(position), 0.0), n - 1.0)
    low = floor(position)
    return low, min(low + 1, n - 1), position - low


def tail_size(observations: int, confidence: float) -> float:
    """Number of observations in the tail, with its fraction: (1 - confidence) * observations."""
    size = (1.0 - confidence) * observations
    return exact_count(size) or size


@lru_cache(maxsize=256)
def tail_plan(
    observations: int, confidences: tuple[float, ...]
) -> tuple[int, tuple[tuple[int, int, float, int, float, float], ...]]:
    """How many of the smallest values serve all confidences, and where each looks among them.

    Each entry: low, high and weight of the type-7 quantile, then whole count, fraction and size of the tail.
    """
    if not confidences:
        raise UndefinedMeasure("confidences is empty; name at least one, such as 0.99")
    entries = []
    for confidence in confidences:
        low, high, weight = quantile_position(observations, 1.0 - level(confidence))
        size = tail_size(observations, confidence)
        whole = min(int(size), observations - 1)
        entries.append((low, high, weight, whole, size - whole, size))
    deepest = max(max(entry[1], entry[3]) for entry in entries)
    return deepest, tuple(entries)
