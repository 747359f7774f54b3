"""Net position in one symbol, by class: stock, broad index fund, coin."""

from __future__ import annotations

from risk_management.checks._limit import at_equity
from risk_management.core.proposal import Proposal
from risk_management.model.instrument import AssetClass
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The name being traded, with what is approved on its side."""
    limit = _limit(p) * p.limit_scale
    used = p.used(p.name.sides)
    return at_equity("single_name", "SINGLE_NAME_LIMIT", p, used, limit, p.request.symbol)


def _limit(p: Proposal) -> float:
    limits = p.config.portfolio_limits
    if p.instrument.asset_class == AssetClass.INDEX_FUND:
        return limits.max_index_fund_position
    if p.instrument.asset_class == AssetClass.CRYPTO:
        major = p.request.symbol in limits.major_coins
        return limits.max_major_coin_position if major else limits.max_coin_position
    return limits.max_single_position
