"""Size of an order beside the instrument's daily volume."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """An order is cut to `max_volume_share` of a day's volume, where that is known."""
    limit = p.config.order_config.max_volume_share
    volume = p.instrument.average_daily_volume
    if volume is None or p.unit_price is None:
        return Finding("volume_share", "VOLUME_SHARE", limit=limit, unit="fraction")
    worth = volume * p.unit_price
    measured = p.opening / worth if worth > 0.0 else math.inf
    return Finding("volume_share", "VOLUME_SHARE", limit * worth, measured, limit, "fraction")
