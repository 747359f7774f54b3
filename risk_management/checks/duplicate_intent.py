"""The same order again under another id."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.money import to_ledger
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Same bot, symbol, side and size within the window is one intent."""
    window = p.config.order_config.duplicate_window
    intent = (p.request.bot, p.request.symbol, p.request.side, to_ledger(p.request.size))
    before = p.state.intents.get(intent)
    if before is None:
        return Finding("duplicate_intent", "DUPLICATE_INTENT", limit=window, unit="seconds")
    age = (p.now - before).total_seconds()
    cap = 0.0 if age < window else math.inf
    return Finding("duplicate_intent", "DUPLICATE_INTENT", cap, age, window, "seconds")
