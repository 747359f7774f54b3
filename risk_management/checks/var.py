"""One-day VaR at 95 %, with the book's reservations and this request."""

from __future__ import annotations

from risk_management.checks._limit import in_tail
from risk_management.core.proposal import Proposal
from risk_management.core.var_record import var_limit
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Only what increases VaR is held against the limit; a hedge passes while the book is over it."""
    limit = var_limit(p.state, p.config)
    halted = p.state.var_halted
    return in_tail("var", "VAR_HALT" if halted else "VAR_LIMIT", p, (0, 0), limit, closed=halted)
