"""True prices of the simulation: real daily returns of the sample, drawn at random, scaled to the step.

It is a simulation and no history: days are drawn with replacement, the returns of one day together, so
that names move together as they do, and shrunk by the square root of the step's share of a day.
"""

from __future__ import annotations

import random
from typing import Final

import numpy as np

from risk_management.market_data.sample import sample_history

__all__ = ["SYMBOLS", "Market"]

SYMBOLS: Final = ("SPY", "QQQ", "AAPL", "AMD", "JPM", "XOM", "KO", "MSFT", "PG", "UNH", "GE", "WMT")
DAY: Final = 86_400.0


class Market:
    """Prices that nobody misreports.

    Parameters
    ----------
    seed : str
    symbols : tuple of str
    """

    def __init__(self, seed: str, symbols: tuple[str, ...] = SYMBOLS) -> None:
        history = sample_history()
        columns = [history.symbols.index(symbol) for symbol in symbols]
        closes = history.closes[:, columns]
        closes = closes[np.isfinite(closes).all(axis=1)]
        self._returns: list[list[float]] = np.diff(np.log(closes), axis=0).tolist()
        self._random = random.Random(seed)
        self.symbols = symbols
        self.prices = dict(zip(symbols, map(float, closes[-1]), strict=True))

    def step(self, seconds: float) -> None:
        """Move all prices on."""
        share = (seconds / DAY) ** 0.5
        day = self._random.choice(self._returns)
        prices = self.prices
        for symbol, change in zip(self.symbols, day, strict=True):
            prices[symbol] *= 1.0 + change * share

    def split(self, symbol: str, ratio: float) -> None:
        """Every unit becomes `ratio` units, each worth as much less."""
        self.prices[symbol] /= ratio
