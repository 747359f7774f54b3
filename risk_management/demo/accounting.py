"""What a trade costs, and the plain account that every arm of the demo is kept in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Account", "CostModel", "Fill"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CostModel:
    """Commission, half a spread, and an impact that grows with the root of the order.

    Parameters
    ----------
    commission : float
        Fraction of the money traded.
    half_spread : float
        Fraction of the price.
    daily_volume : float
        Money a day that is taken to trade in each stock; the sample has no volumes.

    Notes
    -----
    Impact is ``volatility * sqrt(order / daily_volume)`` (Almgren, Thum, Hauptmann & Li 2005, Risk 18(7),
    with a root and a coefficient of one), small for a small account and not for a large one.
    """

    commission: float = 1e-4
    half_spread: float = 3e-4
    daily_volume: float = 50e6

    def slippage(self, money: float, volatility: float) -> float:
        """Distance of the fill from the close, as a fraction of it, against the one who trades."""
        return self.half_spread + volatility * float(np.sqrt(abs(money) / self.daily_volume))

    def fee(self, money: float) -> float:
        """Commission on the money traded."""
        return self.commission * abs(money)


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade: signed units, the price paid, and the commission."""

    bot: int
    column: int
    units: float
    price: float
    fee: float


class Account:
    """Cash and units by bot and symbol. It may borrow: nothing here says no.

    Parameters
    ----------
    capital : float
    bots, symbols : int
        How many.
    """

    def __init__(self, capital: float, bots: int, symbols: int) -> None:
        self.cash = capital
        self.units: Float = np.zeros((bots, symbols))
        self.commissions = 0.0
        self.slippage = 0.0
        self.turnover = 0.0
        self.fills = 0

    def equity(self, closes: Float) -> float:
        """Cash and what is held at the closes of shape (N,)."""
        return self.cash + float(self.units.sum(axis=0) @ closes)

    def exposure(self, closes: Float) -> float:
        """Gross exposure over equity."""
        return float(np.abs(self.units.sum(axis=0)) @ closes) / self.equity(closes)

    def book(self, fill: Fill, close: float) -> None:
        """Take in a trade; `close` is what its slippage is counted from."""
        self.units[fill.bot, fill.column] += fill.units
        if abs(self.units[fill.bot, fill.column]) < 1e-7:  # the ledger's smallest unit is 1e-8
            self.units[fill.bot, fill.column] = 0.0
        self.cash -= fill.units * fill.price + fill.fee
        self.commissions += fill.fee
        self.slippage += fill.units * (fill.price - close)
        self.turnover += abs(fill.units) * fill.price
        self.fills += 1
