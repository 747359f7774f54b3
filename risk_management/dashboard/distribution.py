"""How the book's days are spread: the P&L of what is held in every scenario of the risk model."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline
from risk_management.measures.tail import tails_of

__all__ = ["distribution_view"]

BINS: Final = 48
CONFIDENCES: Final = (0.95, 0.99)


def distribution_view(seen: Snapshot) -> Plain:
    """Counts of one-day returns of the book as it stands, in equal bins, as fractions of equity.

    The scenarios are past returns scaled to present volatility: those that the gate judges by. `tails` are
    VaR and expected shortfall of the same numbers, which the gate's own method gives.
    """
    state = seen.state
    equity = state.totals.equity
    known = equity is not None and math.isfinite(equity) and equity > 0.0
    returns = state.totals.pnl / equity if known and equity is not None else np.zeros(0)
    held = bool(returns.size) and bool(returns.any())
    counts, edges = np.histogram(returns, bins=BINS) if held else (np.zeros(0), np.zeros(0))
    tails = tails_of(returns, CONFIDENCES) if held else ()
    return {
        **headline(seen),
        "observations": int(returns.size) if held else 0,
        "edges": plain(edges),
        "counts": plain(counts),
        "worst": plain(float(returns.min())) if held else None,
        "best": plain(float(returns.max())) if held else None,
        "tails": [
            plain({"confidence": confidence, "var": var, "es": es})
            for confidence, (var, es) in zip(CONFIDENCES, tails, strict=False)
        ],
        "limit": seen.config.var_config.daily_var_limit / state.var_record.multiplier,
    }
