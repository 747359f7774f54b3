"""What is true behind glitches and lost reports: the broker's cash and units at the market's prices."""

from __future__ import annotations

from collections import deque
from typing import Final

from risk_management.clock import ManualClock
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState
from risk_management.simulate.broker import Broker
from risk_management.simulate.market import Market

__all__ = ["Truth"]

WINDOW: Final = 900.0
"""Seconds over which the worst true loss is remembered: the engine may see it later, and act then."""


class Truth:
    """The account as it is.

    Parameters
    ----------
    market : Market
    broker : Broker
    machine : ManualClock
    window : float
        Seconds over which the worst true loss is remembered.
    """

    def __init__(self, market: Market, broker: Broker, machine: ManualClock, window: float = WINDOW) -> None:
        self._window = window
        self._market, self._broker, self._machine = market, broker, machine
        self._units = self.equity()
        self.peak = 1.0
        self._drawdowns: deque[tuple[float, float]] = deque()
        self._peaks: dict[str, float] = {}

    def equity(self) -> float:
        """Cash and units at true prices, in money."""
        prices, broker = self._market.prices, self._broker
        worth = sum(units * prices[symbol] for symbol, units in broker.units.items())
        return (broker.cash + worth) / SCALE

    def flow(self, amount: float) -> None:
        """A deposit or a withdrawal, before it is in the cash: it changes units, not the value of one."""
        self._units += amount * self._units / self.equity()

    def look(self) -> None:
        """See the account as it stands now."""
        now, value = self._machine.monotonic(), self.equity() / self._units
        self.peak = max(self.peak, value)
        seen = self._drawdowns
        drawdown = 1.0 - value / self.peak
        while seen and seen[-1][1] <= drawdown:
            seen.pop()
        seen.append((now, drawdown))
        while seen[0][0] < now - self._window:
            seen.popleft()

    @property
    def drawdown(self) -> float:
        """Worst drawdown of the window, as a fraction."""
        return self._drawdowns[0][1] if self._drawdowns else 0.0

    # -- bots and strategies ------------------------------------------------------------------------

    def look_at_owners(self, state: PortfolioState) -> None:
        """Remember the highest true profit of each bot (``b:``) and strategy (``s:``)."""
        for name, profit in self._profits(state).items():
            if profit > self._peaks.get(name, 0.0):
                self._peaks[name] = profit

    def begins_anew(self, name: str, state: PortfolioState) -> None:
        """A person let a bot or a strategy go on: its losses count from here."""
        self._peaks[name] = self._profits(state).get(name, 0.0)

    def loss_of(self, name: str, state: PortfolioState) -> float:
        """Money lost from the highest true profit."""
        now = self._profits(state).get(name, 0.0)
        return max(self._peaks.get(name, 0.0), now) - now

    def _profits(self, state: PortfolioState) -> dict[str, float]:
        """Closed profit and what is held at true prices, by owner, in money."""
        prices = self._market.prices
        found: dict[str, float] = {f"b:{bot.name}": float(bot.record.realised) for bot in state.bots.values()}
        found |= {f"s:{name}": float(record.realised) for name, record in state.strategies.items()}
        for position in state.positions.values():
            profit = position.quantity * prices[position.symbol] - position.cost
            for name in (f"b:{position.key.bot}", f"s:{position.key.strategy}"):
                found[name] = found.get(name, 0.0) + profit
        return {name: profit / SCALE for name, profit in found.items()}
