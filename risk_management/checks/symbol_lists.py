"""Allow and deny lists."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """A denied symbol, or one that an allow list leaves out, is not opened."""
    limits = p.config.portfolio_limits
    symbol = p.request.symbol
    blocked = symbol in limits.deny_symbols or (
        bool(limits.allow_symbols) and symbol not in limits.allow_symbols
    )
    return Finding("symbol_lists", "SYMBOL_BLOCKED", 0.0 if blocked else math.inf, subject=symbol)
