"""A limit price is held against our own price, never taken for it."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]

ROUNDING = 1e-12


def check(p: Proposal) -> Finding:
    """A limit price too far from ours opens nothing.

    Without a price of ours there is nothing to compare: the order is judged by its money alone, as a market
    order is, and `data_quality` says whether that will do.
    """
    limit_price = p.request.limit_price
    collar = p.config.order_config.price_collar
    if limit_price is None or p.quote is None:
        return Finding("price_collar", "PRICE_COLLAR", limit=collar, unit="fraction")
    distance = abs(limit_price / p.quote.price - 1.0)
    cap = math.inf if distance <= collar + ROUNDING else 0.0
    return Finding("price_collar", "PRICE_COLLAR", cap, distance, collar, "fraction")
