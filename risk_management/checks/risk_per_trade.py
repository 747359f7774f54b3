"""Open risk that one new trade adds."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The loss at its stop, or what a position without a stop is taken to risk."""
    limit = p.config.portfolio_limits.max_risk_per_trade * p.limit_scale
    risk = p.risk_rate * p.opening
    cap = limit * p.equity / p.risk_rate if p.risk_rate > 0.0 else math.inf
    measured = risk / p.equity if p.equity > 0.0 else math.inf
    return Finding("risk_per_trade", "RISK_PER_TRADE", cap, measured, limit, "fraction")
