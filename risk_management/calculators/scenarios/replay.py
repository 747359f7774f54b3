"""What a window of real prices did, close to close."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from risk_management.model.market import PriceHistory

__all__ = ["TOLERANCE_DAYS", "window_returns"]

TOLERANCE_DAYS = 5
"""Calendar days that a price may be older than the edge of the window: a long weekend."""


def window_returns(closes: PriceHistory, start: date, end: date) -> NDArray[np.float64]:
    """Simple return of every column from the close of `start` to the close of `end`.

    Parameters
    ----------
    closes : PriceHistory
        Prices of shape (T, N).
    start, end : date
        Edges of the window; on a day without a price the last one before it counts,
        at most `TOLERANCE_DAYS` old.

    Returns
    -------
    ndarray of shape (N,)
        NaN where a column has no price at one of the edges: it was not listed yet, or had ended.
    """
    first, last = _closes_at(closes, start), _closes_at(closes, end)
    return np.asarray(last / first - 1.0, dtype=np.float64)


def _closes_at(closes: PriceHistory, day: date) -> NDArray[np.float64]:
    """Last close of every column in the days up to `day`, NaN where there is none."""
    edge = np.datetime64(day, "D")
    stop = int(np.searchsorted(closes.dates, edge, side="right"))
    begin = int(np.searchsorted(closes.dates, edge - np.timedelta64(TOLERANCE_DAYS, "D"), side="left"))
    found = np.full(len(closes.symbols), np.nan)
    for row in closes.closes[begin:stop]:
        found = np.where(np.isfinite(row), row, found)
    return found
