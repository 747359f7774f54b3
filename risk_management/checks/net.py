"""Absolute sum of signed exposures, approved orders at their worst."""

from __future__ import annotations

from risk_management.checks._limit import at_equity
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The whole book."""
    limit = p.config.portfolio_limits.max_net_exposure
    return at_equity("net", "NET_LIMIT", p, p.used(p.state.totals.portfolio), limit)
