"""Size of a single order in money."""

from __future__ import annotations

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """An order is cut to `max_order_size` of equity."""
    limit = p.config.order_config.max_order_size * p.equity
    return Finding("order_size", "ORDER_SIZE", limit, p.opening, limit)
