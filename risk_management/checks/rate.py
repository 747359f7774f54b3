"""Requests in any minute, of one bot and of all; refused ones count, closing ones do not."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.recent import count_recent
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Too many requests open nothing."""
    settings = p.config.order_config
    own = count_recent(p.state.requests.get(p.request.bot, ()), p.now) + 1
    if own > settings.max_orders_per_minute:
        limit = settings.max_orders_per_minute
        return Finding("rate", "RATE_LIMIT", 0.0, own, limit, "count", p.request.bot)
    # one bot counts up to its own limit: what it asks beyond that must not silence the others
    most = settings.max_orders_per_minute
    total = sum(min(count_recent(times, p.now), most) for times in p.state.requests.values()) + 1
    if total > settings.max_orders_per_minute_total:
        limit = settings.max_orders_per_minute_total
        return Finding("rate", "RATE_LIMIT", 0.0, total, limit, "count", "all bots")
    limit = settings.max_orders_per_minute
    return Finding("rate", "RATE_LIMIT", math.inf, own, limit, "count", p.request.bot)
