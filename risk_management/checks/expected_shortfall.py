"""One-day expected shortfall at 97.5 %, with reservations and this request."""

from __future__ import annotations

from risk_management.checks._limit import in_tail
from risk_management.core.proposal import Proposal
from risk_management.core.var_record import es_limit
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Only what increases it is held against the limit."""
    return in_tail("expected_shortfall", "ES_LIMIT", p, (1, 1), es_limit(p.state, p.config))
