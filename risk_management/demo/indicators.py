"""Indicators of the demo's bots: pure functions on closes, each row from that row and earlier ones only."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = [
    "first_of_month",
    "first_of_week",
    "highest",
    "lowest",
    "moving_average",
    "volatility",
    "wilder_rsi",
]

Float = NDArray[np.float64]
Flags = NDArray[np.bool_]


def moving_average(values: Float, days: int) -> Float:
    """Mean of the last `days` rows, shape (T, N); NaN before there are as many."""
    return _rolling(values, days, "mean")


def highest(values: Float, days: int) -> Float:
    """Largest of the `days` rows **before** each row, shape (T, N); NaN before there are as many."""
    return _before(_rolling(values, days, "max"))


def lowest(values: Float, days: int) -> Float:
    """Smallest of the `days` rows **before** each row, shape (T, N); NaN before there are as many."""
    return _before(_rolling(values, days, "min"))


def volatility(closes: Float, days: int) -> Float:
    """Standard deviation of the last `days` daily returns, shape (T, N), a day; NaN before."""
    returns = np.full_like(closes, np.nan)
    returns[1:] = closes[1:] / closes[:-1] - 1.0
    return _rolling(returns, days, "std")


def wilder_rsi(closes: Float, days: int) -> Float:
    """Relative strength index, 0 to 100, shape (T, N); NaN in the first `days` rows.

    The first averages are plain means of `days` gains and losses; then each is smoothed by
    ``(before * (days - 1) + new) / days`` (Wilder 1978, New Concepts in Technical Trading Systems,
    section VI). Prices that never moved stand at 50.
    """
    change = np.diff(closes, axis=0)
    gain, loss = np.maximum(change, 0.0), np.maximum(-change, 0.0)
    up, down = gain[:days].mean(axis=0), loss[:days].mean(axis=0)
    result = np.full_like(closes, np.nan)
    for row in range(days, len(closes)):
        if row > days:
            up = (up * (days - 1) + gain[row - 1]) / days
            down = (down * (days - 1) + loss[row - 1]) / days
        moved = up + down
        result[row] = np.divide(100.0 * up, moved, out=np.full_like(up, 50.0), where=moved > 0.0)
    return result


def first_of_week(dates: NDArray[np.datetime64]) -> Flags:
    """Whether a row is the first of its calendar week (weeks begin on Monday), shape (T,)."""
    weeks = (dates.astype("datetime64[D]").astype(np.int64) + 3) // 7  # 1970-01-01 was a Thursday
    return np.concatenate([[False], weeks[1:] != weeks[:-1]])


def first_of_month(dates: NDArray[np.datetime64]) -> Flags:
    """Whether a row is the first of its calendar month, shape (T,)."""
    months = dates.astype("datetime64[M]")
    return np.concatenate([[False], months[1:] != months[:-1]])


def _rolling(values: Float, days: int, statistic: str) -> Float:
    result = np.full_like(values, np.nan)
    if len(values) >= days:
        result[days - 1 :] = getattr(sliding_window_view(values, days, axis=0), statistic)(axis=-1)
    return result


def _before(values: Float) -> Float:
    return np.concatenate([np.full_like(values[:1], np.nan), values[:-1]])
