"""Confidence never raises a size; below its full value it lowers it."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Linear from full size to half, refused below the least confidence."""
    full = p.config.bot_config.full_confidence
    cap = math.inf if p.confidence_multiplier >= 1.0 else p.opening * p.scale
    return Finding("confidence", "LOW_CONFIDENCE", cap, p.request.confidence, full, "fraction")
