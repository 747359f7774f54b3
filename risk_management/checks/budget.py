"""The risk budget of the strategy that asks, while one is in force."""

from __future__ import annotations

import math

from risk_management.core.budget import budget_limit, loss_from_peak, own_budget, strategy_tail
from risk_management.core.proposal import Proposal
from risk_management.model.budget import RiskAllocation
from risk_management.model.money import TOLERANCE
from risk_management.model.trade import Finding

__all__ = ["check"]

BISECTIONS = 48
_NONE_IN_FORCE = Finding("budget", "BUDGET_LIMIT")


def check(p: Proposal) -> Finding:
    """Only what increases the strategy's risk is held against its budget; a hedge of its own passes."""
    budget = p.state.budget
    if budget is None:
        return _NONE_IN_FORCE
    strategy = p.request.strategy
    after = strategy_tail(p, budget, p.opening)
    lost = loss_from_peak(p.state, strategy) if budget.measure == "drawdown" else 0.0
    limit = own_budget(p.state, budget, strategy)
    if after + lost > limit + TOLERANCE:  # only then does anyone ask what others leave
        limit = budget_limit(p.state, p.config, budget, strategy)
    subject = strategy or "without a name"
    if p.equity <= 0.0:
        return Finding("budget", "BUDGET_LIMIT", 0.0, math.inf, budget.own(strategy), "fraction", subject)
    measured, allowed = (after + lost) / p.equity, limit / p.equity
    cap = _largest(p, budget, after, limit - lost)
    return Finding("budget", "BUDGET_LIMIT", cap, measured, allowed, "fraction", subject)


def _largest(p: Proposal, budget: RiskAllocation, after: float, room: float) -> float:
    """The largest opening, by bisection: the tail is not linear in the size."""
    if after <= room + TOLERANCE:
        return math.inf
    # beside what is left after the closing part, so that no long over its budget turns into such a short
    bound = max(room, strategy_tail(p, budget, 0.0)) + TOLERANCE
    if after <= bound:
        return math.inf
    low, high = 0.0, p.opening
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if strategy_tail(p, budget, middle) <= bound:
            low = middle
        else:
            high = middle
        if high - low <= TOLERANCE:
            break
    return low
