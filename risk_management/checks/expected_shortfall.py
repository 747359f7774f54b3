"""One-day expected shortfall at 97.5 %, with reservations and this request."""

from __future__ import annotations

from risk_management.checks._limit import in_tail
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Only what increases it is held against the limit."""
    limit = p.config.var_config.daily_es_limit
    return in_tail("expected_shortfall", "ES_LIMIT", p, (1, 1), limit)
