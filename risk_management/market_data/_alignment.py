"""Putting price series of different calendars on one, without looking ahead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from risk_management.errors import MarketDataError
from risk_management.market_data._series import DAILY_CLOSE
from risk_management.model.market import PriceHistory

__all__ = ["CRYPTO", "OwnReturns", "calendar_rows", "known_day", "own_returns", "voters"]

CRYPTO = "crypto"
Days = NDArray[np.datetime64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OwnReturns:
    """Returns of one series on the calendar, from its own prices.

    Parameters
    ----------
    values : ndarray of float64 of shape (T,)
        NaN where the series says nothing; 0 on a day inside a short gap.
    observations : int
        Returns that end on a price.
    first, last : date or None
        First and last day with a price in the whole history up to the moment.
    gaps : int
        Days of the calendar between its first and last price without a price.
    """

    values: Floats
    observations: int
    first: date | None
    last: date | None
    gaps: int


def known_day(as_of: datetime) -> np.datetime64:
    """The last day whose close is known at `as_of`: the same day from 21:00 UTC on, else the day before.

    A bar that is still forming is so left out.
    """
    if as_of.tzinfo is None:
        raise MarketDataError(f"as_of needs an aware time, got the naive {as_of!r}; add tzinfo=UTC")
    moment = as_of.astimezone(UTC)
    closed = moment.timetz() >= DAILY_CLOSE
    return np.datetime64(moment.date() if closed else moment.date() - timedelta(days=1), "D")


def voters(history: PriceHistory, wanted: Iterable[str], classes: Mapping[str, str]) -> list[int]:
    """Columns whose trading days make the calendar: the wanted ones, coins only if all wanted are coins.

    Where none of the wanted symbols has prices, those of the history stand in for them.
    """
    wanted = list(wanted)
    only_coins = bool(wanted) and all(classes.get(symbol) == CRYPTO for symbol in wanted)

    def fitting(symbols: Iterable[str]) -> list[int]:
        return [
            history.symbols.index(symbol)
            for symbol in symbols
            if symbol in history.info and (classes.get(symbol) == CRYPTO) == only_coins
        ]

    return fitting(wanted) or fitting(history.symbols) or list(range(len(history.symbols)))


def calendar_rows(history: PriceHistory, columns: Collection[int], end: np.datetime64) -> NDArray[np.intp]:
    """Rows up to `end` on which more than half of the series that live on that day have a price.

    A series lives from its first to its last price, so a late listing or an early end has no vote
    on the days before or after.
    """
    known = int(np.searchsorted(history.dates, end, side="right"))
    present = np.isfinite(history.closes[:known, list(columns)])
    begun = np.logical_or.accumulate(present, axis=0)
    going_on = np.logical_or.accumulate(present[::-1], axis=0)[::-1]
    return np.flatnonzero(2 * present.sum(axis=1) > (begun & going_on).sum(axis=1))


def own_returns(history: PriceHistory, symbol: str, rows: NDArray[np.intp], max_gap: int) -> OwnReturns:
    """Returns of one symbol between the calendar's rows.

    A close missing on at most `max_gap` days running gives 0 on those days and the whole move at the
    next price. Over a longer gap nothing is said.

    Parameters
    ----------
    rows : ndarray of intp of shape (T + 1,)
        Rows of the calendar; the first is the base of the first return.
    """
    closes = history.closes[: int(rows[-1]) + 1, history.symbols.index(symbol)]
    priced = np.flatnonzero(np.isfinite(closes))
    values = np.full(len(rows) - 1, np.nan)
    if len(priced) == 0:
        return OwnReturns(values, 0, None, None, 0)
    prices = closes[rows]
    at = np.flatnonzero(np.isfinite(prices))
    joined = np.diff(at) - 1 <= max_gap
    starts, ends = at[:-1][joined], at[1:][joined]
    for start, end in zip(starts, ends, strict=True) if len(at) < len(prices) else ():
        values[start : end - 1] = 0.0
    values[ends - 1] = prices[ends] / prices[starts] - 1.0
    gaps = int(at[-1] - at[0] + 1 - len(at)) if len(at) else 0
    return OwnReturns(values, len(ends), _day(history, priced[0]), _day(history, priced[-1]), gaps)


def _day(history: PriceHistory, row: np.intp) -> date:
    return date.fromisoformat(str(history.dates[row]))
