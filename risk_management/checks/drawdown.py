"""New positions shrink while the account is below its high-water mark, or an emergency row scales down."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The multiplier of the drawdown's tier, or of a row where that is smaller, times the confidence's."""
    multiplier, cap = p.drawdown_multiplier, math.inf
    if multiplier < 1.0:
        cap = p.opening * p.scale
        row = p.state.drawdown.scaling_row
        if row:
            return Finding("drawdown", "SCALED_DOWN", cap, 1.0, multiplier, "fraction", row)
    return Finding("drawdown", "DRAWDOWN_LIMIT", cap, p.state.drawdown.drawdown, multiplier, "fraction")
