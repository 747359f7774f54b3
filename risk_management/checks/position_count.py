"""Number of symbols held or approved."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """A symbol that is already there adds none."""
    names = p.state.totals.names
    count = len(names) + (p.request.symbol not in names)
    limit = p.config.portfolio_limits.max_positions
    adds = p.request.symbol not in names
    cap = 0.0 if adds and count > limit else math.inf
    return Finding("position_count", "POSITION_COUNT", cap, count, limit, "count")
