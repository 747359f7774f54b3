"""New positions shrink while the account is below its high-water mark."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The multiplier of the drawdown's tier, times that of the confidence."""
    multiplier = p.drawdown_multiplier
    cap = math.inf if multiplier >= 1.0 else p.opening * p.scale
    return Finding("drawdown", "DRAWDOWN_LIMIT", cap, p.state.drawdown.drawdown, multiplier, "fraction")
