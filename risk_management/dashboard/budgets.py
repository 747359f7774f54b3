"""The risk budget as JSON, for the API, the bots' view and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from risk_management.dashboard.plain import Plain, plain

if TYPE_CHECKING:
    from risk_management.calculators.risk_budget import RiskBudget

__all__ = ["budget_view"]


def budget_view(budget: RiskBudget) -> Plain:
    """All of it, with the use of each strategy and a few lines for people."""
    rows = [{**plain(row), "use": plain(row.use)} for row in budget.strategies]
    said: Plain = plain(budget)
    return {**said, "strategies": rows, "explanation": budget.explain()}
