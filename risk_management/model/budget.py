"""The risk budget in force: what share of it each strategy has, and by how much its losses cut that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal, NamedTuple

__all__ = ["BudgetMeasure", "BudgetMethod", "BudgetShare", "RiskAllocation", "StrategyDay"]

BudgetMethod = Literal["equal", "inverse_volatility", "risk_parity", "sharpe", "fixed"]
BudgetMeasure = Literal["var", "es", "drawdown"]


@dataclass(frozen=True, slots=True)
class BudgetShare:
    """One strategy's part.

    Parameters
    ----------
    strategy : str
    weight : float
        Share of the total, 0 to 1.
    cut : float
        Multiplier by the strategy's own drawdown, 0 to 1; 1 is uncut.
    reason : str
        Why its share was not made by the method; empty where it was.
    """

    strategy: str
    weight: float
    cut: float = 1.0
    reason: str = ""


@dataclass(frozen=True)  # not slotted: `by_strategy` is made once and kept beside the fields
class RiskAllocation:
    """A budget of risk, split over strategies.

    Parameters
    ----------
    method : {'equal', 'inverse_volatility', 'risk_parity', 'sharpe', 'fixed'}
        What was asked for.
    measure : {'var', 'es', 'drawdown'}
    total : float
        The whole budget, as a fraction of equity.
    day : date
        Trading day on which it was made.
    shares : tuple of BudgetShare
        Weights that add up to at most 1; what is left is nobody's.
    reasons : tuple of str
        What could not be done as asked, in sentences.
    leans_on : tuple of str
        What the weights were measured on.
    automatic : bool
        Made by the settings, not by a person.
    """

    method: BudgetMethod
    measure: BudgetMeasure
    total: float
    day: date
    shares: tuple[BudgetShare, ...]
    reasons: tuple[str, ...] = ()
    leans_on: tuple[str, ...] = ()
    automatic: bool = False

    @cached_property
    def by_strategy(self) -> dict[str, BudgetShare]:
        """Shares by the strategy's name."""
        return {share.strategy: share for share in self.shares}

    def own(self, strategy: str) -> float:
        """What a strategy has of its own after its cut, as a fraction of equity; 0 without a share."""
        share = self.by_strategy.get(strategy)
        return 0.0 if share is None else self.total * share.weight * share.cut

    @cached_property
    def owned(self) -> float:
        """What all strategies have of their own together, as a fraction of equity."""
        return sum(self.own(share.strategy) for share in self.shares)


class StrategyDay(NamedTuple):
    """Profit of a strategy over one trading day and its worst gross exposure before it, in ledger units."""

    day: date
    profit: int
    exposure: int
