"""What holdings are marked at between fills: the closes of a history, at the level of the fills."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from risk_management.errors import MarketDataError
from risk_management.market_data._sheet import SHOWN
from risk_management.market_data.fills_file import FillRow
from risk_management.model.market import PriceHistory

__all__ = ["Marks", "check_levels"]

ADJUSTED = 0.10
"""A fill further than this from the close of its day shows closes of another level: adjusted ones."""
OTHER_UNITS = 0.5
"""Further than this it shows other units: a split lies between."""
JUMP = 0.5
"""A close further than this from the one before may be a split."""


class Marks:
    """Closes by day, taken in order of time.

    Parameters
    ----------
    history : PriceHistory

    Notes
    -----
    Closes are taken as they are where they lie at the level of the fills. Where they do not - a proxy, or
    closes that are adjusted for dividends - the close of the day of a fill is taken to be its price, and
    later ones follow by their returns.
    """

    def __init__(self, history: PriceHistory) -> None:
        self._history = history
        self._columns = {symbol: place for place, symbol in enumerate(history.symbols)}
        self._filled: dict[str, float] = {}
        self._factors: dict[str, float] = {}
        self._last: dict[str, float] = {}
        self.scaled: set[str] = set()
        """Symbols whose closes were brought to the level of the fills."""
        self.jumps: list[tuple[str, date, float]] = []
        """Closes that jumped: symbol, day, return."""

    def fill(self, symbol: str, price: float) -> None:
        """A fill at a price; its symbol is marked from now on."""
        self._filled[symbol] = price
        self._factors.setdefault(symbol, 1.0)

    def closes(self, row: int) -> dict[str, float]:
        """Marks at a row of the history, of the symbols that were traded and have a close there."""
        found = {}
        for symbol in self._factors:
            close = self._close(symbol, row)
            if close is None:
                continue
            price = self._filled.pop(symbol, None)
            if price is not None:
                self._factors[symbol] = self._factor(symbol, price, close)
            mark = found[symbol] = close * self._factors[symbol]
            before, self._last[symbol] = self._last.get(symbol), mark
            if price is None and before is not None and abs(mark / before - 1.0) > JUMP:
                self.jumps.append((symbol, self._history.dates[row].item(), mark / before - 1.0))
        return found

    def _factor(self, symbol: str, price: float, close: float) -> float:
        ratio = price / close
        is_proxy = self._history.info[symbol].is_proxy
        if not is_proxy and abs(ratio - 1.0) <= ADJUSTED:
            return 1.0
        self.scaled.add(symbol)
        return ratio

    def _close(self, symbol: str, row: int) -> float | None:
        column = self._columns.get(symbol)
        if column is None:
            return None
        close = float(self._history.closes[row, column])
        return close if np.isfinite(close) else None


def check_levels(rows: Sequence[FillRow], history: PriceHistory, path: str) -> None:
    """Hold every fill against the close of its day, or of the next one with a close.

    Raises
    ------
    MarketDataError
        The first 20 fills that are in other units than the prices.
    """
    mistakes = list(_levels(rows, history, path))
    if mistakes:
        more = [f"... and {len(mistakes) - SHOWN} more"] if len(mistakes) > SHOWN else []
        raise MarketDataError("\n".join(mistakes[:SHOWN] + more))


def _levels(rows: Sequence[FillRow], history: PriceHistory, path: str) -> Iterator[str]:
    columns: dict[str, NDArray[np.float64]] = {
        symbol: history.closes[:, place]
        for place, symbol in enumerate(history.symbols)
        if not history.info[symbol].is_proxy
    }
    for row in rows:
        if row.symbol not in columns:
            continue
        first = int(np.searchsorted(history.dates, np.datetime64(row.time.date())))
        known = np.flatnonzero(np.isfinite(columns[row.symbol][first:]))
        if not len(known):
            continue
        close = float(columns[row.symbol][first + known[0]])
        if not 1.0 / (1.0 + OTHER_UNITS) <= row.price / close <= 1.0 + OTHER_UNITS:
            yield (
                f"{path}, line {row.line}, column 'price': {row.symbol} was filled at {row.price:g} on "
                f"{row.time.date()}, where your prices say {close:g}; if its units were split since, write "
                "quantity and price in today's units, else load closes that are not adjusted"
            )
