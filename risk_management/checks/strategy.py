"""Gross exposure of one strategy, or its budget."""

from __future__ import annotations

from risk_management.checks._limit import at_equity, gross_used
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The strategy that asks."""
    limits = p.config.portfolio_limits
    strategy = p.request.strategy
    limit = limits.strategy_budgets.get(strategy, limits.max_strategy_exposure)
    gross = p.state.totals.strategies.get(strategy, 0)
    return at_equity(
        "strategy", "STRATEGY_LIMIT", p, gross_used(p, gross), limit, strategy or "without a name"
    )
