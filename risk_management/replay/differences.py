"""What the difference between two holdings earned: saved where it lost, cost where it gained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from risk_management.core.reduction import marked
from risk_management.model.events import Filled
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import PortfolioState
from risk_management.model.totals import EMPTY_NAME

__all__ = ["Differences", "NameDifference"]

EVEN = to_ledger(0.01)
"""Two holdings that lie within a cent of each other are the same."""
Name = tuple[str, str]
"""Bot and symbol."""


class NameDifference(NamedTuple):
    """What holding less or more of a symbol for a bot did.

    Parameters
    ----------
    bot, symbol : str
    saved, cost : float
        Money, 0 or more: spans in which the other settings did better, and worse.
    """

    bot: str
    symbol: str
    saved: float
    cost: float


class Differences:
    """Profit of the difference between two arms, by bot and symbol, span by span.

    A span begins when a bot's holdings of a symbol part and ends when they are equal again; one that is
    open counts at its mark. Its profit is what the other settings earned there beyond what was earned, fees
    included: above 0 it was saved, below 0 it was the cost. ``saved - cost`` is thus the difference of both
    arms' profits, but for what moves no position.
    """

    def __init__(self) -> None:
        self._money: dict[Name, int] = {}
        self._traded: set[Name] = set()
        self._saved: dict[Name, float] = {}
        self._cost: dict[Name, float] = {}

    def booked(self, sign: int, before: PortfolioState, event: Filled, after: PortfolioState) -> None:
        """A fill of the other settings (`sign` +1), or one that was (-1)."""
        for name, money in _paid(before, event, after):
            self._money[name] = self._money.get(name, 0) + sign * money
            self._traded.add(name)

    def settle(self, was: PortfolioState, would: PortfolioState) -> None:
        """End the spans of names that traded and are equal now; to be called when both arms took an event."""
        for name in self._traded:
            value = _value(would, name) - _value(was, name)
            if abs(value) <= EVEN:
                self._close(name, value)
                if value:
                    self._money[name] = -value  # the next span begins from there
        self._traded.clear()

    def rows(self, was: PortfolioState, would: PortfolioState) -> tuple[NameDifference, ...]:
        """By name, what differed most first; open spans at their marks."""
        for name in tuple(self._money):
            self._close(name, _value(would, name) - _value(was, name))
        names = {*self._saved, *self._cost}
        rows = [NameDifference(*n, self._saved.get(n, 0.0), self._cost.get(n, 0.0)) for n in names]
        return tuple(sorted(rows, key=lambda row: (-(row.saved + row.cost), row)))

    def _close(self, name: Name, value: int) -> None:
        profit = self._money.pop(name) + value
        side = self._saved if profit > 0 else self._cost
        if profit:
            side[name] = side.get(name, 0.0) + abs(profit) / SCALE


def _paid(before: PortfolioState, fill: Filled, after: PortfolioState) -> Iterator[tuple[Name, int]]:
    """What each owner received for its part of a fill, ledger units; the fee is its sender's."""
    symbol = fill.key.symbol
    names = (before.totals.names.get(symbol, EMPTY_NAME), after.totals.names.get(symbol, EMPTY_NAME))
    for key in dict.fromkeys(key for name in names for key in name.keys):
        old, new = before.positions.get(key), after.positions.get(key)
        moved = (new.quantity if new else 0) - (old.quantity if old else 0)
        if moved and fill.quantity:
            yield (key.bot, symbol), -fill.cost * moved // fill.quantity
    if fill.fee:
        yield (fill.key.bot, symbol), -fill.fee


def _value(state: PortfolioState, name: Name) -> int:
    """What a bot holds of a symbol at its mark, ledger units."""
    bot, symbol = name
    keys = state.totals.names.get(symbol, EMPTY_NAME).keys
    return sum(marked(state, state.positions[key]) for key in keys if key.bot == bot)
