"""The P&L of one strategy in every scenario, carried along only as far as somebody asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk_management.measures.tail import tails_of
from risk_management.model.money import SCALE
from risk_management.model.totals import NO_SIDES, Sides

__all__ = ["StrategyRisk"]

Float = NDArray[np.float64]
CONFIDENCES: Final = (0.95, 0.975)
"""VaR of a budget stands at 95 %, its expected shortfall at 97.5 %, as the gate's do."""
MOST_STEPS: Final = 16
REBASE_AFTER: Final = 1024


class StrategyRisk:
    """What one strategy holds and may open by column of the risk model; its vector is made when it is read.

    It never changes: `moved` makes another, which knows the vector of this one and the steps from there. What
    was computed is kept, which changes nothing that anyone sees.

    Parameters
    ----------
    scenarios : ndarray of shape (T, N)
    sides : Mapping of int to Sides
        By column, ledger units.
    """

    __slots__ = ("_age", "_base", "_scenarios", "_steps", "_tails", "sides")

    def __init__(self, scenarios: Float, sides: Mapping[int, Sides]) -> None:
        self.sides = sides
        self._scenarios = scenarios
        self._base: Float | None = None
        self._steps: tuple[tuple[int, Sides], ...] = ()
        self._age = 0
        self._tails: tuple[tuple[float, float], ...] | None = None

    def moved(self, column: int, delta: Sides) -> StrategyRisk:
        """The same with one column changed."""
        sides = dict(self.sides)
        changed = sides.get(column, NO_SIDES).plus(delta)
        if changed == NO_SIDES:
            sides.pop(column, None)
        else:
            sides[column] = changed
        fresh = StrategyRisk(self._scenarios, sides)
        if self._base is not None and len(self._steps) < MOST_STEPS and self._age < REBASE_AFTER:
            fresh._base, fresh._steps = self._base, (*self._steps, (column, delta))
            fresh._age = self._age + 1
        return fresh

    @property
    def vector(self) -> Float:
        """P&L in each scenario, with the losses that approved openings may bring; shape (T,), money."""
        base = self._base
        if base is None:
            base = np.zeros(len(self._scenarios))
            steps = tuple(self.sides.items())
        else:
            steps = self._steps
        if steps or self._base is None:
            for column, (net, buys, sells) in steps:
                returns = self._scenarios[:, column]
                base = base + net / SCALE * returns
                if buys:
                    base = base + buys / SCALE * np.minimum(returns, 0.0)
                if sells:
                    base = base - sells / SCALE * np.maximum(returns, 0.0)
            base.flags.writeable = False
            self._base, self._steps = base, ()
        return base

    @property
    def tails(self) -> tuple[tuple[float, float], ...]:
        """VaR and expected shortfall at 95 % and at 97.5 %, money."""
        found = self._tails
        if found is None:
            found = self._tails = tails_of(self.vector, CONFIDENCES)
        return found
