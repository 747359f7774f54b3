"""Cash that must remain after everything approved was paid for."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.instrument import ContractKind
from risk_management.model.money import SCALE
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Purchases, and the margin of contracts."""
    floor = p.config.portfolio_limits.min_cash
    cash = (p.state.totals.cash - p.state.totals.cash_claim) / SCALE
    rate = 1.0 if p.request.side > 0 else 0.0
    if p.instrument.kind is ContractKind.LINEAR:
        rate = p.instrument.initial_margin
    elif p.request.side > 0:
        cash -= p.closing
    if p.equity <= 0.0:
        return Finding("cash", "CASH_LIMIT", 0.0, math.nan, floor, "fraction")
    left = (cash - rate * p.opening) / p.equity
    cap = (cash - floor * p.equity) / rate if rate else math.inf
    return Finding("cash", "CASH_LIMIT", max(0.0, cap), left, floor, "fraction")
