"""The demo's market: the sample's 20 stocks with two index proxies, and the periods that are traded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk_management.demo.bots import BOTS, Signals
from risk_management.demo.indicators import volatility
from risk_management.market_data.sample import SampleSource
from risk_management.model.market import PriceHistory

__all__ = ["PERIODS", "PROXIES", "QUICK_PERIODS", "STOCKS", "Market", "Period"]

Float = NDArray[np.float64]

STOCKS: Final = (
    "AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO",
    "LLY", "MRK", "MSFT", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM",
)  # fmt: skip
"""Companies of the sample that have prices from 1999 to 2022: all of them survived."""
PROXIES: Final = ("SPY", "QQQ")


@dataclass(frozen=True, slots=True)
class Period:
    """Days that are traded, both included (ISO dates)."""

    name: str
    start: str
    end: str
    calm: bool = False


PERIODS: Final = (
    Period("financial crisis", "2007-01-03", "2009-12-31"),
    Period("pandemic", "2020-01-02", "2020-12-31"),
    Period("calm years", "2013-01-02", "2014-12-31", calm=True),
)
QUICK_PERIODS: Final = (
    Period("autumn of 2008", "2008-07-01", "2009-03-31"),
    Period("spring of 2020", "2020-01-02", "2020-06-30"),
    Period("half a calm year", "2013-07-01", "2013-12-31", calm=True),
)
"""Parts of them, for a first look."""


@dataclass(frozen=True)
class Market:
    """Closes of the traded stocks and what the bots see in them.

    Parameters
    ----------
    history : PriceHistory
        Stocks and proxies.
    """

    history: PriceHistory

    @classmethod
    def sample(cls) -> Market:
        """The embedded sample: 20 stocks and two proxies, which is all that has a full history."""
        history = SampleSource().history((*PROXIES, *STOCKS))
        rows = ~np.isnan(history.closes).any(axis=1)  # weekends, on which only coins trade, fall out
        return cls(replace(history, dates=history.dates[rows], closes=history.closes[rows]))

    @property
    def dates(self) -> NDArray[np.datetime64]:
        """Trading days, shape (T,)."""
        return self.history.dates

    @cached_property
    def closes(self) -> Float:
        """Closes of the stocks, shape (T, N)."""
        chosen = [self.history.symbols.index(symbol) for symbol in STOCKS]
        return np.ascontiguousarray(self.history.closes[:, chosen])

    @cached_property
    def volatility(self) -> Float:
        """Daily volatility of the last 60 returns, shape (T, N)."""
        return volatility(self.closes, 60)

    @cached_property
    def signals(self) -> tuple[Signals, ...]:
        """What each bot sees, in the order of `BOTS`."""
        return tuple(bot.signals(self.closes, self.dates) for bot in BOTS)

    def rows(self, period: Period) -> range:
        """Rows of a period."""
        first, last = np.searchsorted(self.dates, [np.datetime64(period.start), np.datetime64(period.end)])
        is_there = last < len(self.dates) and self.dates[last] == np.datetime64(period.end)
        return range(int(first), int(last) + bool(is_there))
