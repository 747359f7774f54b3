"""Confidence never raises a size; below its full value it lowers it."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.explain import amount
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Linear from full size to half, refused below the least confidence; it names the setting."""
    settings, confidence, share = p.config.bot_config, p.request.confidence, p.confidence_multiplier
    cap = math.inf if share >= 1.0 else p.opening * p.scale
    limit, follows = settings.full_confidence, ""
    if confidence < settings.min_confidence:
        limit, follows = settings.min_confidence, "bot_config.min_confidence, so nothing opens"
    elif share < 1.0:
        said = f"new positions stand at {amount(share, 'fraction')} of their size"
        follows = f"bot_config.full_confidence, so {said}"
    return Finding("confidence", "LOW_CONFIDENCE", cap, confidence, limit, "fraction", follows)
