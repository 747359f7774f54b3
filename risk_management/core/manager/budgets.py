"""The risk budget: a split over strategies that binds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from risk_management.calculators.risk_budget import RiskBudget
from risk_management.core.manager._inside import Inside, library_actor

if TYPE_CHECKING:
    pass

__all__ = ["Budgets"]


class Budgets(Inside):
    """Splitting a budget of risk over strategies."""

    def allocate_risk_budget(
        self,
        budget: float | None = None,
        method: str | None = None,
        measure: str | None = None,
        strategies: Sequence[str] | None = None,
        *,
        preview: bool = False,
        reason: str = "",
        actor: str = "",
        may_loosen: bool = True,
    ) -> RiskBudget:
        """Split a budget of risk over strategies; from then on it binds every opening order.

        Parameters
        ----------
        budget : float, optional
            The whole of it as a fraction of equity; by default `budget_config.limit_share` of the
            portfolio's own limit on the measure.
        method : {'equal', 'inverse_volatility', 'risk_parity', 'sharpe', 'fixed'}, optional
        measure : {'var', 'es', 'drawdown'}, optional
            One-day VaR at 95 %, expected shortfall at 97.5 %, or loss from the peak and one bad day.
        strategies : sequence of str, optional
            By default those of all bots and of all that is held.
        preview : bool
            Say what it would be, and change nothing.
        reason : str
        actor : str, optional
        may_loosen : bool
            False refuses a split that gives a strategy more than it has now.

        Returns
        -------
        RiskBudget
            Where too little is known for the method, equal shares with the reason.

        Raises
        ------
        InvalidRequest
            Nothing was changed.
        """
        return self.budget_allocator.allocate_risk_budget(
            budget,
            method=method,
            measure=measure,
            strategies=strategies,
            preview=preview,
            reason=reason,
            actor=actor or library_actor(),
            may_loosen=may_loosen,
        )

    def withdraw_risk_budget(self, reason: str, *, actor: str = "") -> bool:
        """End the risk budget in force, in somebody's name; whether there was one."""
        return self.budget_allocator.withdraw(reason, actor=actor or library_actor())

    def risk_budget(self) -> RiskBudget | None:
        """The risk budget in force and how it stands, None without one."""
        return self.budget_allocator.current()
