"""Size of a single order in units of the instrument."""

from __future__ import annotations

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """An order is cut to `max_order_quantity`, where its price is known."""
    limit = p.config.order_config.max_order_quantity
    if p.unit_price is None:
        return Finding("order_quantity", "ORDER_QUANTITY", limit=limit, unit="count")
    return Finding(
        "order_quantity", "ORDER_QUANTITY", limit * p.unit_price, p.opening / p.unit_price, limit, "count"
    )
