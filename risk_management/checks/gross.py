"""Sum of all long and short exposures, approved orders at their worst."""

from __future__ import annotations

from risk_management.checks._limit import at_equity, gross_used
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The whole book."""
    limit = p.config.portfolio_limits.max_gross_exposure
    if p.state.drawdown.recovery is not None:
        limit *= p.drawdown_multiplier  # a recovery tranche is a share of the whole book
    return at_equity("gross", "GROSS_LIMIT", p, gross_used(p, p.state.totals.gross), limit)
