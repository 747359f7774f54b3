"""Kinds of contract that are done right, and shorts."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.instrument import ContractKind
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Options and inverse contracts are refused; shorts where the settings or the instrument say so."""
    symbol = p.request.symbol
    if p.instrument.kind in (ContractKind.OPTION, ContractKind.INVERSE):
        return Finding("instrument", "UNSUPPORTED_CONTRACT", 0.0, subject=symbol)
    shorts = p.config.portfolio_limits.allow_shorts and p.instrument.shortable
    cap = 0.0 if p.request.side < 0 and not shorts else math.inf
    return Finding("instrument", "SHORTS_NOT_ALLOWED", cap, subject=symbol)
