"""How one arm of a replay went: equity at every mark, the worst of it, and days on which it was held back."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from risk_management.model.events import CashMoved, Event, Filled, PositionAdded
from risk_management.model.money import SCALE
from risk_management.model.portfolio import SYSTEM, PortfolioState, TradingMode

__all__ = ["Course", "DayEnd"]


class DayEnd(NamedTuple):
    """How an arm stood when a trading day ended.

    Parameters
    ----------
    day : date
    equity : float
        Money.
    value : float
        Value per unit, which deposits do not move.
    """

    day: date
    equity: float
    value: float


class Course:
    """Collects what an arm did, from its states and events.

    Parameters
    ----------
    start : PortfolioState
        How it stood when the period began.
    """

    def __init__(self, start: PortfolioState) -> None:
        self.start = self.end = start.equity or 0.0
        self._first = self._peak = _value(start)
        self.max_drawdown = 0.0
        self.fees = 0.0
        self.flows = 0.0
        self.closed_by_system = 0
        self._days: dict[date, DayEnd] = {}
        self._held: dict[TradingMode, set[date]] = {TradingMode.HALTED: set(), TradingMode.REDUCING: set()}

    def took(self, event: Event) -> None:
        """An event that moved money."""
        if isinstance(event, Filled):
            self.fees += event.fee / SCALE
            self.closed_by_system += event.actor == SYSTEM
        elif isinstance(event, CashMoved) and event.kind.is_flow:
            self.flows += event.amount / SCALE
        elif isinstance(event, CashMoved) and event.kind == "fee":
            self.fees -= event.amount / SCALE
        elif isinstance(event, PositionAdded) and not event.takes_cash:
            self.flows += event.cost / SCALE

    def see(self, state: PortfolioState, *, blocks: bool) -> None:
        """How the arm stands after a price or an assessment, or at the end.

        `blocks` is whether its settings hold anything back; in shadow mode they do not.
        """
        if state.equity is None:
            return
        self.end, value = state.equity, _value(state)
        self._peak = max(self._peak, value)
        if self._peak > 0.0:
            self.max_drawdown = max(self.max_drawdown, 1.0 - value / self._peak)
        day = state.drawdown.day
        self._days[day] = DayEnd(day, state.equity, value)
        if not blocks:
            return
        if state.mode is TradingMode.HALTED:
            self._held[TradingMode.HALTED].add(day)
        elif state.mode is TradingMode.REDUCING or state.drawdown.effective_multiplier == 0.0:
            self._held[TradingMode.REDUCING].add(day)

    @property
    def profit(self) -> float:
        """What was earned, deposits and withdrawals left out."""
        return self.end - self.start - self.flows

    @property
    def days(self) -> tuple[DayEnd, ...]:
        """The ends of its trading days, oldest first."""
        return tuple(self._days[day] for day in sorted(self._days))

    def worst_day(self) -> tuple[date | None, float]:
        """The day with the lowest return, and that return; None and 0 where no day lost."""
        before, worst, on = self._first, 0.0, None
        for end in self.days:
            made = end.value / before - 1.0 if before > 0.0 else 0.0
            if made < worst:
                worst, on = made, end.day
            before = end.value
        return on, worst

    def days_in(self, mode: TradingMode) -> int:
        """Trading days on which the arm was seen in HALTED; in REDUCING, or without new entries, else."""
        days = self._held[mode]
        return len(days if mode is TradingMode.HALTED else days - self._held[TradingMode.HALTED])


def _value(state: PortfolioState) -> float:
    units = state.drawdown.units
    return (state.equity or 0.0) / units if units > 0.0 else 0.0
